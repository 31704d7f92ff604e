"""The meter's port: an asyncio shell that opens it, reads it and always gets it back.

The device is a path, best a stable one below ``/dev/serial/by-id``, or
``socket://host:port`` of a network serial server. Unplugging, a busy device or a refused
connection are events, not exceptions; the port is reopened for as long as it is asked
for events.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import math
import os
import socket
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sensed.backoff import Backoff
from sensed.errors import PortError
from sensed.han.port_address import tcp_address
from sensed.han.port_announced import pause_unless_announced
from sensed.han.port_inbox import Inbox
from sensed.han.port_settings import CANDIDATES, SerialSettings, SettingsProbe
from sensed.lookup import AddressInfo, Lookup
from sensed.watchdog import GRACE_S

BURST_PAUSE_S: Final = 0.5
"""A pause within which a meter never stops inside a frame."""

SILENCE_DEADLINE_S: Final = 30.0
"""Silence that is worth telling."""

_BACKOFF: Final = Backoff(0.2, 2.0)
_CONNECT_DEADLINE_S: Final = 5.0
_KEEPALIVE: Final = (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))


class PortCause(StrEnum):
    """Why the port is not there; the value is a sentence for people."""

    NO_DEVICE = "there is no such device; plug in the adapter"
    PERMISSION = "permission denied; add the user to the group dialout"
    BUSY = "another program has the port open"
    NOT_A_TTY = "this is not a serial device"
    SETTINGS = "the adapter cannot do these serial settings"
    UNPLUGGED = "the adapter was unplugged or failed"
    UNREACHABLE = "the serial server does not answer or refuses"
    CLOSED = "the serial server closed the connection"


@dataclass(frozen=True, slots=True)
class PortOpened:
    """The port is open; ``settings`` is None for a network port."""

    device: str
    settings: SerialSettings | None


@dataclass(frozen=True, slots=True)
class SettingsTried:
    """The search for serial settings goes on with ``settings``."""

    device: str
    settings: SerialSettings | None


@dataclass(frozen=True, slots=True)
class PortLost:
    """The port could not be opened or has gone; told once for each new cause."""

    device: str
    cause: PortCause

    def __str__(self) -> str:
        """Return one sentence with the remedy."""
        return f"{self.device}: {self.cause}."


@dataclass(frozen=True, slots=True)
class BytesReceived:
    """Octets from the meter, and when the last of them arrived (event loop's clock).

    ``dropped_octets`` had come before them and were thrown away, the consumer being late.
    """

    data: bytes
    received_monotonic_s: float
    dropped_octets: int = 0


@dataclass(frozen=True, slots=True)
class Silence:
    """No octet for :data:`BURST_PAUSE_S` after some came, or the port was lost just then.

    A frame in progress is dead.
    """


@dataclass(frozen=True, slots=True)
class MeterSilent:
    """No octet for the silence deadline although the port is open; told once per silence."""

    silent_s: float


PortEvent = PortOpened | SettingsTried | PortLost | BytesReceived | Silence | MeterSilent


class MeterPort:
    """The meter's port as an endless stream of events.

    ``settings`` fixes the serial settings; None searches for them, ``known`` (what worked
    before) first. ``locate`` turns ``device`` into the path to open, anew at each opening.
    ConfigError for a device that is neither a path nor ``socket://host:port``.
    """

    def __init__(
        self,
        device: str,
        *,
        settings: SerialSettings | None = None,
        known: SerialSettings | None = None,
        locate: Callable[[str], str] = str,
        silence_deadline_s: float = SILENCE_DEADLINE_S,
    ) -> None:
        self.device = device
        self._locate = locate
        self._due_s = math.inf
        address = tcp_address(device)
        self._lookup = Lookup(*address) if address else None
        candidates = CANDIDATES if settings is None else (settings,)
        self._probe = SettingsProbe(
            known=known if settings is None else None, candidates=candidates
        )
        self._silence_deadline_s = silence_deadline_s

    @property
    def proven_settings(self) -> SerialSettings | None:
        """The settings with which frames were good, to be kept and given as ``known``."""
        return None if self._lookup else self._probe.proven

    def frame_good(self) -> None:
        """Tell the port that a frame had a good check sequence, which ends the search."""
        self._probe.frame_good()

    def stuck(self, now_s: float) -> bool:
        """Tell whether a step has been due, or octets have waited to be taken, for long."""
        return now_s - self._due_s > GRACE_S

    async def events(self) -> AsyncGenerator[PortEvent, None]:
        """Yield events without end; cancelling or closing the iterator closes the port at once.

        Leave an iteration early only inside ``contextlib.aclosing``.
        """
        failures = 0
        told: PortCause | None = None
        hearing: _Hearing | None = None
        while True:
            inbox = Inbox(self._octets_wait)
            self._expect_within(_CONNECT_DEADLINE_S)
            try:
                close = await self._open(inbox)
            except _OpenFailedError as failure:
                hearing = None
                if failure.cause is not told:
                    told = failure.cause
                    yield PortLost(self.device, told)
                await self._pause(_BACKOFF.delay_s(failures))
                failures += 1
                continue
            told = None
            opened = PortOpened if hearing is None else SettingsTried
            hearing = hearing or _Hearing(self._silence_deadline_s)
            try:
                yield opened(self.device, None if self._lookup else self._probe.current)
                self._probe.opened(hearing.now_s())
                while (event := await self._next(inbox, hearing)) is not None:
                    if isinstance(event, BytesReceived):
                        failures = 0
                    yield event
            finally:
                close()
            if inbox.lost:
                hearing = None
                self._probe.lost()
                told = PortCause.CLOSED if self._lookup else PortCause.UNPLUGGED
                yield PortLost(self.device, told)
                await self._pause(_BACKOFF.delay_s(failures))
                failures += 1

    def _expect_within(self, seconds: float) -> None:
        self._due_s = asyncio.get_running_loop().time() + seconds

    def _octets_wait(self, arrived_s: float) -> None:
        self._due_s = min(self._due_s, arrived_s)

    async def _pause(self, seconds: float) -> None:
        self._expect_within(seconds)
        await (asyncio.sleep(seconds) if self._lookup else pause_unless_announced(seconds))

    async def _next(self, inbox: Inbox, hearing: _Hearing) -> PortEvent | None:
        """Return the next event of an open port, None when it is lost or to be set anew."""
        while not inbox.lost and not self._moved(hearing):
            deadlines = [hearing.deadline_s(), None if self._lookup else self._probe.deadline_s()]
            wake_s = min((d for d in deadlines if d is not None), default=None)
            self._due_s = math.inf if wake_s is None else wake_s
            await inbox.wait_until(wake_s)
            if inbox.filled:
                data, heard_s, dropped = inbox.take()
                hearing.heard(heard_s)
                self._probe.received(len(data), heard_s)
                return BytesReceived(data, heard_s, dropped)
            silence = hearing.silence()
            if silence is not None:
                self._probe.burst_ended()
                return silence
        return hearing.cut_short() if inbox.lost else None

    def _moved(self, hearing: _Hearing) -> bool:
        return not self._lookup and self._probe.move(hearing.now_s())

    async def _open(self, inbox: Inbox) -> Callable[[], None]:
        """Open the port into ``inbox``; return what closes it."""
        if self._lookup:
            return await _open_tcp(self._lookup, inbox)
        from sensed.han.port_serial import close_serial, open_serial

        try:
            path = self._locate(self.device)
            transport = await open_serial(path, self._probe.current, inbox)
        except OSError as error:
            cause = _CAUSES.get(error.errno or 0, PortCause.UNPLUGGED)
            if cause is PortCause.SETTINGS:
                self._probe.refused()
            raise _OpenFailedError(cause) from error
        return lambda: close_serial(transport)


_CAUSES: Final = {
    errno.ENOENT: PortCause.NO_DEVICE,
    errno.ENODEV: PortCause.NO_DEVICE,
    errno.ENXIO: PortCause.NO_DEVICE,
    errno.EACCES: PortCause.PERMISSION,
    errno.EPERM: PortCause.PERMISSION,
    errno.EBUSY: PortCause.BUSY,
    errno.EWOULDBLOCK: PortCause.BUSY,
    errno.ENOTTY: PortCause.NOT_A_TTY,
    errno.EISDIR: PortCause.NOT_A_TTY,
    errno.EINVAL: PortCause.SETTINGS,
}


async def try_port(device: str) -> PortCause | None:
    """Return why a port cannot be opened, ``None`` if it can; nothing is read or set.

    For a path or ``socket://host:port``; ConfigError for anything else.
    """
    address = tcp_address(device)
    if address:
        try:
            close = await _open_tcp(Lookup(*address), Inbox(lambda _arrived_s: None))
        except _OpenFailedError as failure:
            return failure.cause
        close()
        return None
    from sensed.han.port_serial import look_at_serial

    try:
        look_at_serial(device)
    except OSError as error:
        return _CAUSES.get(error.errno or 0, PortCause.UNPLUGGED)
    return None


class _OpenFailedError(PortError):
    """One attempt to open has failed."""

    def __init__(self, cause: PortCause) -> None:
        super().__init__(str(cause))
        self.cause = cause


class _Hearing:
    """When the meter was last heard, and what its silence means by now."""

    def __init__(self, silence_deadline_s: float) -> None:
        self.now_s = asyncio.get_running_loop().time
        self._silence_deadline_s = silence_deadline_s
        self._heard_s = self.now_s()
        self._in_burst = False
        self._told_silent = False

    def heard(self, at_s: float) -> None:
        self._heard_s = at_s
        self._in_burst = True
        self._told_silent = False

    def deadline_s(self) -> float | None:
        """Return when silence will mean something next, None when all is told."""
        if self._in_burst:
            return self._heard_s + BURST_PAUSE_S
        return None if self._told_silent else self._heard_s + self._silence_deadline_s

    def silence(self) -> Silence | MeterSilent | None:
        """Return what silence means now, once each."""
        silent_s = self.now_s() - self._heard_s
        if self._in_burst:
            if silent_s < BURST_PAUSE_S:
                return None
            self._in_burst = False
            return Silence()
        if self._told_silent or silent_s < self._silence_deadline_s:
            return None
        self._told_silent = True
        return MeterSilent(self._silence_deadline_s)

    def cut_short(self) -> Silence | None:
        """Return the silence of a port that is lost in the middle of octets, once."""
        if not self._in_burst:
            return None
        self._in_burst = False
        return Silence()


async def _open_tcp(lookup: Lookup, inbox: Inbox) -> Callable[[], None]:
    try:
        async with asyncio.timeout(_CONNECT_DEADLINE_S):
            connection = await _connect(await lookup.addresses())
    except OSError as error:  # TimeoutError is one
        raise _OpenFailedError(PortCause.UNREACHABLE) from error
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(lambda: inbox, sock=connection)
    with contextlib.suppress(OSError):
        # A serial server that loses power says nothing; only probes find out.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return transport.abort


async def _connect(addresses: Sequence[AddressInfo]) -> socket.socket:
    """Return a socket connected to the first address that answers. Raises OSError."""
    failure = OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    for family, kind, protocol, _, address in addresses:
        connection = socket.socket(family, kind, protocol)
        try:
            connection.setblocking(False)
            # A name often has an address that leads nowhere: the next one must have its turn.
            async with asyncio.timeout(_CONNECT_DEADLINE_S / len(addresses)):
                await asyncio.get_running_loop().sock_connect(connection, address)
        except OSError as error:
            connection.close()
            failure = error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise failure
