"""A call at a time, of which there is at most one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls ``ring`` from the loop when the time set last has come."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._handle: asyncio.TimerHandle | None = None
        self._at_s: float | None = None

    @property
    def pending(self) -> bool:
        """Whether it is still to ring."""
        return self._handle is not None

    def set(self, at_s: float | None) -> None:
        """Ring at ``at_s`` on the loop's clock, ``None``: not at all."""
        if at_s == self._at_s:
            return
        self.cancel()
        if at_s is not None:
            self._at_s = at_s
            self._handle = asyncio.get_running_loop().call_at(at_s, self._rung)

    def cancel(self) -> None:
        """Do not ring."""
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._at_s = None

    def _rung(self) -> None:
        self._handle = self._at_s = None
        self._ring()
