"""A small MQTT 3.1.1 broker on the loopback interface, for the demonstration.

QoS 0 and 1, retained messages, wills, wildcards; no persistence, no accounts, no TLS.
"""

from __future__ import annotations

import asyncio
from typing import Final, Self

from sensed.demo import packets
from sensed.demo.packets import Connect, Packet, Publish, Signal, Subscribe, Unsubscribe
from sensed.errors import BugError, WireError

_MOST_CLIENTS: Final = 32
_MOST_FILTERS: Final = 64
_MOST_RETAINED: Final = 1024
_MOST_UNSENT_OCTETS: Final = 1_048_576
_CONNECT_DEADLINE_S: Final = 10.0
_CLOSE_DEADLINE_S: Final = 1.0
_REFUSED_FILTER: Final = 0x80


class Broker:
    """The broker as an async context manager, on ``host`` and a free ``port``."""

    host: Final = "127.0.0.1"

    def __init__(self) -> None:
        self.port = 0
        self.retained: dict[str, Publish] = {}
        self.sessions: set[_Session] = set()

    async def __aenter__(self) -> Self:
        """Listen on a free port of the loopback interface."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Session(self), self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Drop every client and listen no more."""
        self._server.close()
        closing = [session.closed for session in self.sessions]
        for session in self.sessions:
            session.drop()
        if closing:
            await asyncio.wait(closing, timeout=_CLOSE_DEADLINE_S)

    def publish(self, message: Publish) -> None:
        """Hand ``message`` to every subscriber, and keep it if it is to be retained."""
        known = message.topic in self.retained
        if message.retain and not message.payload:
            self.retained.pop(message.topic, None)
        elif message.retain and (known or len(self.retained) < _MOST_RETAINED):
            self.retained[message.topic] = message
        for session in self.sessions:
            session.offer(message._replace(retain=False))


class _Session(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._reader = packets.PacketReader()
        self._loop = asyncio.get_running_loop()
        self._filters: dict[str, int] = {}
        self._silence_s = _CONNECT_DEADLINE_S
        self._timer: asyncio.TimerHandle | None = None
        self._last_id = 0
        self._will: Publish | None = None
        self.client_id: str | None = None
        self.closed: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise BugError("a TCP server's transport can be written to")
        self.transport = transport
        if len(self._broker.sessions) >= _MOST_CLIENTS:
            transport.abort()
        self._broker.sessions.add(self)
        self._expect_more()

    def data_received(self, data: bytes) -> None:
        self._expect_more()
        try:
            for packet in self._reader.receive(data):
                self._handle(packet)
        except WireError:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - any end is one
        if self._timer is not None:
            self._timer.cancel()
        self._broker.sessions.discard(self)
        if self._will is not None:
            self._broker.publish(self._will)
        self.closed.set_result(None)

    def offer(self, message: Publish) -> None:
        """Send ``message`` if the client has subscribed to its topic."""
        granted = [
            qos for wanted, qos in self._filters.items() if packets.matches(wanted, message.topic)
        ]
        if not granted or self.transport.is_closing():
            return
        if self.transport.get_write_buffer_size() > _MOST_UNSENT_OCTETS:
            self.transport.abort()
            return
        qos = min(message.qos, max(granted))
        self._last_id = self._last_id % 0xFFFF + 1
        self.transport.write(
            packets.encode_publish(message._replace(qos=qos, packet_id=self._last_id))
        )

    def drop(self) -> None:
        """End the connection without its will."""
        self._will = None
        self.transport.abort()

    def _handle(self, packet: Packet) -> None:
        if self.transport.is_closing():
            return
        if (self.client_id is None) != isinstance(packet, Connect):
            raise WireError("An MQTT session starts with CONNECT, once.")
        match packet:
            case Connect():
                self._connect(packet)
            case Publish():
                if packet.qos:
                    self._answer(packets.PUBACK, packet.packet_id)
                self._broker.publish(packet)
            case Subscribe():
                self._subscribe(packet)
            case Unsubscribe():
                self._unsubscribe(packet)
            case Signal(packets.PINGREQ):
                self.transport.write(packets.encode(packets.PINGRESP))
            case Signal(packets.DISCONNECT):
                self._will = None
                self.transport.close()

    def _connect(self, packet: Connect) -> None:
        for other in self._broker.sessions:
            if packet.client_id and other.client_id == packet.client_id:
                other.transport.abort()
        self.client_id, self._will = packet.client_id, packet.will
        self._silence_s = packet.keepalive_s * 1.5
        self._expect_more()
        self.transport.write(packets.encode(packets.CONNACK, bytes(2)))

    def _subscribe(self, packet: Subscribe) -> None:
        codes = bytearray()
        for wanted, qos in packet.filters:
            room = wanted in self._filters or len(self._filters) < _MOST_FILTERS
            codes.append(qos if room else _REFUSED_FILTER)
            if room:
                self._filters[wanted] = qos
        self._answer(packets.SUBACK, packet.packet_id, bytes(codes))
        for message in list(self._broker.retained.values()):
            if any(packets.matches(wanted, message.topic) for wanted, _ in packet.filters):
                self.offer(message)

    def _unsubscribe(self, packet: Unsubscribe) -> None:
        for forgotten in packet.filters:
            self._filters.pop(forgotten, None)
        self._answer(packets.UNSUBACK, packet.packet_id)

    def _answer(self, kind: int, packet_id: int, rest: bytes = b"") -> None:
        self.transport.write(packets.encode(kind, packet_id.to_bytes(2, "big") + rest))

    def _expect_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._silence_s:
            self._timer = self._loop.call_later(self._silence_s, self.transport.abort)
