from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sensed.cli import main
from tests.mosquitto import Mosquitto
from tests.uplink.tools import listening


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as running:
        yield running


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_fleet_reaches_its_broker_and_leaves_nothing_waiting(
    broker: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--devices", "3", "--broker", f"127.0.0.1:{broker.port}", "--seconds", "14"]
    assert main(["simulate", "--meter", "kaifa-3ph", *arguments]) == 0
    assert "3 of 3 connected" in capsys.readouterr().err


async def test_nothing_is_sent_to_an_impossible_broker(
    broker: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    async with listening(broker.port) as listener:
        assert main(["simulate", "--devices", "1", "--broker", "nowhere"]) == 2
        assert main(["simulate", "--devices", "0"]) == 2
    assert listener.heard == []
    told = capsys.readouterr().err
    assert "--broker: give HOST:PORT." in told
    assert "--devices: give 1 to 5000." in told
