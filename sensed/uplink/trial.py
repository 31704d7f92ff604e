"""A broker tried with a real connection, before anything is made to depend on it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

from sensed.uplink.client import Connection, connect
from sensed.uplink.dial import Dialer
from sensed.uplink.link import Cause, Endpoint, LinkError
from sensed.uplink.payloads import Message
from sensed.uplink.settings import BrokerSettings
from sensed.uplink.tls import tls_context

_CONNECT_S: Final = 10.0
_ECHO_S: Final = 5.0
_GOODBYE_S: Final = 1.0
_LOOK_S: Final = 4.0
_PAYLOAD: Final = b"{}"


@dataclass(slots=True)
class _Echo:
    """Waits for our own message to come back, which shows that we may write and read."""

    topic: str
    came: asyncio.Event = field(default_factory=asyncio.Event)

    def delivered(self, message_id: int, *, refused: bool) -> None:
        """Nothing: an acknowledgement says little, the echo says all."""

    def received(self, topic: str, payload: bytes) -> None:
        if (topic, payload) == (self.topic, _PAYLOAD):
            self.came.set()

    def subscription_refused(self) -> None:
        """Nothing: the echo will be missing."""


async def try_broker(settings: BrokerSettings) -> None:
    """Connect, write below the device's own name and read it back, then leave.

    Nothing is left behind: no retained message, no will. Raises LinkError.
    """
    echo = _Echo(settings.topics.trial)
    connection = await _connected(settings, echo, deadline_s=_CONNECT_S)
    try:
        connection.subscribe(echo.topic)
        connection.put(Message(echo.topic, _PAYLOAD, 1, retain=False))
        connection.flush()
        await _echoed(settings, connection, echo)
        async with asyncio.timeout(_GOODBYE_S):
            await connection.close()
    except TimeoutError:
        return  # It worked; that it is slow to leave does not matter.
    finally:
        connection.drop(LinkError(Cause.LOST, _endpoint(settings)))


async def dial_broker(settings: BrokerSettings) -> None:
    """Go as far as the broker's port, encrypted if so set, and hang up. Raises LinkError."""
    try:
        async with asyncio.timeout(_CONNECT_S):
            sock = await (await _dialer(settings)).dial()
    except TimeoutError:
        raise LinkError(Cause.TIMEOUT, _endpoint(settings)) from None
    sock.close()


async def find_broker(settings: BrokerSettings) -> bool | None:
    """Return whether a broker there wants an account, ``None`` if there is no broker."""
    try:
        connection = await _connected(settings, _Echo(""), deadline_s=_LOOK_S)
    except LinkError as error:
        return True if error.cause is Cause.NOT_AUTHORISED else None
    connection.drop(LinkError(Cause.LOST, _endpoint(settings)))
    return False


async def _connected(settings: BrokerSettings, echo: _Echo, *, deadline_s: float) -> Connection:
    return await connect(settings, await _dialer(settings), None, echo, deadline_s=deadline_s)


async def _dialer(settings: BrokerSettings) -> Dialer:
    tls = await asyncio.to_thread(tls_context, settings) if settings.tls else None
    return Dialer(_endpoint(settings), tls)


async def _echoed(settings: BrokerSettings, connection: Connection, echo: _Echo) -> None:
    waiting = asyncio.create_task(echo.came.wait())
    either: set[asyncio.Future[Any]] = {waiting, connection.lost}
    try:
        await asyncio.wait(either, timeout=_ECHO_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if not echo.came.is_set():
        # Some brokers are silent about what their access list forbids, others hang up.
        raise LinkError(Cause.NOT_PERMITTED, _endpoint(settings), echo.topic)


def _endpoint(settings: BrokerSettings) -> Endpoint:
    return Endpoint(settings.host, settings.port)
