"""Which lists the broker has for sure, and which must go to the history. Sans-IO.

A list travels in up to three messages. It has arrived when a later acknowledgement on
the same connection proves that each has; MQTT brokers handle a connection's messages in
order, so that the acknowledgement of one vouches for those before it, QoS 0 included.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from sensed.uplink.payloads import Sample


class Passage:
    """One list on its way."""

    __slots__ = ("_parts", "failed", "sample")

    def __init__(self, sample: Sample, parts: int) -> None:
        """Expect ``parts`` messages to arrive."""
        self.sample = sample
        self.failed = False
        self._parts = parts

    def arrived(self) -> None:
        """Note that one of its messages has arrived."""
        self._parts -= 1

    def missed(self) -> None:
        """Note that one of its messages will never arrive."""
        self.failed = True

    @property
    def complete(self) -> bool:
        """Whether all of it has arrived."""
        return self._parts <= 0 and not self.failed


class Custody:
    """Passages in the order of their lists; those that fail are handed on in that order.

    A list whose fate is open holds back those behind it. Beyond ``most`` the oldest is
    handed on as if it had failed: twice is better than never.
    """

    def __init__(self, hand_on: Callable[[Sample], None], *, most: int = 1000) -> None:
        self._hand_on = hand_on
        self._most = most
        self._passages: deque[Passage] = deque()

    def __len__(self) -> int:
        """Return how many lists have an open fate."""
        return len(self._passages)

    @property
    def oldest_s(self) -> float | None:
        """When the oldest of them was received, on the monotonic clock."""
        return self._passages[0].sample.stamp.monotonic_s if self._passages else None

    def add(self, passage: Passage) -> None:
        """Look after one more."""
        self._passages.append(passage)
        if len(self._passages) > self._most:
            self._passages[0].missed()
            self.settle()

    def settle(self, *, born_before_s: float = -math.inf) -> None:
        """Let go of those at the front whose fate is known, or that are too old to wait for."""
        passages = self._passages
        while passages:
            first = passages[0]
            old = first.sample.stamp.monotonic_s < born_before_s
            if not (old or first.failed or first.complete):
                return
            passages.popleft()
            if not first.complete:
                self._hand_on(first.sample)
