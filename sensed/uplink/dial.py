"""From a host and port to a connected socket, TLS included, without blocking the loop.

Every step ends at the caller's cancellation or deadline and leaves nothing behind; only
the resolver needs a thread, which a stop need not wait for.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final

from sensed.lookup import AddressInfo, Lookup
from sensed.uplink.link import Cause, Endpoint, LinkError, classify

_UNANSWERED_LIMIT_MS: Final = 10_000
_PER_ADDRESS_S: Final = 3.0


class Dialer:
    """Dials one endpoint, over and over; at most one look-up runs at a time."""

    def __init__(self, endpoint: Endpoint, tls: ssl.SSLContext | None = None) -> None:
        """Dial ``endpoint``, encrypted if there is a context."""
        self._endpoint = endpoint
        self._tls = tls
        self._lookup = Lookup(endpoint.host, endpoint.port)

    async def dial(self) -> socket.socket:
        """Return a connected, non-blocking socket. Raises LinkError."""
        try:
            addresses = await self._resolve()
        except OSError as error:
            raise classify(error, self._endpoint) from error
        sock = await self._connect_any(addresses)
        if self._tls is None:
            return sock
        try:
            return await _encrypt(sock, self._tls, self._endpoint.host)
        except ssl.SSLError as error:
            raise classify(error, self._endpoint) from error
        except (OSError, ValueError) as error:  # closed by a port without TLS; an unfit name
            raise LinkError(Cause.TLS, self._endpoint, str(error)) from error

    async def _connect_any(self, addresses: Sequence[AddressInfo]) -> socket.socket:
        failures = [classify(socket.gaierror(socket.EAI_NONAME, "no address"), self._endpoint)]
        for family, kind, protocol, _, address in addresses:
            try:
                async with asyncio.timeout(_PER_ADDRESS_S if len(addresses) > 1 else None):
                    return await _connect(family, kind, protocol, address)
            except OSError as error:
                failures.append(classify(error, self._endpoint))
        raise max(failures, key=_how_far)

    async def _resolve(self) -> Sequence[AddressInfo]:
        return await self._lookup.addresses()


def _how_far(error: LinkError) -> int:
    """Rank what became of a name's addresses: often one kind of address leads nowhere."""
    ranks = (Cause.DNS, Cause.UNREACHABLE, Cause.TIMEOUT)
    return ranks.index(error.cause) if error.cause in ranks else len(ranks)


async def _connect(family: int, kind: int, protocol: int, address: Any) -> socket.socket:
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        # Two small messages in a row must not wait for the first one's acknowledgement.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNANSWERED_LIMIT_MS)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


async def _encrypt(sock: socket.socket, tls: ssl.SSLContext, host: str) -> ssl.SSLSocket:
    try:
        host.encode("idna")  # wrap_socket would leave the socket open where this fails
        encrypted = tls.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
    except BaseException:
        sock.close()
        raise
    loop = asyncio.get_running_loop()
    descriptor = encrypted.fileno()
    try:
        while True:
            try:
                encrypted.do_handshake()
            except ssl.SSLWantReadError:
                await _ready(descriptor, loop.add_reader, loop.remove_reader)
            except ssl.SSLWantWriteError:
                await _ready(descriptor, loop.add_writer, loop.remove_writer)
            else:
                return encrypted
    except BaseException:
        encrypted.close()
        raise


async def _ready(descriptor: int, watch: Callable[..., None], unwatch: Callable[..., Any]) -> None:
    ready = asyncio.Event()
    watch(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        unwatch(descriptor)
