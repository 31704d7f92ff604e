"""A broker that restarts a thousand times: ``pytest tests/uplink/test_restarts.py -m slow``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sensed.uplink import HistorySettings
from sensed.uplink.delivery import _HISTORY_WINDOW
from tests.mosquitto import Mosquitto
from tests.uplink.test_broker import Collector
from tests.uplink.tools import POWER_ONLY, QUICK, WITH_CURRENTS, settings, up
from tests.waiting import until

RESTARTS = int(os.environ.get("SENSED_RESTARTS", "1000"))


@pytest.mark.slow
@pytest.mark.timeout(60 + RESTARTS)
async def test_restarts_at_random_moments_lose_no_reading(tmp_path: Path) -> None:
    config = f"persistence true\npersistence_location {tmp_path}/\nqueue_qos0_messages true"
    broker = Mosquitto(tmp_path, config=config).start()
    rng = random.Random(RESTARTS)
    quick = replace(QUICK, live_age_s=0.5)
    heard: list[tuple[str, int]] = []
    history = HistorySettings(path=tmp_path / "history.db", batch_s=1.0)
    try:
        async with (
            up(settings(broker.port), quick, history=history) as running,
            Collector(broker.port, heard),
        ):
            await running.linked()
            sending = asyncio.create_task(_send(running.send))
            for _ in range(RESTARTS):
                await asyncio.sleep(rng.uniform(0, 0.15))
                await asyncio.to_thread(broker.stop)
                await asyncio.sleep(rng.choice([0, 0, 0, rng.uniform(0, 0.7)]))
                await asyncio.to_thread(broker.start)
            await running.linked()
            sending.cancel()
            await asyncio.wait([sending])
            running.send(WITH_CURRENTS)
            sent = set(range(1, running.seq + 1))
            with contextlib.suppress(AssertionError):
                await until(lambda: sent <= {seq for _, seq in heard}, within_s=30)
            lost = sorted(sent - {seq for _, seq in heard})
            assert lost == [], f"{running.uplink.history_counts}, {running.facts[-1]}"
    finally:
        broker.kill()
    late = [seq for topic, seq in heard if topic == "history"]
    doubled = len(late) - len(set(late))
    figures = f"{RESTARTS} restarts, {len(sent)} lists, {len(late)} late, {doubled} doubled"
    sys.stdout.write(figures)
    broken = sum(fact.holds is False for fact in running.facts)
    assert doubled <= _HISTORY_WINDOW * broken  # at least once: what was under way as a link broke


async def _send(send: object) -> None:
    assert callable(send)
    number = 0
    while True:
        send(WITH_CURRENTS if number % 4 == 0 else POWER_ONLY)
        number += 1
        await asyncio.sleep(0.02)
