"""The demonstration's broker reads the same packets however its client's octets are cut.

What it reads it can write again, or the octets break the protocol and the session ends.
"""

from __future__ import annotations

from collections.abc import Iterator

from sensed.demo import packets
from sensed.demo.packets import Packet, PacketReader, Publish
from sensed.errors import WireError

INCLUDE = ("sensed.demo.packets",)


def one_input(data: bytes) -> None:
    """Check what must hold of any octets; an exception is a finding."""
    if not data:
        return
    size, octets = data[0] + 1, data[1:]
    whole = read([octets])
    pieces = read([octets[at : at + size] for at in range(0, len(octets), size)])
    if pieces[: len(whole)] != whole:
        raise AssertionError(f"pieces of {size} octets give other packets")
    for packet in whole:
        if isinstance(packet, Publish):
            (again,) = PacketReader().receive(packets.encode_publish(packet))
            if again != packet:
                raise AssertionError("a message is not read back as it was")


def read(pieces: list[bytes]) -> list[Packet]:
    """Return the packets before the protocol is broken, if it is."""
    reader = PacketReader()
    found: list[Packet] = []
    for piece in pieces:
        try:
            found += reader.receive(piece)
        except WireError:
            break
        if len(reader._buffer) > packets.LARGEST_PACKET_OCTETS + len(piece):
            raise AssertionError("more than a packet is held")
    return found


def corpus() -> Iterator[bytes]:
    """Yield a client's session."""
    connect = b"\x00\x04MQTT\x04\xc6\x00\x3c\x00\x02id\x00\x01w\x00\x02{}\x00\x01u\x00\x01p"
    subscribe = b"\x00\x01\x00\x0bsensed/pi/#\x01\x00\x01+\x00"
    message = packets.encode_publish(Publish("sensed/pi/power", b"{}", 1, retain=True, packet_id=9))
    yield (
        b"\x05"
        + packets.encode(packets.CONNECT, connect)
        + packets.encode(packets.SUBSCRIBE, subscribe, 2)
        + message
        + packets.encode(packets.PINGREQ)
        + packets.encode(packets.DISCONNECT)
    )
    yield b"\x40" + packets.encode_publish(Publish("a/b", b"x" * 200))
