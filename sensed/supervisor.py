"""Supervision: each part of the daemon runs until it is cancelled.

A part that ends or raises is a bug in it: that is logged loudly, with its
traceback, and the part is started again with back-off and jitter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from sensed.backoff import Backoff
from sensed.errors import BugError

_log = structlog.get_logger(__name__)

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
