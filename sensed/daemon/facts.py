"""The facts behind the indicator, with the time each last changed."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Final

from sensed.status import Fact, Facts

FIRST_DEADLINE_S: Final = 30.0
"""How long a meter may be silent before its own cadence is known: three 10 s lists."""

_INTERVALS_PER_DEADLINE: Final = 3
_SHORTEST_DEADLINE_S: Final = 6.0
_LONGEST_DEADLINE_S: Final = 90.0
_OCTETS_COUNT_S: Final = 30.0
_FINDING_COUNTS_S: Final = 90.0
"""How long octets, and whole telegrams without a reading, explain that no list comes."""
_GAPS_TO_KNOW: Final = 4
_GAPS_KEPT: Final = 8

NO_OCTETS: Final = "no_octets"
NO_FRAMES: Final = "no_frames"

_DETAILS: Final = {
    NO_OCTETS: (
        "Not one byte comes from the adapter: check the cable, "
        "and ask the grid company whether the HAN port is open."
    ),
    NO_FRAMES: (
        "Bytes come, but no whole telegram: the line format may be another (meter.serial), "
        "the cable may pick up noise, or the adapter may be wired or made for reversed polarity."
    ),
}


class FactBoard:
    """Holds the facts; ``changed`` is set, at ``changed_s``, when there is reason to look again."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        unknown = Fact(since_monotonic_s=now_s())
        self.facts = Facts(**{item.name: unknown for item in fields(Facts)})
        self.changed = asyncio.Event()
        self.changed_s = 0.0
        self._now_s = now_s

    def poke(self) -> None:
        """Ask for a look although no fact held here has changed."""
        if not self.changed.is_set():
            self.changed_s = self._now_s()
            self.changed.set()

    def set(self, name: str, *, holds: bool | None, cause: str = "", detail: str = "") -> None:
        """Record what is so now; ``since`` moves only when the value does."""
        before: Fact = getattr(self.facts, name)
        since_s = before.since_monotonic_s if before.holds == holds else self._now_s()
        after = Fact(holds=holds, cause=cause, detail=detail, since_monotonic_s=since_s)
        if after != before:
            self.facts = replace(self.facts, **{name: after})
            self.poke()


class MeterWatch:
    """Judges whether the meter is heard, and if not, why. Sans-IO: time comes in.

    The deadline is 30 s until the meter's cadence is known, then three intervals
    (the upper median of the last gaps between valid lists). What was seen of octets and frames
    explains a silence for a while, and no longer.
    """

    def __init__(self, now_s: float) -> None:
        self.restart(now_s)

    def restart(self, now_s: float) -> None:
        """Forget everything, as for another meter; the first deadline runs from ``now_s``."""
        self._reference_s = now_s
        self._last_list_s: float | None = None
        self._gaps_s: deque[float] = deque(maxlen=_GAPS_KEPT)
        self._lost: tuple[str, str] | None = None
        self._octets_until_s = -math.inf
        self._findings: dict[str, tuple[str, float]] = {}

    @property
    def last_list_s(self) -> float | None:
        """When the last valid list came, on the monotonic clock."""
        return self._last_list_s

    @property
    def interval_s(self) -> float | None:
        """The meter's usual interval between lists, once known."""
        gaps_s = sorted(self._gaps_s)
        return gaps_s[len(gaps_s) // 2] if len(gaps_s) >= _GAPS_TO_KNOW else None

    def port_opened(self) -> None:
        """Note that the adapter is there; after a loss only a valid list makes the fact hold."""
        if self._lost is not None:
            self._lost = None
            self._last_list_s = None
            self._reference_s = -math.inf

    def port_lost(self, cause: str, detail: str) -> None:
        """Note that there is no adapter: no list can come, whatever the deadline."""
        self._lost = (cause, detail)
        self._last_list_s = None
        self._forget_evidence()

    def octets_seen(self, now_s: float) -> bool:
        """Note that the port delivers something; true when that is news for the verdict."""
        news = now_s >= self._octets_until_s
        self._octets_until_s = now_s + _OCTETS_COUNT_S
        return news and now_s >= self.deadline_s()

    def finding(self, cause: str, detail: str, now_s: float) -> bool:
        """Note why a frame gives no reading; true when that is news for the verdict."""
        before = self._fresh_finding(now_s)
        self._findings[cause] = (detail, now_s + _FINDING_COUNTS_S)
        return before != self._fresh_finding(now_s) and now_s >= self.deadline_s()

    def list_seen(self, now_s: float) -> None:
        """Note a valid list."""
        if self._last_list_s is not None:
            gap_s = now_s - self._last_list_s
            if gap_s <= _LONGEST_DEADLINE_S:
                self._gaps_s.append(gap_s)
        self._last_list_s = now_s
        self._lost = None
        self._forget_evidence()

    def deadline_s(self) -> float:
        """Return when, on the monotonic clock, silence becomes a failure."""
        heard_s = self._last_list_s if self._last_list_s is not None else self._reference_s
        return heard_s + self._allowed_s

    def next_look_s(self, now_s: float) -> float:
        """Return when the verdict may be another although nothing happens; ``inf``: never."""
        if self._lost is not None:
            return math.inf
        ends_s = [self.deadline_s(), self._octets_until_s]
        ends_s += [until_s for _, until_s in self._findings.values()]
        return min((at_s for at_s in ends_s if at_s > now_s), default=math.inf)

    def verdict(self, now_s: float) -> tuple[bool | None, str, str]:
        """Return (holds, cause, detail); ``None`` while the first deadline runs."""
        if self._lost is not None:
            return (False, *self._lost)
        if now_s < self.deadline_s():
            return (True if self._last_list_s is not None else None, "", "")
        finding = self._fresh_finding(now_s)
        if finding is not None:
            return (False, *finding)
        cause = NO_FRAMES if now_s < self._octets_until_s else NO_OCTETS
        return (False, cause, _DETAILS[cause])

    @property
    def _allowed_s(self) -> float:
        interval_s = self.interval_s
        if interval_s is None:
            return FIRST_DEADLINE_S
        allowed_s = max(_INTERVALS_PER_DEADLINE * interval_s, _SHORTEST_DEADLINE_S)
        return min(allowed_s, _LONGEST_DEADLINE_S)

    def _forget_evidence(self) -> None:
        self._octets_until_s = -math.inf
        self._findings.clear()

    def _fresh_finding(self, now_s: float) -> tuple[str, str] | None:
        """Return the finding that stands longest, so that two that alternate do not flicker."""
        for cause, (detail, until_s) in list(self._findings.items()):
            if now_s < until_s:
                return cause, detail
            del self._findings[cause]
        return None
