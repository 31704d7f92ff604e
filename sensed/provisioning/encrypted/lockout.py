"""Guessing made pointless: after some wrong set-up codes none is tried for a while. Sans-IO.

What is kept across restarts is the number of wrong codes alone, since a Pi has no clock
that runs while it is off: a restart makes the present lock begin anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

TRIES: Final = 5
FIRST_S: Final = 60.0
LONGEST_S: Final = 3600.0
MOST_WRONG: Final = 1000
"""Enough to reach the longest lock; more need not be told apart."""


class Lockout:
    """Counts wrong codes in a row. Times are monotonic seconds."""

    def __init__(self, wrong: int, now_s: float, *, keep: Callable[[int], None]) -> None:
        """Begin after ``wrong`` wrong codes; ``keep`` is to write down every new count."""
        self._wrong = min(max(wrong, 0), MOST_WRONG)
        self._keep = keep
        self._until_s = now_s + lock_s(self._wrong)

    @property
    def tries_left(self) -> int:
        """How many wrong codes there may be before the next lock."""
        return max(TRIES - self._wrong, 1)

    def locked_s(self, now_s: float) -> float:
        """Return for how much longer no code is tried, 0 if one may be."""
        return max(self._until_s - now_s, 0.0)

    def wrong_code(self, now_s: float) -> float:
        """Note a wrong code; return for how long none is tried now, 0 if one may be."""
        self._wrong = min(self._wrong + 1, MOST_WRONG)
        self._keep(self._wrong)
        self._until_s = now_s + lock_s(self._wrong)
        return self.locked_s(now_s)

    def right_code(self) -> None:
        """Note that somebody has proved to know the code."""
        if self._wrong:
            self._wrong = 0
            self._keep(0)
        self._until_s = 0.0


def lock_s(wrong: int) -> float:
    """Return how long the lock after so many wrong codes is, in seconds."""
    if wrong < TRIES:
        return 0.0
    # 2.0 ** 16 is beyond the cap.
    return min(FIRST_S * 2.0 ** min(wrong - TRIES, 16), LONGEST_S)
