from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from sensed.notify import Notifier
from sensed.watchdog import Watchdog, Watched
from tests.waiting import until


@dataclass
class Switch:
    """A part that is stuck when told to be."""

    is_stuck: bool = False

    def stuck(self, now_s: float) -> bool:
        assert now_s > 0
        return self.is_stuck


@contextlib.asynccontextmanager
async def watching(tmp_path: Path, parts: dict[str, Watched]) -> AsyncIterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "40000"}
        task = asyncio.create_task(Watchdog(Notifier(environ), lambda: parts).run())
        try:
            yield manager
        finally:
            task.cancel()
            await asyncio.wait([task])


async def signs(manager: socket.socket) -> list[bytes]:
    """Return the signs of life of a tenth of a second, the ones before it thrown away."""
    received: list[bytes] = []
    for pause_s in (0.0, 0.1):
        received = []
        await asyncio.sleep(pause_s)
        with contextlib.suppress(BlockingIOError):
            while True:
                received.append(manager.recv(64))
    return received


async def test_signs_of_life_come_at_least_twice_in_systemds_patience(tmp_path: Path) -> None:
    async with watching(tmp_path, {"a": Switch()}) as manager:
        received = await signs(manager)
    assert set(received) == {b"WATCHDOG=1"}
    assert len(received) >= 3


@pytest.mark.parametrize("which", ["a", "b"])
async def test_one_stuck_part_ends_the_signs_of_life_and_is_named(
    tmp_path: Path, which: str
) -> None:
    parts = {"a": Switch(), "b": Switch()}
    with structlog.testing.capture_logs() as events:
        async with watching(tmp_path, dict(parts)) as manager:
            assert await signs(manager)
            parts[which].is_stuck = True
            await until(lambda: events)
            assert await signs(manager) == []
    assert {(event["event"], event["parts"]) for event in events} == {("part_stuck", which)}


async def test_the_stack_of_a_stuck_part_is_told(tmp_path: Path) -> None:
    async def waits_for_ever() -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(waits_for_ever(), name="a")
    with structlog.testing.capture_logs() as events:
        async with watching(tmp_path, {"a": Switch(is_stuck=True)}):
            await until(lambda: events)
    task.cancel()
    assert "waits_for_ever" in events[0]["stacks"]


async def test_a_loop_that_was_held_up_makes_no_part_stuck(tmp_path: Path) -> None:
    @dataclass
    class Timely:
        """A part with something to do every 10 ms, stuck when 50 ms late."""

        due_s: float

        def stuck(self, now_s: float) -> bool:
            return now_s - self.due_s > 0.05

        async def run(self) -> None:
            loop = asyncio.get_running_loop()
            while True:
                self.due_s = loop.time() + 0.01
                await asyncio.sleep(0.01)

    part = Timely(asyncio.get_running_loop().time())
    working = asyncio.create_task(part.run())
    with structlog.testing.capture_logs() as events:
        async with watching(tmp_path, {"a": part}) as manager:
            assert await signs(manager)
            time.sleep(0.2)  # noqa: ASYNC251 - this is what is tested
            assert await signs(manager)
    working.cancel()
    assert events == []
