from __future__ import annotations

import asyncio
import logging

import pytest

from sensed.demo.subscriber import messages

_CONNACK = b"\x20\x02\x00\x00"
_SUBACK = b"\x90\x03\x00\x01\x01"


@pytest.mark.parametrize("steps_later", range(7))
async def test_an_end_in_the_middle_of_subscribing_says_nothing(
    caplog: pytest.LogCaptureFixture, steps_later: int
) -> None:
    subscribing: asyncio.Task[None]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(_CONNACK)
        assert (await reader.read(1024))[:1] == b"\x82"
        # Which step reads the answer after the wait for it ended depends on Python's version.
        subscribing.cancel()
        for _ in range(steps_later):
            await asyncio.sleep(0)
        writer.write(_SUBACK)
        await reader.read()
        writer.close()

    async def subscribe(port: int) -> None:
        async for _ in messages("127.0.0.1", port, "#"):
            pass

    caplog.set_level(logging.DEBUG)
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        subscribing = asyncio.create_task(subscribe(server.sockets[0].getsockname()[1]))
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(5):
                await subscribing
    assert not [entry.getMessage() for entry in caplog.records if entry.levelno > logging.INFO]
