"""One MQTT connection (3.1.1 or 5), over aiomqtt; nothing else imports that library.

aiomqtt connects in the loop's shared thread pool, where name look-up has no deadline, a
cancelled attempt lives on and delays the process's end; and a client whose attempt
failed cannot be used again. Here a socket that is connected already is handed in, so
nothing blocks or outlives its attempt, and each connection has a client of its own.
"""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import time
from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from sensed.errors import WireError
from sensed.uplink.dial import Dialer
from sensed.uplink.link import Cause, Endpoint, LinkError
from sensed.uplink.payloads import Message
from sensed.uplink.settings import BrokerSettings
from sensed.vendored import library

if TYPE_CHECKING:
    import aiomqtt
else:
    aiomqtt = library("aiomqtt", lowest=(2, 5), below=(3,))

# MQTT 5 reason codes, to which paho translates CONNACK's return codes 4 and 5.
_FAILURES_FROM: Final = 128
_UNSUPPORTED_VERSION: Final = 132
_REFUSALS: Final = {
    _UNSUPPORTED_VERSION: Cause.VERSION,
    133: Cause.IDENTIFIER,
    134: Cause.NOT_AUTHORISED,  # wrong user name or password
    135: Cause.NOT_AUTHORISED,
    136: Cause.UNAVAILABLE,
    137: Cause.UNAVAILABLE,  # busy
    138: Cause.UNAVAILABLE,  # banned
    151: Cause.UNAVAILABLE,  # over quota
    156: Cause.UNAVAILABLE,  # use another server
    157: Cause.UNAVAILABLE,  # moved
    159: Cause.UNAVAILABLE,  # too many connections in a while
}
_UNSPECIFIED: Final = 128
_FAREWELLS: Final = {141: Cause.NO_ACKNOWLEDGEMENT, 142: Cause.TAKEN_OVER}
"""DISCONNECT's reason codes, the first of them also paho's own."""
_PROTOCOLS: Final = {"3.1.1": aiomqtt.ProtocolVersion.V311, "5": aiomqtt.ProtocolVersion.V5}
_A_LITTLE_S: Final = 0.01
_MOST_UNACKNOWLEDGED: Final = 1000  # bounded by our own queues; paho must not hold back

_LONGEST_PACKET: Final = 256 * 1024
"""What is subscribed to is a tenth of it; paho would take a thousand times as much."""

_LOGGER: Final = logging.getLogger("sensed.uplink.mqtt")
_LOGGER.setLevel(logging.CRITICAL)  # every failure is told once, by its cause


class Hearer(Protocol):
    """Who is told, from the loop, what happens on a connection."""

    def delivered(self, message_id: int, *, refused: bool) -> None:
        """Note that a message was acknowledged (QoS 1) or written to the socket (QoS 0)."""

    def received(self, topic: str, payload: bytes) -> None:
        """Take a message on a topic subscribed to."""

    def subscription_refused(self) -> None:
        """Note that the broker does not grant a subscription."""


async def connect(
    settings: BrokerSettings,
    dialer: Dialer,
    will: Message | None,
    hearer: Hearer,
    *,
    deadline_s: float,
) -> Connection:
    """Return a connection that the broker has accepted. Raises LinkError."""
    endpoint = Endpoint(settings.host, settings.port)
    try:
        async with asyncio.timeout(deadline_s):
            sock = await dialer.dial()
            connection = Connection(sock, settings, will, hearer)
            await connection.accepted()
    except TimeoutError:
        raise LinkError(Cause.TIMEOUT, endpoint) from None
    return connection


class _TooLongError(WireError):
    """The broker sends a message that no topic of ours has."""


class Connection:
    """A connection over ``sock``; ``lost`` tells when and why it has ended."""

    def __init__(
        self, sock: socket.socket, settings: BrokerSettings, will: Message | None, hearer: Hearer
    ) -> None:
        """Own ``sock`` from now on."""
        self._endpoint = Endpoint(settings.host, settings.port)
        self._identifier = settings.identifier
        self._encrypted = settings.tls
        self._session = _Session(sock, settings, will, hearer)
        self._session.when_ended(self._ended)
        self.lost: asyncio.Future[LinkError] = asyncio.get_running_loop().create_future()

    async def accepted(self) -> None:
        """Wait for the broker's CONNACK; raises LinkError and closes unless it is positive."""
        try:
            await self._session.handshake()
        except aiomqtt.MqttCodeError as error:
            self._session.abort()
            raise self._refusal(error) from error
        except (aiomqtt.MqttError, OSError, ValueError) as error:
            self._session.abort()
            if self._encrypted:  # in TLS 1.3 a client learns late that it is not trusted
                detail = f"{error}; does the broker want a client certificate?"
                raise LinkError(Cause.TLS, self._endpoint, detail) from error
            raise LinkError(Cause.PROTOCOL, self._endpoint, str(error)) from error
        except BaseException:
            self._session.abort()
            raise

    @property
    def most_unacknowledged(self) -> int:
        """How many messages of QoS 1 the broker takes before it has acknowledged one."""
        return self._session.receive_maximum

    def put(self, message: Message) -> int:
        """Queue ``message`` and return its id; ``flush`` writes what is queued."""
        return self._session.put(message)

    def subscribe(self, topic: str) -> None:
        """Queue a subscription with QoS 1; ``flush`` writes what is queued."""
        self._session.subscribe_to(topic)

    def unsubscribe(self, topic: str) -> None:
        """Queue the end of a subscription; ``flush`` writes what is queued."""
        self._session.unsubscribe_from(topic)

    def flush(self) -> None:
        """Write as much to the socket as it takes, at once."""
        self._session.flush()

    async def close(self) -> None:
        """Disconnect so that the broker forgets the will; cancelled, just drop the socket."""
        try:
            await self._session.disconnect()
        finally:
            self.drop(LinkError(Cause.LOST, self._endpoint))

    def drop(self, why: LinkError) -> None:
        """End the connection without a word, so that the broker publishes the will."""
        if not self.lost.done():
            self.lost.set_result(why)
        self._session.abort()

    def _ended(self, error: BaseException | None) -> None:
        if isinstance(error, _TooLongError):
            self.drop(LinkError(Cause.PROTOCOL, self._endpoint, str(error)))
            return
        reason = getattr(error, "rc", None)
        code = getattr(reason, "value", _UNSPECIFIED)
        cause = _FAREWELLS.get(code, Cause.LOST)
        said = cause is Cause.LOST and code > _UNSPECIFIED
        self.drop(LinkError(cause, self._endpoint, str(reason) if said else ""))

    def _refusal(self, error: aiomqtt.MqttCodeError) -> LinkError:
        code: Any = getattr(error.rc, "value", error.rc)
        cause = _REFUSALS.get(code, Cause.PROTOCOL)
        detail = {
            Cause.IDENTIFIER: self._identifier,
            Cause.UNAVAILABLE: str(error.rc),
            Cause.PROTOCOL: str(error.rc),
        }
        return LinkError(cause, self._endpoint, detail.get(cause, ""))


class _Session(aiomqtt.Client):
    """aiomqtt's client without its connecting: that library's insides end in this class."""

    def __init__(
        self, sock: socket.socket, settings: BrokerSettings, will: Message | None, hearer: Hearer
    ) -> None:
        super().__init__(
            settings.host,
            settings.port,
            username=settings.username,
            password=settings.password.reveal() if settings.password else None,
            identifier=settings.identifier,
            protocol=_PROTOCOLS[settings.protocol],
            will=aiomqtt.Will(will.topic, will.payload, will.qos, will.retain) if will else None,
            keepalive=settings.keepalive_s,
            max_queued_incoming_messages=1,
            max_inflight_messages=_MOST_UNACKNOWLEDGED,
            properties=_connect_properties() if settings.protocol == "5" else None,
            logger=_LOGGER,
        )
        self._client.disable_logger()  # paho would write a line for every packet
        self._sock = sock
        self._put_since_flush = 0
        self._flush_soon: asyncio.Handle
        self._waits_for_room = False
        self._hearer = hearer
        self._may_expire = settings.protocol == "5"
        self.receive_maximum = _MOST_UNACKNOWLEDGED
        # paho offers no other door for a socket that is connected already.
        vars(self._client)["_create_socket"] = lambda: sock
        self._answer: Callable[[], Any] = self._client._handle_connack  # noqa: SLF001 - see there
        vars(self._client)["_handle_connack"] = self._answered
        self._receive: Callable[[int], bytes] = self._client._sock_recv  # noqa: SLF001 - see there
        vars(self._client)["_sock_recv"] = self._received

    async def handshake(self) -> None:
        """Send CONNECT and wait for CONNACK."""
        self._client_connect()
        await asyncio.wait(
            {self._connected, self._disconnected}, return_when=asyncio.FIRST_COMPLETED
        )
        if self._connected.done():
            self._connected.result()
        else:
            self._disconnected.result()

    def when_ended(self, callback: Callable[[BaseException | None], None]) -> None:
        """Call back with the error, or ``None`` after a disconnect of our own."""
        self._disconnected.add_done_callback(lambda ended: callback(ended.exception()))

    def put(self, message: Message) -> int:
        """Queue a PUBLISH."""
        properties = None
        if self._may_expire and message.expiry_s is not None:
            properties = _properties(message.expiry_s)
        info = self._client.publish(
            message.topic, message.payload, message.qos, message.retain, properties
        )
        self._put_since_flush += 1
        return info.mid

    def subscribe_to(self, topic: str) -> None:
        """Queue a SUBSCRIBE."""
        self._client.subscribe(topic, qos=1)

    def unsubscribe_from(self, topic: str) -> None:
        """Queue an UNSUBSCRIBE."""
        self._client.unsubscribe(topic)

    def flush(self) -> None:
        """Write what is queued now rather than when the loop next finds the socket writable."""
        if not self._client.want_write():
            return
        several, self._put_since_flush = self._put_since_flush > 1, 0
        if several and self._sock.fileno() >= 0:
            # One segment, and one wake-up of the broker, for all of them.
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            self._client.loop_write()
            if self._sock.fileno() >= 0:
                self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
        else:
            self._client.loop_write()
        if self._client.want_write() and self._sock.fileno() >= 0:
            self._loop.add_writer(self._sock.fileno(), self.flush)
            self._waits_for_room = True

    async def disconnect(self) -> None:
        """Send DISCONNECT and wait until it is written."""
        self._client.disconnect()
        self.flush()
        await asyncio.wait([self._disconnected])

    def abort(self) -> None:
        """Close the socket and everything that watches it."""
        self._client._sock_close()  # noqa: SLF001 - closing it from outside leaves the watchers

    async def _misc_loop(self) -> None:
        """Keep alive; aiomqtt looks once a second whether there is anything to do."""
        client: Any = self._client  # paho tells nobody when its next ping is due
        while client.loop_misc() == 0:
            # The last of these is the name that paho 2.1 has for it.
            names = ("_last_msg_out", "_last_bytes_received", "_last_msg_in")
            heard_s = min(getattr(client, name) for name in names if hasattr(client, name))
            asked_s = client._ping_t or math.inf  # noqa: SLF001
            due_s = min(heard_s, asked_s) + client.keepalive
            await asyncio.sleep(max(due_s - time.monotonic(), _A_LITTLE_S))

    def _on_connect(
        self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any = None
    ) -> None:
        granted = getattr(properties, "ReceiveMaximum", _MOST_UNACKNOWLEDGED)
        self.receive_maximum = min(granted, _MOST_UNACKNOWLEDGED)
        super()._on_connect(client, userdata, flags, reason, properties)

    def _answered(self) -> Any:
        """Take CONNACK; paho keeps it to itself when MQTT 3.1.1 is what the broker refuses."""
        packet = bytes(self._client._in_packet["packet"])  # noqa: SLF001 - nothing else tells
        refused = not self._may_expire and packet[1:2] == b"\x01"
        if refused and not self._connected.done():
            self._connected.set_exception(aiomqtt.MqttCodeError(_UNSUPPORTED_VERSION))
        return self._answer()

    def _received(self, octets: int) -> bytes:
        """Read up to so many octets; the rest of a packet is asked for at once."""
        if octets > _LONGEST_PACKET:
            raise _TooLongError(f"a message of more than {_LONGEST_PACKET} octets comes")
        return self._receive(octets)

    # Below, nothing is told at once: paho holds a lock that sending something would want.

    def _on_publish(
        self, _client: Any, _userdata: Any, mid: int, reason: Any = None, *_: Any
    ) -> None:
        refused = getattr(reason, "value", 0) >= _FAILURES_FROM
        self._loop.call_soon(partial(self._hearer.delivered, mid, refused=refused))

    def _on_message(self, _client: Any, _userdata: Any, message: Any) -> None:
        self._loop.call_soon(self._hearer.received, message.topic, bytes(message.payload))

    def _on_subscribe(self, _client: Any, _userdata: Any, _mid: int, reasons: Any, *_: Any) -> None:
        if any(reason.value >= _FAILURES_FROM for reason in reasons):
            self._loop.call_soon(self._hearer.subscription_refused)

    def _on_unsubscribe(self, *_: Any) -> None:
        """Nobody waits for it: what still comes on the topic is passed over."""

    def _on_disconnect(self, *arguments: Any) -> None:
        if not self._connected.done():
            self._connected.set_exception(aiomqtt.MqttError("closed without an answer"))
        super()._on_disconnect(*arguments)

    def _on_socket_register_write(self, _client: Any, _userdata: Any, _sock: Any) -> None:
        # Nearly always flush() comes first: the socket is watched only for what it has no room for.
        self._flush_soon = self._loop.call_soon(self.flush)

    def _on_socket_unregister_write(self, _client: Any, _userdata: Any, sock: Any) -> None:
        self._flush_soon.cancel()
        if self._waits_for_room:
            self._waits_for_room = False
            self._loop.remove_writer(sock.fileno())


def _connect_properties() -> Any:
    make: Any = Properties  # paho has no types for these
    properties = make(PacketTypes.CONNECT)
    properties.MaximumPacketSize = _LONGEST_PACKET
    return properties


@lru_cache(maxsize=32)
def _properties(expiry_s: int) -> Any:
    make: Any = Properties  # paho has no types for these
    properties = make(PacketTypes.PUBLISH)
    properties.MessageExpiryInterval = expiry_s
    return properties
