"""``sensed status`` against a running daemon: the same words as everywhere, and exit codes."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sensed.cli.status import EXIT_CODES, age, render
from sensed.simulator.play import PtySink
from sensed.status import Indicator
from tests.integration.tools import config_file, exact, playing, sensed
from tests.mosquitto import Mosquitto, free_port
from tests.uplink.tools import listening
from tests.waiting import until


async def status(folder: Path, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sensed",
        "status",
        "--socket",
        str(folder / "control"),
        *arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_the_command_tells_what_the_topic_tells(
    mosquitto: Mosquitto, pty: PtySink, tmp_path: Path
) -> None:
    config = config_file(tmp_path, device=pty.device, broker_port=mosquitto.port)
    async with (
        listening(mosquitto.port, "sensed/test/#") as listener,
        sensed("run", "--config", str(config), RUNTIME_DIRECTORY=str(tmp_path)),
        playing("kaifa-3ph", pty),
    ):
        topic: dict[str, Any] = {}

        def active() -> bool:
            topic.update(exact(listener.on("state")[-1].payload) if listener.on("state") else {})
            return topic.get("state") == "active"

        await until(active, within_s=15)
        code, out, _ = await status(tmp_path, "--json")
        answer = json.loads(out)
        assert code == 0
        assert answer["state"] == topic["state"]
        assert answer["words"] == topic["words"]
        assert {name: fact["holds"] for name, fact in answer["facts"].items()} == {
            name: fact["holds"] for name, fact in topic["facts"].items()
        }
        assert 0 <= answer["meter"]["last_list_age_s"] < 10
        code, out, _ = await status(tmp_path)
        assert code == 0
        assert out.startswith("configured and active (")
        assert all(line.isprintable() for line in out.splitlines())


async def test_a_daemon_without_a_broker_is_not_configured(pty: PtySink, tmp_path: Path) -> None:
    config = config_file(tmp_path, device=pty.device, broker_port=None)
    async with sensed("run", "--config", str(config), RUNTIME_DIRECTORY=str(tmp_path)):
        await until((tmp_path / "control").exists, within_s=10)
        code, out, _ = await status(tmp_path)
    assert code == EXIT_CODES["not_configured"]
    assert "set mqtt.host" in out


async def test_watching_goes_on_and_says_when_the_daemon_is_gone(
    pty: PtySink, tmp_path: Path
) -> None:
    config = config_file(tmp_path, device=pty.device, broker_port=free_port())
    async with sensed("run", "--config", str(config), RUNTIME_DIRECTORY=str(tmp_path)) as daemon:
        await until((tmp_path / "control").exists, within_s=10)
        async with sensed(
            "status", "--json", "--watch", "--socket", str(tmp_path / "control")
        ) as watcher:
            assert watcher.stdout is not None
            assert watcher.stderr is not None
            async with asyncio.timeout(20):
                answers = [json.loads(await watcher.stdout.readline()) for _ in range(3)]
                daemon.kill()
                gone = await watcher.stderr.readline()
            watcher.send_signal(signal.SIGINT)
            assert await asyncio.wait_for(watcher.wait(), 8) == 130
    ages = [answer["facts"]["meter"]["age_s"] for answer in answers]
    assert ages == sorted(set(ages))
    assert answers[-1]["history"] == {"waiting": 0, "sent": 0, "dropped": 0}
    assert gone.startswith(b"sensed: The daemon")


def test_what_waits_and_what_is_lost_is_said_in_words() -> None:
    answer: dict[str, Any] = {
        "words": "w",
        "age_s": 1,
        "facts": {},
        "meter": {"last_list_age_s": None},
        "history": {"waiting": 7, "sent": 0, "dropped": 0},
    }
    assert render(answer).endswith("7 readings wait for the broker")
    answer["history"]["dropped"] = 2
    assert render(answer).endswith("7 readings wait for the broker, 2 lost for want of room")
    answer["history"] = None
    assert render(answer) == "w (1 s)"


async def test_without_a_daemon_the_remedy_is_told(tmp_path: Path) -> None:
    code, out, err = await status(tmp_path)
    assert (code, out) == (1, "")
    assert err == "sensed: The daemon is not running: systemctl start sensed.\n"


def test_every_state_has_an_exit_code_of_its_own() -> None:
    assert set(EXIT_CODES) == {state.value for state in Indicator}
    assert len(set(EXIT_CODES.values())) == len(EXIT_CODES)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (7200, "2 h"), (90000, "1 d")],
)
def test_ages_are_told_for_people(seconds: float, words: str) -> None:
    assert age(seconds) == words
