"""sd_notify(3): telling systemd how the daemon is doing.

Outside systemd (no NOTIFY_SOCKET) every call does nothing.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping


class Notifier:
    """Datagrams to the service manager, as ``environ`` names it."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # A leading "@" stands for the abstract namespace (sd_notify(3)).
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog_s = _watchdog_s(environ)

    @property
    def watchdog_s(self) -> float | None:
        """How long systemd waits for a sign of life, ``None`` if it does not."""
        return self._watchdog_s

    def ready(self) -> None:
        """Say that start-up, or a reload, is complete."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Say that the configuration is being read again; ``ready`` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def status(self, words: str) -> None:
        """Show one line in ``systemctl status``."""
        self._send("STATUS=" + words.replace("\n", " "))

    def alive(self) -> None:
        """Give the watchdog its sign of life."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the daemon is going down on purpose."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.setblocking(False)
            try:
                sock.sendto(message.encode(), self._address)
            except OSError:
                # A lost status line is no reason to stop reading the meter; systemd's own
                # time-outs judge a daemon that cannot reach it.
                return


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    """Read WATCHDOG_USEC, if it is meant for this process (sd_watchdog_enabled(3))."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdecimal() and int(microseconds) else None
