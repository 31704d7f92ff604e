"""Hears from udev that a serial device has come, so that nobody has to look for it often.

udev(7) sends what the kernel tells it on to a multicast group of its own, once its rules have
named the device and given it its owner; netlink(7), NETLINK_KOBJECT_UEVENT.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Final

_NETLINK_KOBJECT_UEVENT: Final = 15
_GROUP_OF_UDEV: Final = 2
_LONGEST_OCTETS: Final = 8192
_MOST_AT_ONCE: Final = 64
_SERIAL_DEVICE_ADDED: Final = (b"SUBSYSTEM=tty\0", b"ACTION=add\0")


async def pause_unless_announced(seconds: float) -> None:
    """Return after ``seconds``, or as soon as a serial device is announced.

    Where there is no udev to be heard, the pause just passes.
    """
    with contextlib.ExitStack() as listening:
        announced = asyncio.Event()
        with contextlib.suppress(OSError):
            _listen(listening, announced)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await announced.wait()


def _listen(listening: contextlib.ExitStack, announced: asyncio.Event) -> None:
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK
    heard = listening.enter_context(socket.socket(socket.AF_NETLINK, kind, _NETLINK_KOBJECT_UEVENT))
    heard.bind((0, _GROUP_OF_UDEV))
    loop = asyncio.get_running_loop()
    loop.add_reader(heard.fileno(), _receive, heard, announced)
    listening.callback(loop.remove_reader, heard.fileno())


def _receive(heard: socket.socket, announced: asyncio.Event) -> None:
    try:
        for _ in range(_MOST_AT_ONCE):
            message = heard.recv(_LONGEST_OCTETS)
            if all(words in message for words in _SERIAL_DEVICE_ADDED):
                announced.set()
    except BlockingIOError:
        pass
    except OSError:
        # ENOBUFS: something was not heard, and it may have been that.
        announced.set()
