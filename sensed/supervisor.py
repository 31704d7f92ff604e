"""Supervision: each part of the daemon runs until it is cancelled.

A part that ends or raises is a bug in it: that is logged loudly, with its
traceback, and the part is started again with back-off and jitter.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from sensed.errors import BugError

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waiting times between tries: doubling, capped, with jitter.

    ``delay_s(n)`` is drawn from [d/2, d] where d = ``first_s`` · 2ⁿ capped at ``longest_s``.
    """

    first_s: float = 1.0
    longest_s: float = 60.0

    def delay_s(self, failures: int, *, draw: Callable[[], float] = random.random) -> float:
        """Return how long to wait after ``failures`` failures in a row (0 is the first)."""
        # 2.0 ** 64 is beyond any cap: no overflow however long a failure lasts.
        ceiling = min(self.longest_s, self.first_s * 2.0 ** min(failures, 64))
        return ceiling * (0.5 + draw() / 2)


_STEADY_AFTER_S: Final = 60.0
"""A part that ran this long starts again with the shortest back-off."""


async def supervise(
    name: str,
    part: Callable[[], Awaitable[None]],
    *,
    backoff: Backoff | None = None,
    resting: set[str] | None = None,
) -> None:
    """Run ``part`` for ever; only cancellation ends it.

    While it waits to be started again, its name stands in ``resting``.
    """
    resting = set() if resting is None else resting
    backoff = backoff or Backoff()
    loop = asyncio.get_running_loop()
    failures = 0
    while True:
        started = loop.time()
        try:
            await part()
            raise BugError(f"{name} ended by itself")
        except Exception:
            if loop.time() - started >= _STEADY_AFTER_S:
                failures = 0
            delay_s = backoff.delay_s(failures)
            failures += 1
            _log.exception("part_crashed", part=name, restart_in_s=round(delay_s, 1))
        resting.add(name)
        try:
            await asyncio.sleep(delay_s)
        finally:
            resting.discard(name)
