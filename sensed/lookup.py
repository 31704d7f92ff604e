"""A host's addresses, asked for without blocking the loop or holding up the process's end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Sequence
from typing import Any

AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]
"""As ``socket.getaddrinfo`` returns it."""


class Lookup:
    """Looks up one host and port, over and over; at most one look-up runs at a time.

    The resolver needs a thread, which may hang for long. It is a daemon's: a stop does not
    wait for it, as it would for a thread of the loop's own.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._running: asyncio.Future[Sequence[AddressInfo]] | None = None

    async def addresses(self) -> Sequence[AddressInfo]:
        """Return where to connect to, best first. Raises OSError."""
        with contextlib.suppress(socket.gaierror):
            return getaddrinfo(self._host, self._port, socket.AI_NUMERICHOST)
        if self._running is None or self._running.done():
            self._running = self._in_daemon_thread()
        return await asyncio.shield(self._running)

    def _in_daemon_thread(self) -> asyncio.Future[Sequence[AddressInfo]]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Sequence[AddressInfo]] = loop.create_future()
        # Its outcome may come after every attempt that waited for it has given up.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())

        def settle(result: Sequence[AddressInfo] | None, error: OSError | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result or [])

        def run() -> None:
            result, failure = None, None
            try:
                result = getaddrinfo(self._host, self._port, 0)
            except OSError as error:
                failure = error
            with contextlib.suppress(RuntimeError):  # the loop has closed meanwhile
                loop.call_soon_threadsafe(settle, result, failure)

        threading.Thread(target=run, name="sensed-dns", daemon=True).start()
        return future


def getaddrinfo(host: str, port: int, flags: int) -> Sequence[AddressInfo]:
    """Return the addresses of streams to ``host``. Blocks; raises socket.gaierror."""
    # Of text, Python makes octets by a codec that it loads megabytes of tables for.
    name = host.encode() if host.isascii() else host
    try:
        return socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=flags)
    except UnicodeError as error:  # a label that no host name can have
        raise socket.gaierror(socket.EAI_NONAME, str(error)) from error
