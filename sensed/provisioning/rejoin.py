"""Joins a saved Wi-Fi network again that NetworkManager leaves alone.

When one handshake fails, as it may while a router starts, NetworkManager takes the password
for wrong, and where nobody can be asked for another one it never tries that network again
(``no-secrets`` blocks a profile's autoconnect in NetworkManager's nm-policy.c). What the
person has ended or forbidden stays so.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from sensed.backoff import Backoff
from sensed.provisioning.bus_objects import BusError
from sensed.provisioning.network_watch import NetworkFacts, Reachable

_log = structlog.get_logger(__name__)

BACKOFF: Final = Backoff(60.0, 600.0)
"""NetworkManager's own tries come first: they follow each other within seconds."""


class Rejoin:
    """Tries one network after the other for as long as a Wi-Fi device is left idle."""

    def __init__(
        self, join_again: Callable[[Reachable], Awaitable[str]], *, now_s: Callable[[], float]
    ) -> None:
        """Call ``join_again``, which returns the network's name; ``now_s`` is the loop's time."""
        self._join_again = join_again
        self._now_s = now_s
        self._reachable: tuple[Reachable, ...] = ()
        self._tries = 0
        self._due_s: float | None = None
        self._changed = asyncio.Event()

    def look(self, facts: NetworkFacts) -> None:
        """Note what has become of the network."""
        if any(link.kind == "wifi" for link in facts.active_links):
            self._tries = 0
        if not facts.left_idle:
            self._due_s = None
        elif self._due_s is None:
            self._due_s = self._now_s() + BACKOFF.delay_s(self._tries)
        self._reachable = facts.left_idle
        self._changed.set()

    async def run(self) -> None:
        """Try again whenever it is due, until cancelled."""
        while True:
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._due_s):
                    await self._changed.wait()
            if self._due_s is not None and self._now_s() >= self._due_s:
                await self._try()

    async def _try(self) -> None:
        wanted = self._reachable[self._tries % len(self._reachable)]
        self._tries += 1
        self._due_s = self._now_s() + BACKOFF.delay_s(self._tries)
        try:
            ssid = await self._join_again(wanted)
        except BusError as error:
            _log.debug("bus_refused", detail=str(error))
        else:
            _log.info("wifi_tried_again", ssid=ssid)
