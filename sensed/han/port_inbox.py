"""Between the transport of the meter's port and whoever reads it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

BACKLOG_OCTETS: Final = 64 * 1024
"""Octets kept for a consumer that is late; older ones are dropped."""


class Inbox(asyncio.Protocol):
    """Between transport and consumer: bounded, oldest dropped first, one waiter.

    ``on_arrival`` gets the time of each chunk on the event loop's clock.
    """

    def __init__(self, on_arrival: Callable[[float], None]) -> None:
        self._on_arrival = on_arrival
        self._loop = asyncio.get_running_loop()
        self._chunks: deque[bytes] = deque()
        self._octets = 0
        self._arrived_s = 0.0
        self._waiter: asyncio.Future[None] | None = None
        self._over = False
        self._dropped_octets = 0

    def data_received(self, data: bytes) -> None:
        """Keep what the transport delivers."""
        self._arrived_s = self._loop.time()
        self._on_arrival(self._arrived_s)
        self._chunks.append(data)
        self._octets += len(data)
        while self._octets > BACKLOG_OCTETS:
            excess = self._octets - BACKLOG_OCTETS
            oldest = self._chunks.popleft()
            if len(oldest) > excess:
                self._chunks.appendleft(oldest[excess:])
            dropped = min(excess, len(oldest))
            self._octets -= dropped
            self._dropped_octets += dropped
        self._wake()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Note that nothing more will come."""
        self._over = True
        self._wake()

    @property
    def filled(self) -> bool:
        """Whether there is something to take."""
        return bool(self._chunks)

    @property
    def lost(self) -> bool:
        """Whether the port has gone and everything it delivered was taken."""
        return self._over and not self._chunks

    def take(self) -> tuple[bytes, float, int]:
        """Return all octets, when the last of them came, and how many before them were dropped."""
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        dropped, self._octets, self._dropped_octets = self._dropped_octets, 0, 0
        return data, self._arrived_s, dropped

    async def wait_until(self, deadline_s: float | None) -> None:
        """Return when there is something to take, at the loss of the port, or at the deadline."""
        if self._chunks or self._over:
            return
        self._waiter = self._loop.create_future()
        timer = None if deadline_s is None else self._loop.call_at(deadline_s, self._wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
