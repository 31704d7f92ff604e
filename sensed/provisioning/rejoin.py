"""Gets a saved Wi-Fi network back where NetworkManager is in no hurry to.

When one handshake fails, as it may while a router starts, NetworkManager takes the password
for wrong, and where nobody can be asked for another one it never tries that network again
(``no-secrets`` blocks a profile's autoconnect in NetworkManager's nm-policy.c). And the longer
a network is out of reach, the less often it looks for it, every two minutes in the end
(SCAN_INTERVAL_SEC_MAX in its nm-device-wifi.c). What the person has ended or forbidden stays so.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, Protocol, TypeVar

import structlog

from sensed.backoff import Backoff
from sensed.provisioning.bus_objects import BusError
from sensed.provisioning.network_watch import NetworkFacts, Reachable

_log = structlog.get_logger(__name__)

JOINING: Final = Backoff(20.0, 600.0)
"""NetworkManager's own try comes first: it knows a network for in reach until a scan has ended,
some five seconds, and joining what has gone costs longer than waiting for that."""

GIVEN_UP: Final = Backoff(1.0, 1.0)
"""Where NetworkManager will not try by itself there is nothing to wait for: one failed handshake
says little of a password that was right before. A second one does: then it is JOINING's turn."""

SEEKING: Final = Backoff(30.0, 30.0)
"""NetworkManager's first scans come sooner; later a router that is back is found within this."""


class Joiner(Protocol):
    """What asks NetworkManager for it. Both raise BusError."""

    async def join_again(self, device: str, profile: str) -> str:
        """Begin to join a saved network; return its name."""

    async def look_around(self, device: str) -> None:
        """Begin to scan."""


class Rejoin:
    """Joins what is left alone and looks for what is out of reach, for as long as it is."""

    def __init__(self, joiner: Joiner, *, now_s: Callable[[], float]) -> None:
        """Ask ``joiner`` for it; ``now_s`` is the loop's time."""
        self._joiner = joiner
        self._joining = _Repeated(self._join, JOINING, now_s)
        self._seeking = _Repeated(joiner.look_around, SEEKING, now_s)

    def look(self, facts: NetworkFacts) -> None:
        """Note what has become of the network."""
        joined = any(link.kind == "wifi" for link in facts.active_links)
        self._joining.look(
            facts.left_idle, anew=joined, sooner=GIVEN_UP if facts.given_up else None
        )
        self._seeking.look(() if facts.addresses else facts.seeking, anew=joined)

    async def run(self) -> None:
        """Try again whenever it is due, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._joining.run())
            group.create_task(self._seeking.run())

    async def _join(self, wanted: Reachable) -> None:
        ssid = await self._joiner.join_again(wanted.device, wanted.profile)
        _log.info("wifi_tried_again", ssid=ssid)


_T = TypeVar("_T")


class _Repeated(Generic[_T]):
    """Does something to one after the other, with back-off, for as long as there is any."""

    def __init__(
        self, act: Callable[[_T], Awaitable[None]], backoff: Backoff, now_s: Callable[[], float]
    ) -> None:
        self._act = act
        self._backoff = backoff
        self._now_s = now_s
        self._wanted: Sequence[_T] = ()
        self._tries = 0
        self._due_s: float | None = None
        self._changed = asyncio.Event()

    def look(self, wanted: Sequence[_T], *, anew: bool, sooner: Backoff | None = None) -> None:
        """Note what is wanted now, and whether to count from the beginning.

        The first try waits for ``sooner`` at most, where there is one.
        """
        if anew:
            self._tries = 0
        if not wanted:
            self._due_s = None
        elif self._due_s is None:
            self._due_s = self._now_s() + self._backoff.delay_s(self._tries)
        if self._due_s is not None and sooner is not None and not self._tries:
            self._due_s = min(self._due_s, self._now_s() + sooner.delay_s(0))
        self._wanted = wanted
        self._changed.set()

    async def run(self) -> None:
        while True:
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._due_s):
                    await self._changed.wait()
            if self._due_s is not None and self._now_s() >= self._due_s:
                await self._try()

    async def _try(self) -> None:
        wanted = self._wanted[self._tries % len(self._wanted)]
        self._tries += 1
        self._due_s = self._now_s() + self._backoff.delay_s(self._tries)
        try:
            await self._act(wanted)
        except BusError as error:
            _log.debug("bus_refused", detail=str(error))
