from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sensed.daemon import taps as module
from sensed.daemon.taps import Taps
from sensed.errors import SensedError
from sensed.han.port import BytesReceived, PortCause, PortLost, PortOpened, SettingsTried, Silence
from sensed.han.port_settings import SerialSettings

EVEN = SerialSettings(2400, 8, "E", 1)
NONE = SerialSettings(2400, 8, "N", 1)


def octets(data: bytes) -> BytesReceived:
    return BytesReceived(data, asyncio.get_running_loop().time())


@contextlib.asynccontextmanager
async def taking(taps: Taps) -> AsyncIterator[list[dict[str, Any]]]:
    """Take what comes, from the first message on; it has all come once the taps are closed."""
    taken: list[dict[str, Any]] = []

    async def take() -> None:
        async with contextlib.aclosing(taps.stream({})) as messages:
            async for message in messages:
                taken.append(dict(message))  # noqa: PERF401 - what came before a failure counts

    task = asyncio.create_task(take())
    await asyncio.sleep(0)
    try:
        yield taken
    finally:
        taps.close()
        await asyncio.wait_for(task, 5)


async def test_each_taker_gets_all_that_came_and_when() -> None:
    taps = Taps()
    taps.put(PortOpened("/dev/x", EVEN))
    async with taking(taps) as one, taking(taps) as two:
        taps.put(octets(b"\x01\x02"))
        taps.put(octets(b"\x03"))
        taps.put(Silence())
        taps.put(SettingsTried("/dev/x", NONE))
        taps.put(octets(b"\x04"))
        taps.put(PortLost("/dev/x", PortCause.UNPLUGGED))
    for taken in (one, two):
        told = [{key: value for key, value in item.items() if key != "at_s"} for item in taken]
        assert [item for item in told if item] == [
            {"device": "/dev/x", "line": "2400 8E1"},
            {"octets": "010203"},
            {"device": "/dev/x", "line": "2400 8N1"},
            {"octets": "04"},
            {"lost": "/dev/x: the adapter was unplugged or failed."},
        ]
        assert [item["at_s"] for item in taken] == sorted(item["at_s"] for item in taken)


async def test_a_taker_hears_at_once_that_the_port_is_lost() -> None:
    taps = Taps()
    taps.put(PortLost("/dev/x", PortCause.BUSY))
    assert taps.port() == {"device": "/dev/x", "open": False, "line": None}
    async with taking(taps) as taken:
        pass
    assert taken[1]["lost"].endswith("open.")


async def test_a_slow_taker_loses_the_oldest_and_is_told_how_much() -> None:
    taps = Taps()
    stream = taps.stream({})
    assert "device" in await anext(stream)
    sent = b"".join(bytes([number % 256]) * module._LARGEST_PIECE for number in range(300))
    taps.put(octets(sent))
    taps.close()
    missed = taken = 0
    async for message in stream:
        missed += message.get("missed", 0)
        taken += len(message.get("octets", "")) // 2
    assert missed > 0
    assert missed + taken == len(sent)
    assert taken <= module._MOST_WAITING * module._LARGEST_PIECE


async def test_silence_has_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BEAT_S", 0.02)
    taps = Taps()
    async with contextlib.aclosing(taps.stream({})) as stream:
        await anext(stream)
        first, second = await anext(stream), await anext(stream)
    assert set(first) == {"at_s"}
    assert 0 < first["at_s"] < second["at_s"]


async def test_takers_are_few_and_make_room_when_they_leave() -> None:
    taps = Taps()
    async with taking(taps), taking(taps):
        with pytest.raises(SensedError, match="2 captures are under way"):
            await anext(taps.stream({}))
    async with contextlib.aclosing(taps.stream({})) as stream:
        assert await anext(stream)
