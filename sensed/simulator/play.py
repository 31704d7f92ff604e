"""Delivery of telegrams at the speed of their line: to a pty, a tty, TCP clients or a file.

``play`` paces; a :class:`Sink` delivers. A sink that nobody reads loses octets, as a
meter does; it never holds up the meter.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import termios
import tty
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

from sensed.errors import PortError

_SLICE_S = 0.01
_CLIENT_BACKLOG_OCTETS = 64 * 1024
_TTY_WRITE_DEADLINE_S = 5.0


class Timed(Protocol):
    """Octets and when the first of them is due, in seconds from the start."""

    @property
    def at_s(self) -> float:
        """When."""

    @property
    def wire(self) -> bytes:
        """What."""


_Sent = TypeVar("_Sent", bound=Timed)


class Sink(Protocol):
    """Where octets go."""

    async def write(self, data: bytes) -> None:
        """Deliver or lose ``data``; PortError when the sink is gone for good."""

    async def close(self) -> None:
        """Leave nothing behind."""


async def play(
    telegrams: Iterable[_Sent],
    sink: Sink,
    *,
    octets_per_s: float,
    speed: float = 1.0,
    on_sent: Callable[[_Sent], None] | None = None,
) -> int:
    """Write telegrams to ``sink`` at their times and line speed; return how many were sent.

    ``speed`` multiplies simulated time and line alike; infinite means without pacing.
    """
    pace = _Pace(speed)
    octets_per_slice = max(1, int(octets_per_s * speed * _SLICE_S)) if pace.real else 0
    sent = 0
    for telegram in telegrams:
        step = octets_per_slice or len(telegram.wire)
        for start in range(0, len(telegram.wire), step):
            part = telegram.wire[start : start + step]
            await pace.until(telegram.at_s + (start + len(part)) / octets_per_s)
            await sink.write(part)
        sent += 1
        if on_sent is not None:
            on_sent(telegram)
    return sent


class _Pace:
    """Absolute deadlines on the loop's clock, so that delays do not add up."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._began_s = asyncio.get_running_loop().time()
        self.real = math.isfinite(speed)

    async def until(self, at_s: float) -> None:
        if not self.real:
            await asyncio.sleep(0)
            return
        due_s = self._began_s + at_s / self._speed
        await asyncio.sleep(max(0.0, due_s - asyncio.get_running_loop().time()))


class PtySink:
    """A pseudo terminal whose slave is the meter's port; it can be pulled and given back."""

    def __init__(self, link: Path | None = None) -> None:
        if link is not None and link.exists() and not link.is_symlink():
            raise PortError(f"{link} exists and is no symbolic link; name another path.")
        self._link = link
        self._master: int | None = None
        self._slave: int | None = None
        self.path = ""
        self.plug_in()

    @property
    def device(self) -> str:
        """The path to give to a reader: the stable link where there is one."""
        return str(self._link) if self._link else self.path

    def plug_in(self) -> None:
        """Make a new pty and point the link at it."""
        if self._master is not None:
            return
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        if self._link is not None:
            fresh = self._link.with_name(f".{self._link.name}.{os.getpid()}")
            try:
                fresh.symlink_to(self.path)
                fresh.replace(self._link)
            except OSError as error:
                self._release()
                raise PortError(f"Cannot make the link {self._link}: {error.strerror}.") from error

    def unplug(self) -> None:
        """Take the pty away under its reader, link included; writing loses octets."""
        if self._link is not None and self._link.is_symlink():
            with contextlib.suppress(OSError):
                if str(self._link.readlink()) == self.path:
                    self._link.unlink()
        self._release()

    async def write(self, data: bytes) -> None:
        """Write what fits; the rest is lost, as on a line nobody listens to."""
        if self._master is not None:
            with contextlib.suppress(BlockingIOError):
                os.write(self._master, data)

    async def close(self) -> None:
        """Close the pty and remove the link."""
        self.unplug()

    def _release(self) -> None:
        for descriptor in (self._slave, self._master):
            if descriptor is not None:
                os.close(descriptor)
        self._master = self._slave = None


class TtySink:
    """An existing terminal device, set raw to the meter's line."""

    def __init__(self, path: str, serial: str) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            raise PortError(f"Cannot open {path}: {error.strerror}.") from error
        try:
            _set_line(self._descriptor, serial)
        except termios.error as error:
            os.close(self._descriptor)
            raise PortError(f"{path} is not a terminal device.") from error
        self._path = path

    async def write(self, data: bytes) -> None:
        """Write all of ``data``, waiting for room; PortError when there is none in time."""
        loop = asyncio.get_running_loop()
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:
                room = asyncio.Event()
                loop.add_writer(self._descriptor, room.set)
                try:
                    await asyncio.wait_for(room.wait(), _TTY_WRITE_DEADLINE_S)
                except TimeoutError as error:
                    raise PortError(f"{self._path} takes no more data.") from error
                finally:
                    loop.remove_writer(self._descriptor)
            except OSError as error:
                raise PortError(f"{self._path} is gone: {error.strerror}.") from error

    async def close(self) -> None:
        """Drop what is not yet out and close."""
        with contextlib.suppress(termios.error):
            termios.tcflush(self._descriptor, termios.TCOFLUSH)
        os.close(self._descriptor)


class TcpSink:
    """A listening TCP port; every client gets the same octets, a stuck one loses some."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.StreamWriter] = set()

    @classmethod
    async def listen(cls, host: str, port: int) -> TcpSink:
        """Return a sink bound to ``host`` and ``port`` (0: any free one)."""
        sink = cls()
        try:
            sink._server = await asyncio.start_server(sink._serve, host, port)
        except OSError as error:
            reason = error.strerror or str(error)
            raise PortError(f"Cannot listen on {host}:{port}: {reason}.") from error
        return sink

    @property
    def url(self) -> str:
        """The address to give to a reader."""
        if self._server is None:
            return ""
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"socket://[{host}]:{port}" if ":" in host else f"socket://{host}:{port}"

    @property
    def clients(self) -> int:
        """How many readers are connected."""
        return len(self._clients)

    async def write(self, data: bytes) -> None:
        """Give ``data`` to every client that keeps up."""
        for writer in self._clients:
            if writer.transport.get_write_buffer_size() < _CLIENT_BACKLOG_OCTETS:
                writer.write(data)

    async def close(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
        for writer in tuple(self._clients):
            writer.transport.abort()
        if self._server is not None:
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        try:
            while await reader.read(1024):
                pass
        except OSError:
            pass
        finally:
            self._clients.discard(writer)
            writer.close()


class FileSink:
    """A binary file such as standard output, for captures."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    async def write(self, data: bytes) -> None:
        """Write and flush; BrokenPipeError when the reader has left."""
        self._stream.write(data)
        self._stream.flush()

    async def close(self) -> None:
        """Leave the stream to its owner."""


def _set_line(descriptor: int, serial: str) -> None:
    """Set raw mode, speed and parity; a pty accepts them without effect."""
    tty.setraw(descriptor)
    baud, character = serial.split()
    iflag, oflag, cflag, lflag, _, _, special = termios.tcgetattr(descriptor)
    cflag &= ~(termios.CSIZE | termios.PARENB | termios.PARODD | termios.CSTOPB)
    cflag |= termios.CS8 | termios.CLOCAL | termios.CREAD
    if character[1] == "E":
        cflag |= termios.PARENB
    rate = getattr(termios, f"B{baud}")
    attributes = [iflag, oflag, cflag, lflag, rate, rate, special]
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
