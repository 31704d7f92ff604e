"""The tty beneath the meter's port: pyserial-asyncio, raw, exclusive, with one kind of failure.

Imported only when a serial device is opened.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import stat
import termios
from pathlib import Path
from typing import Final

import serial
import serial_asyncio

from sensed.han.port_settings import SerialSettings

_PTY_SLAVE_MAJORS: Final = range(136, 144)
_INPUT_PROCESSING: Final = (
    termios.IGNBRK
    | termios.BRKINT
    | termios.PARMRK
    | termios.INPCK
    | termios.ISTRIP
    | termios.INLCR
    | termios.IGNCR
    | termios.ICRNL
    | termios.IXON
    | termios.IXOFF
    | termios.IXANY
)


class MeterSerial(serial.Serial):
    """A serial port whose every read failure is a SerialException and whose close is instant.

    pyserial-asyncio passes on only SerialException; any other error would reach the
    loop's exception handler and leave the transport registered on a dead descriptor.
    """

    def read(self, size: int = 1, /) -> bytes:
        """Return what is there, up to ``size`` octets; SerialException when the tty is gone."""
        try:
            data = os.read(self.fileno(), size)
        except BlockingIOError:
            return b""
        except (OSError, ValueError, TypeError) as error:
            number = getattr(error, "errno", None) or errno.EIO
            raise serial.SerialException(number, os.strerror(number)) from error
        if not data:
            raise serial.SerialException(errno.EIO, os.strerror(errno.EIO))
        return data

    def flush(self) -> None:
        """Wait for nothing: a reader has written nothing, and draining a dead tty may hang."""


async def open_serial(
    path: str, settings: SerialSettings, protocol: asyncio.Protocol
) -> asyncio.Transport:
    """Open ``path`` raw and exclusively and feed ``protocol``; OSError with its errno.

    EINVAL means that the device cannot do these settings.
    """
    transport: asyncio.Transport
    transport, _ = await serial_asyncio.connection_for_serial(
        asyncio.get_running_loop(), lambda: protocol, _opened(path, settings)
    )
    return transport


def look_at_serial(path: str) -> None:
    """Open ``path`` as a terminal and close it, settings untouched; OSError with its errno.

    EBUSY means that a program keeps others out.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        termios.tcgetattr(descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), path) from None
    except termios.error:
        raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY), path) from None
    finally:
        os.close(descriptor)


def close_serial(transport: asyncio.Transport) -> None:
    """Close the tty at once rather than in a later turn of the loop."""
    port = transport.get_extra_info("serial")
    if port is None:
        return
    if not transport.is_closing():
        transport.abort()
    port.close()


def _opened(path: str, settings: SerialSettings) -> MeterSerial:
    port: MeterSerial | None = None
    try:
        # A pty has no parity, and Debian's tcsetattr calls that an invalid argument.
        is_pty = _is_pty(Path(path).stat())
        port = MeterSerial(
            path,
            baudrate=settings.baud,
            bytesize=serial.EIGHTBITS if is_pty else settings.bytesize,
            parity=serial.PARITY_NONE if is_pty else settings.parity,
            stopbits=settings.stopbits,
            exclusive=True,
        )
        _claim(port.fileno())
    except (OSError, termios.error) as error:
        if port is not None:
            port.close()
        number = _errno_of(error)
        raise OSError(number, os.strerror(number), path) from error
    return port


def _claim(descriptor: int) -> None:
    """Switch off what pyserial leaves of line processing; keep other programs out."""
    attributes = termios.tcgetattr(descriptor)
    attributes[0] &= ~_INPUT_PROCESSING
    attributes[6][termios.VMIN] = 1
    attributes[6][termios.VTIME] = 0
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
    if not _is_pty(os.fstat(descriptor)):
        # On a pty the lock would outlive us for as long as the other side stays open.
        fcntl.ioctl(descriptor, termios.TIOCEXCL)


def _is_pty(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) and os.major(status.st_rdev) in _PTY_SLAVE_MAJORS


def _errno_of(error: BaseException | None) -> int:
    """Return the errno of an error or of what caused it, EIO if none tells."""
    while error is not None:
        number = error.errno if isinstance(error, OSError) else error.args[0] if error.args else 0
        if isinstance(number, int) and number > 0:
            return number
        error = error.__cause__ or error.__context__
    return errno.EIO
