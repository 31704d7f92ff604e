"""One MQTT 3.1.1 connection, over aiomqtt; nothing else imports that library.

aiomqtt connects in the loop's shared thread pool, where name look-up has no deadline, a
cancelled attempt lives on and delays the process's end; and a client whose attempt
failed cannot be used again. Here a socket that is connected already is handed in, so
nothing blocks or outlives its attempt, and each connection has a client of its own.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, Final

import aiomqtt

from sensed.uplink.dial import Dialer
from sensed.uplink.link import Cause, Endpoint, LinkError
from sensed.uplink.payloads import Message
from sensed.uplink.settings import BrokerSettings

# MQTT 5 reason codes, to which paho translates CONNACK's return codes 4 and 5.
_BAD_CREDENTIALS: Final = 134
_NOT_AUTHORISED: Final = 135
_KEEPALIVE_TIMEOUT: Final = 141

_LOGGER: Final = logging.getLogger("sensed.uplink.mqtt")
_LOGGER.setLevel(logging.CRITICAL)  # every failure is told once, by its cause


async def connect(
    settings: BrokerSettings,
    dialer: Dialer,
    will: Message,
    *,
    deadline_s: float,
    on_delivered: Callable[[int], None],
) -> Connection:
    """Return a connection that the broker has accepted. Raises LinkError.

    ``on_delivered`` is called from the loop with the id of each message that was
    acknowledged (QoS 1) or written to the socket (QoS 0).
    """
    endpoint = Endpoint(settings.host, settings.port)
    try:
        async with asyncio.timeout(deadline_s):
            sock = await dialer.dial()
            connection = Connection(sock, settings, will, on_delivered)
            await connection.accepted()
    except TimeoutError:
        raise LinkError(Cause.TIMEOUT, endpoint) from None
    return connection


class Connection:
    """A connection over ``sock``; ``lost`` tells when and why it has ended."""

    def __init__(
        self,
        sock: socket.socket,
        settings: BrokerSettings,
        will: Message,
        on_delivered: Callable[[int], None],
    ) -> None:
        """Own ``sock`` from now on."""
        self._endpoint = Endpoint(settings.host, settings.port)
        self._session = _Session(sock, settings, will, on_delivered)
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
            raise LinkError(Cause.PROTOCOL, self._endpoint, str(error)) from error
        except BaseException:
            self._session.abort()
            raise

    def put(self, message: Message) -> int:
        """Queue ``message`` and return its id; ``flush`` writes what is queued."""
        return self._session.put(message)

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
        code = getattr(getattr(error, "rc", None), "value", None)
        silent = code == _KEEPALIVE_TIMEOUT
        self.drop(LinkError(Cause.NO_ACKNOWLEDGEMENT if silent else Cause.LOST, self._endpoint))

    def _refusal(self, error: aiomqtt.MqttCodeError) -> LinkError:
        code = getattr(error.rc, "value", error.rc)
        if code in (_BAD_CREDENTIALS, _NOT_AUTHORISED):
            return LinkError(Cause.NOT_AUTHORISED, self._endpoint)
        return LinkError(Cause.PROTOCOL, self._endpoint, str(error.rc))


class _Session(aiomqtt.Client):
    """aiomqtt's client without its connecting: that library's insides end in this class."""

    def __init__(
        self,
        sock: socket.socket,
        settings: BrokerSettings,
        will: Message,
        on_delivered: Callable[[int], None],
    ) -> None:
        super().__init__(
            settings.host,
            settings.port,
            username=settings.username,
            password=settings.password.reveal() if settings.password else None,
            identifier=settings.identifier,
            protocol=aiomqtt.ProtocolVersion.V311,
            will=aiomqtt.Will(will.topic, will.payload, will.qos, will.retain),
            keepalive=settings.keepalive_s,
            max_queued_incoming_messages=1,
            logger=_LOGGER,
        )
        self._on_delivered = on_delivered
        # paho offers no other door for a socket that is connected already.
        vars(self._client)["_create_socket"] = lambda: sock

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
        info = self._client.publish(message.topic, message.payload, message.qos, message.retain)
        return info.mid

    def flush(self) -> None:
        """Write what is queued now rather than when the loop next finds the socket writable."""
        self._client.loop_write()

    async def disconnect(self) -> None:
        """Send DISCONNECT and wait until it is written."""
        self._client.disconnect()
        self.flush()
        await asyncio.wait([self._disconnected])

    def abort(self) -> None:
        """Close the socket and everything that watches it."""
        self._client._sock_close()  # noqa: SLF001 - closing it from outside leaves the watchers

    def _on_publish(self, _client: Any, _userdata: Any, mid: int, *_: Any) -> None:
        # Not at once: paho holds a lock meanwhile that sending something would want.
        self._loop.call_soon(self._on_delivered, mid)

    def _on_disconnect(self, *arguments: Any) -> None:
        if not self._connected.done():
            self._connected.set_exception(aiomqtt.MqttError("closed without an answer"))
        super()._on_disconnect(*arguments)

    def _on_socket_register_write(self, _client: Any, _userdata: Any, sock: Any) -> None:
        # Not "soon" as in aiomqtt: flush() may have unregistered it by then, for good.
        self._loop.add_writer(sock.fileno(), self.flush)
