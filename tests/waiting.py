"""Waits for what tests cannot be called back about."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], *, within_s: float = 5.0) -> None:
    """Return once ``condition`` holds; fail when it does not within the time."""
    pause_s = 0.002
    for _ in range(int(within_s / pause_s)):
        if condition():
            return
        await asyncio.sleep(pause_s)
    raise AssertionError("what the test waits for did not come")
