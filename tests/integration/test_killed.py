"""``kill -9`` of the whole daemon while readings are queued: what is lost, and what is torn."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from sensed.simulator.play import PtySink
from tests.integration.tools import config_file, exact, playing, sensed
from tests.mosquitto import Mosquitto, free_port
from tests.uplink.tools import listening
from tests.waiting import until

LONGEST_LOSS_S = 60.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def rows(path: Path) -> list[dict[str, Any]]:
    """Read a whole file as SQLite itself does after a crash; fail where it is torn."""
    database = sqlite3.connect(path)
    try:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [exact(row) for (row,) in database.execute("SELECT payload FROM history")]
    finally:
        database.close()


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_killed_daemon_loses_less_than_a_minute_and_nothing_that_was_written(
    pty: PtySink, tmp_path: Path, seed: int
) -> None:
    port, history = free_port(), tmp_path / "history.sqlite"
    config = config_file(tmp_path, device=pty.device, broker_port=port)
    async with (
        sensed("run", "--config", str(config)) as process,
        playing("kaifa-3ph", pty, seed=seed) as sent,
    ):
        await until(history.exists, within_s=90)
        await asyncio.sleep(random.Random(seed).uniform(1, 45))
        process.kill()
        await process.wait()
        killed_s = time.time()
        heard = len(sent)

    kept = rows(history)
    seqs = [row["seq"] for row in kept]
    assert seqs == list(range(1, len(seqs) + 1))
    assert heard - len(seqs) <= LONGEST_LOSS_S / 2 + 1  # kaifa: a list every 2 s
    last_s = _seconds(kept[-1]["received_at"])
    assert killed_s - last_s < LONGEST_LOSS_S

    with Mosquitto(tmp_path, port=port) as broker:
        async with (
            listening(broker.port, "sensed/test/#") as listener,
            sensed("run", "--config", str(config)),
        ):
            await listener.wait_for("history", len(seqs), within_s=30)
            await until(lambda: not history.exists())
        assert [heard.json["seq"] for heard in listener.on("history")] == seqs
        assert {heard.json["boot_id"] for heard in listener.on("history")} == {kept[0]["boot_id"]}


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
