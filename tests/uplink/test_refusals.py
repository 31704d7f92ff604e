"""Every answer to CONNECT, and every way of a broker to end a connection, is told apart."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from sensed.uplink import Cause
from tests.uplink.tools import settings, up


@contextlib.asynccontextmanager
async def answering(*packets: bytes) -> AsyncIterator[int]:
    """A broker that answers CONNECT with these octets and nothing after, and hangs up; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read(1000)
            for packet in packets:
                writer.write(packet)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("protocol", "code", "cause", "says"),
    [
        ("3.1.1", 1, Cause.VERSION, "set the other one"),
        ("3.1.1", 2, Cause.IDENTIFIER, "sensed-pi-1"),
        ("3.1.1", 3, Cause.UNAVAILABLE, "takes no connection now"),
        ("3.1.1", 4, Cause.NOT_AUTHORISED, "user name or password"),
        ("3.1.1", 5, Cause.NOT_AUTHORISED, "user name or password"),
        ("3.1.1", 77, Cause.PROTOCOL, "does not speak MQTT"),
        ("5", 0x84, Cause.VERSION, "set the other one"),
        ("5", 0x85, Cause.IDENTIFIER, "sensed-pi-1"),
        ("5", 0x86, Cause.NOT_AUTHORISED, "user name or password"),
        ("5", 0x87, Cause.NOT_AUTHORISED, "user name or password"),
        ("5", 0x88, Cause.UNAVAILABLE, "takes no connection now"),
        ("5", 0x89, Cause.UNAVAILABLE, "Server busy"),
        ("5", 0x8A, Cause.UNAVAILABLE, "Banned"),
        ("5", 0x8C, Cause.PROTOCOL, "does not speak MQTT"),
        ("5", 0x97, Cause.UNAVAILABLE, "Quota exceeded"),
        ("5", 0x9C, Cause.UNAVAILABLE, "Use another server"),
        ("5", 0x9D, Cause.UNAVAILABLE, "Server moved"),
        ("5", 0x9F, Cause.UNAVAILABLE, "Connection rate exceeded"),
    ],
)
async def test_each_refusal_has_its_cause(
    protocol: str, code: int, cause: Cause, says: str
) -> None:
    connack = b"\x20\x02\x00" + bytes([code])
    if protocol == "5":
        connack = b"\x20\x03\x00" + bytes([code]) + b"\x00"
    async with answering(connack) as port, up(settings(port, protocol=protocol)) as running:
        fact = await running.failed()
        assert fact.cause is cause, fact.detail
        assert says in fact.detail


@pytest.mark.parametrize(
    ("code", "cause", "says"),
    [
        (0x8B, Cause.LOST, "Server shutting down"),
        (0x8E, Cause.TAKEN_OVER, "an id of its own"),
        (0x8D, Cause.NO_ACKNOWLEDGEMENT, "stopped acknowledging"),
    ],
)
async def test_a_farewell_of_mqtt_5_is_told(code: int, cause: Cause, says: str) -> None:
    # A reason string goes with it: paho before 2.2 looks at no shorter farewell.
    accepted = b"\x20\x03\x00\x00\x00"
    farewell = b"\xe0\x06" + bytes([code]) + b"\x04\x1f\x00\x01x"
    async with answering(accepted, farewell) as port, up(settings(port, protocol="5")) as running:
        fact = await running.failed()
        assert fact.cause is cause, fact.detail
        assert says in fact.detail


async def test_a_broker_that_accepts_and_hangs_up_is_not_called_foreign() -> None:
    async with answering(b"\x20\x02\x00\x00") as port, up(settings(port)) as running:
        assert (await running.failed()).cause is Cause.LOST


async def test_a_message_without_end_is_not_held() -> None:
    # PUBLISH, with the greatest length there is.
    endless = b"\x30\xff\xff\xff\x7f\x00\x01a"
    async with answering(b"\x20\x02\x00\x00", endless) as port, up(settings(port)) as running:
        fact = await running.failed()
        assert fact.cause is Cause.PROTOCOL, fact.detail
        assert "more than" in fact.detail
