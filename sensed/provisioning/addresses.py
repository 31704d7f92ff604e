"""The kernel's own view of the network: which usable addresses the Pi has.

rtnetlink(7) says that something changed; what there is now is then read whole,
so a missed message costs nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import socket
from collections.abc import Callable
from typing import Final

from sensed.watchdog import GRACE_S

# Multicast groups of rtnetlink(7).
_RTMGRP_LINK: Final = 0x1
_RTMGRP_IPV4_IFADDR: Final = 0x10
_RTMGRP_IPV6_IFADDR: Final = 0x100

_SETTLE_S: Final = 0.2
"""Changes come in bursts (an address, its route, its IPv6 twin): read once after them."""

_DRAIN_OCTETS: Final = 65536


class AddressWatch:
    """Calls ``on_change`` with the usable addresses, at start and at every change.

    Usable means neither loopback nor link-local, on any link, wired or not.
    ``loopback_counts`` is for a broker that is part of the same process.
    """

    def __init__(
        self, on_change: Callable[[tuple[str, ...]], None], *, loopback_counts: bool = False
    ) -> None:
        self._on_change = on_change
        self._loopback_counts = loopback_counts
        self._due_s = math.inf

    def stuck(self, now_s: float) -> bool:
        """Tell whether a change has not been looked at for long."""
        return now_s - self._due_s > GRACE_S

    async def run(self) -> None:
        """Watch until cancelled."""
        changed = asyncio.Event()
        loop = asyncio.get_running_loop()
        with socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
        ) as sock:
            sock.bind((0, _RTMGRP_LINK | _RTMGRP_IPV4_IFADDR | _RTMGRP_IPV6_IFADDR))
            loop.add_reader(sock.fileno(), self._drain, sock, changed)
            try:
                known: tuple[str, ...] | None = None
                while True:
                    addresses = usable_addresses(loopback_counts=self._loopback_counts)
                    if addresses != known:
                        known = addresses
                        self._on_change(addresses)
                    self._due_s = math.inf
                    await changed.wait()
                    self._due_s = loop.time() + _SETTLE_S
                    await asyncio.sleep(_SETTLE_S)
                    changed.clear()
            finally:
                loop.remove_reader(sock.fileno())

    @staticmethod
    def _drain(sock: socket.socket, changed: asyncio.Event) -> None:
        try:
            while sock.recv(_DRAIN_OCTETS):
                pass
        except BlockingIOError:
            pass
        except OSError:
            # ENOBUFS: messages were dropped; the whole is read again anyway.
            pass
        changed.set()


def is_usable(text: str, *, loopback_counts: bool = False) -> bool:
    """Return whether others can reach an address: neither link-local nor, usually, loopback."""
    address = ipaddress.ip_address(text)
    if address.is_loopback:
        return loopback_counts
    return not (address.is_link_local or address.is_unspecified)


def usable_addresses(*, loopback_counts: bool = False) -> tuple[str, ...]:
    """Return the usable addresses that are there now."""
    import ifaddr  # runs ldconfig to find the C library

    texts = {
        entry.ip if isinstance(entry.ip, str) else entry.ip[0]
        for adapter in ifaddr.get_adapters()
        for entry in adapter.ips
    }
    return tuple(sorted(t for t in texts if is_usable(t, loopback_counts=loopback_counts)))
