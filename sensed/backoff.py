"""How long to wait before trying again: one rule for ports, brokers, buses and parts."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


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
