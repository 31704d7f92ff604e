"""Whatever octets a broker sends, its connection lives on or is lost with a cause, no more.

Nothing is raised into the loop and no more than a bounded packet is held. The first octet of
an input chooses the protocol and whether the broker accepts first, the second how the octets
are cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

from sensed.demo import packets
from sensed.demo.packets import Publish
from sensed.uplink import BrokerSettings
from sensed.uplink.client import Connection
from sensed.uplink.link import Cause, LinkError
from sensed.uplink.payloads import Message

INCLUDE = ("sensed.uplink", "paho.mqtt", "aiomqtt")
_LOOP = asyncio.new_event_loop()
_PLACES = tuple(
    BrokerSettings(host="127.0.0.1", port=1883, device_id="pi", protocol=protocol)
    for protocol in ("3.1.1", "5")
)
_ACCEPTED = (b"\x20\x02\x00\x00", b"\x20\x03\x00\x00\x00")
_ROUNDS = 6
_MOST_HELD = 512 * 1024


class _Hearer:
    """Takes what a connection tells."""

    def delivered(self, message_id: int, *, refused: bool) -> None:
        """Take an acknowledgement."""
        if not isinstance(message_id, int) or not isinstance(refused, bool):
            raise AssertionError("an acknowledgement is of no message")

    def received(self, topic: str, payload: bytes) -> None:
        """Take a message."""
        if not isinstance(topic, str) or not isinstance(payload, bytes):
            raise AssertionError("a message is of no topic")

    def subscription_refused(self) -> None:
        """Take that a subscription was refused."""


def one_input(data: bytes) -> None:
    """Check what must hold of any octets; an exception is a finding."""
    if len(data) < 3:
        return
    which = data[0] & 1
    octets = (_ACCEPTED[which] if data[0] & 2 else b"") + data[2:]
    size = (data[1] + 1) * 4
    pieces = [octets[at : at + size] for at in range(0, len(octets), size)]
    _LOOP.run_until_complete(converse(_PLACES[which], pieces))


async def converse(place: BrokerSettings, pieces: list[bytes]) -> None:
    """Be a broker that sends these pieces to the real client."""
    loop = asyncio.get_running_loop()
    raised: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _loop, context: raised.append(context))
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    with theirs:
        connection = Connection(ours, place, None, _Hearer())
        accepting = asyncio.ensure_future(connection.accepted())
        try:
            await asyncio.sleep(0)
            for piece in pieces:
                with contextlib.suppress(OSError):
                    theirs.send(piece)
                await settle(connection, accepting)
                held = connection._session._client._in_packet["packet"]
                if len(held) > _MOST_HELD:
                    raise AssertionError("more than a bounded packet is held")
        finally:
            accepting.cancel()
            await asyncio.wait([accepting])
            connection.drop(LinkError(Cause.LOST, connection._endpoint))
            await asyncio.sleep(0)
    check_end(accepting, connection)
    if raised:
        raise AssertionError("raised into the loop") from raised[0].get("exception")


async def settle(connection: Connection, accepting: asyncio.Future[None]) -> None:
    """Let the client read, and use the connection once it is up."""
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)
    if accepting.done() and not accepting.exception() and not connection.lost.done():
        connection.subscribe("sensed/pi/headroom")
        connection.put(Message("sensed/pi/phases", b"{}", 1, retain=False))
        connection.flush()


def check_end(accepting: asyncio.Future[None], connection: Connection) -> None:
    """However it ended, it ended with a cause."""
    if not accepting.cancelled() and accepting.exception() is not None:
        error = accepting.exception()
        if not isinstance(error, LinkError):
            raise AssertionError("not the link's error") from error
    if not connection.lost.done() or not isinstance(connection.lost.result(), LinkError):
        raise AssertionError("the connection is not lost")


def corpus() -> Iterator[bytes]:
    """Yield what brokers send."""
    message = packets.encode_publish(Publish("sensed/pi/headroom", b'{"v":1}', 1, packet_id=7))
    acknowledged = packets.encode(packets.PUBACK, b"\x00\x02")
    granted = packets.encode(packets.SUBACK, b"\x00\x01\x01")
    yield b"\x02\x40" + message + acknowledged + granted + packets.encode(packets.PINGRESP)
    yield b"\x02\x00" + granted + acknowledged
    yield b"\x00\x10" + b"\x20\x02\x00\x05"
    yield b"\x01\x10" + b"\x20\x06\x00\x00\x03\x21\x00\x0a" + b"\xe0\x01\x8e"
    yield b"\x03\x20" + b"\x30\x0d\x00\x04topi\x00payloa" + b"\x90\x04\x00\x01\x00\x01"
    yield b"\x03\x20" + b"\x40\x03\x00\x02\x10" + b"\xd0\x00"
    yield b"\x02\x30" + b"\x30\xff\xff\xff\x7f" + bytes(200)
    yield b"\x02\x30" + b"\x30\x06\x00\x02\xff\xfeab"
