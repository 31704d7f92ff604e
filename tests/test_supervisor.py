from __future__ import annotations

import asyncio
import contextlib

import pytest
import structlog

from sensed.backoff import Backoff
from sensed.supervisor import supervise
from tests.waiting import until


@pytest.mark.parametrize("ends_by", ["raising", "returning"])
async def test_a_part_that_ends_is_told_and_started_again(ends_by: str) -> None:
    starts = 0
    third = asyncio.Event()

    async def part() -> None:
        nonlocal starts
        starts += 1
        if starts > 2:
            third.set()
            await asyncio.Event().wait()
        if ends_by == "raising":
            raise ZeroDivisionError

    with structlog.testing.capture_logs() as events:
        task = asyncio.create_task(supervise("part", part, backoff=Backoff(0.001, 0.001)))
        await asyncio.wait_for(third.wait(), 5)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    crashed = [event for event in events if event["event"] == "part_crashed"]
    assert [event["part"] for event in crashed] == ["part", "part"]
    assert all(event["exc_info"] for event in crashed)


async def test_cancelling_ends_the_part_itself() -> None:
    ended = asyncio.Event()

    async def part() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.create_task(supervise("part", part))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_a_part_that_waits_for_its_restart_rests() -> None:
    starts = 0
    second = asyncio.Event()
    resting: set[str] = set()

    async def part() -> None:
        nonlocal starts
        starts += 1
        assert resting == set()
        if starts == 2:
            second.set()
            await asyncio.Event().wait()
        raise ZeroDivisionError

    with structlog.testing.capture_logs() as events:
        task = asyncio.create_task(
            supervise("part", part, backoff=Backoff(0.05, 0.05), resting=resting)
        )
        await until(lambda: events)
        assert resting == {"part"}
        await asyncio.wait_for(second.wait(), 5)
        assert resting == set()
        task.cancel()
        await asyncio.wait([task])
