"""Codec of the packets that the demonstration's broker reads and writes. Sans-IO.

Sections named are those of the MQTT 3.1.1 standard; QoS 2 is left out.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from sensed.errors import WireError

LARGEST_PACKET_OCTETS: Final = 65_536
CONNECT, CONNACK, PUBLISH, PUBACK = range(1, 5)
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK = range(8, 12)
PINGREQ, PINGRESP, DISCONNECT = range(12, 15)

_FLAGS: Final = {
    CONNECT: 0,
    PUBACK: 0,
    SUBSCRIBE: 2,
    UNSUBSCRIBE: 2,
    PINGREQ: 0,
    DISCONNECT: 0,
}
_LENGTH_OCTETS: Final = 4
_CONTINUED: Final = 0x80
_TOPIC: Final = re.compile(r"[^+#\0]+")
_FILTER: Final = re.compile(r"((\+|[^+#\0/]*)/)*(\+|#|[^+#\0/]*)")


class Publish(NamedTuple):
    """PUBLISH (3.3); ``packet_id`` is 0 for QoS 0."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    packet_id: int = 0


class Connect(NamedTuple):
    """CONNECT (3.1), less what this broker ignores."""

    client_id: str
    keepalive_s: int
    will: Publish | None


class Subscribe(NamedTuple):
    """SUBSCRIBE (3.8): topic filters with the QoS to grant."""

    packet_id: int
    filters: tuple[tuple[str, int], ...]


class Unsubscribe(NamedTuple):
    """UNSUBSCRIBE (3.10): topic filters to forget."""

    packet_id: int
    filters: tuple[str, ...]


class Signal(NamedTuple):
    """PUBACK, PINGREQ or DISCONNECT: a packet whose kind says all that matters here."""

    kind: int


Packet = Connect | Publish | Subscribe | Unsubscribe | Signal


class PacketReader:
    """Cuts a client's bytes into packets."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive(self, data: bytes) -> list[Packet]:
        """Return the packets that ``data`` completes. Raises WireError: then end the session."""
        self._buffer += data
        packets = []
        while (header := _fixed_header(self._buffer)) is not None:
            start, end = header
            if end > LARGEST_PACKET_OCTETS:
                raise WireError(f"An MQTT packet of {end} octets is too large.")
            if len(self._buffer) < end:
                break
            packets.append(_decode(self._buffer[0], bytes(self._buffer[start:end])))
            del self._buffer[:end]
        return packets


def encode(kind: int, body: bytes = b"", flags: int = 0) -> bytes:
    """Return a packet of any kind."""
    length, rest = bytearray(), len(body)
    while rest >= _CONTINUED:
        length.append(rest % _CONTINUED | _CONTINUED)
        rest //= _CONTINUED
    return bytes((kind << 4 | flags, *length, rest)) + body


def encode_publish(message: Publish) -> bytes:
    """Return a PUBLISH packet."""
    topic = message.topic.encode()
    packet_id = message.packet_id.to_bytes(2, "big") if message.qos else b""
    body = len(topic).to_bytes(2, "big") + topic + packet_id + message.payload
    return encode(PUBLISH, body, message.qos << 1 | message.retain)


def matches(topic_filter: str, topic: str) -> bool:
    """Return whether ``topic`` is one of those that the filter names (4.7)."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    for position, level in enumerate(wanted):
        if level == "#":
            return True
        if position == len(levels) or level not in ("+", levels[position]):
            return False
    return len(wanted) == len(levels)


def _fixed_header(buffer: bytearray) -> tuple[int, int] | None:
    length = 0
    for position, octet in enumerate(buffer[1 : 1 + _LENGTH_OCTETS]):
        length |= octet % _CONTINUED << 7 * position
        if octet < _CONTINUED:
            return 2 + position, 2 + position + length
    if len(buffer) > _LENGTH_OCTETS:
        raise WireError("An MQTT packet's length has more than four octets.")
    return None


class _Body:
    """Reads a packet's fields one after the other."""

    def __init__(self, data: bytes) -> None:
        self.rest = data

    def take(self, count: int) -> bytes:
        if len(self.rest) < count:
            raise WireError("An MQTT packet is shorter than its fields.")
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def number(self, octets: int = 2, *, least: int = 0, most: int = 0xFFFF) -> int:
        number = int.from_bytes(self.take(octets), "big")
        if not least <= number <= most:
            raise WireError(f"An MQTT field is {number}, not {least} to {most}.")
        return number

    def blob(self) -> bytes:
        return self.take(self.number())

    def text(self, pattern: re.Pattern[str]) -> str:
        try:
            text = self.blob().decode()
        except UnicodeDecodeError:
            raise WireError("An MQTT text is not UTF-8.") from None
        if not text or not pattern.fullmatch(text):
            raise WireError(f"{text!r} is not a topic or filter of MQTT.")
        return text


def _decode(first: int, data: bytes) -> Packet:
    kind, flags, body = first >> 4, first & 0x0F, _Body(data)
    packet: Packet = Signal(kind)
    if kind == PUBLISH:
        packet = _decode_publish(body, flags)
    elif _FLAGS.get(kind) != flags:
        raise WireError(f"An MQTT packet starting with {first:#04x} is not for this broker.")
    elif kind == CONNECT:
        packet = _decode_connect(body)
    elif kind == SUBSCRIBE:
        packet_id, filters = body.number(least=1), list[tuple[str, int]]()
        while body.rest or not filters:
            filters.append((body.text(_FILTER), min(1, body.number(1, most=2))))
        packet = Subscribe(packet_id, tuple(filters))
    elif kind == UNSUBSCRIBE:
        packet_id, forgotten = body.number(least=1), list[str]()
        while body.rest or not forgotten:
            forgotten.append(body.text(_FILTER))
        packet = Unsubscribe(packet_id, tuple(forgotten))
    elif kind == PUBACK:
        body.number()
    if body.rest:
        raise WireError("An MQTT packet is longer than its fields.")
    return packet


def _decode_publish(body: _Body, flags: int) -> Publish:
    if (qos := flags >> 1 & 3) > 1:
        raise WireError("This broker has no quality of service 2.")
    topic, packet_id = body.text(_TOPIC), body.number(least=1) if qos else 0
    return Publish(topic, body.take(len(body.rest)), qos, bool(flags & 1), packet_id)


def _decode_connect(body: _Body) -> Connect:
    if body.take(7) != b"\0\4MQTT\4":
        raise WireError("The client does not speak MQTT 3.1.1.")
    flags, keepalive_s, client_id, will = body.number(1), body.number(), body.blob(), None
    if flags & 0x04:
        topic, payload = body.text(_TOPIC), body.blob()
        will = Publish(topic, payload, min(1, flags >> 3 & 3), bool(flags & 0x20))
    for credential in (0x80, 0x40):
        if flags & credential:
            body.blob()
    return Connect(client_id.decode(errors="replace"), keepalive_s, will)
