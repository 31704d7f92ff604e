"""Turns facts into the one state that the light, systemd, the journal and the broker are told."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

import structlog

from sensed.daemon.facts import FactBoard, MeterWatch
from sensed.status import PRECEDENCE, WORDS, Fact, Facts, Hysteresis, Indicator, indicator
from sensed.uplink import HistoryCounts
from sensed.watchdog import GRACE_S

_log = structlog.get_logger(__name__)


class Reporter:
    """One part of the daemon: looks at the facts when they change or the meter is overdue.

    ``on_state`` gets the state and a line of words at each change, ``on_report`` what the
    ``state`` topic tells whenever a fact behind it may have changed. ``history`` tells
    what waits for the broker.
    """

    def __init__(
        self,
        board: FactBoard,
        watch: MeterWatch,
        *,
        on_state: Callable[[Indicator, str], None],
        on_report: Callable[[Report], None],
        history: Callable[[], HistoryCounts | None] = lambda: None,
    ) -> None:
        self._board = board
        self._watch = watch
        self._on_state = on_state
        self._on_report = on_report
        self._history = history
        self._told: tuple[Indicator, str] | None = None
        self._state_since_s = asyncio.get_running_loop().time()
        self._hysteresis = Hysteresis()
        self._due_s = math.inf

    def now(self) -> Mapping[str, Any]:
        """Return the state, each fact, and their ages."""
        now_s = asyncio.get_running_loop().time()
        last_list_s = self._watch.last_list_s
        state = self._told[0] if self._told else Indicator.STARTING
        history = self._history()
        return {
            "state": state.value,
            "words": self._told[1] if self._told else WORDS[state],
            "age_s": round(now_s - self._state_since_s, 1),
            "facts": {
                name: {
                    "holds": fact.holds,
                    "cause": fact.cause or None,
                    "detail": fact.detail or None,
                    "age_s": round(now_s - fact.since_monotonic_s, 1),
                }
                for name, fact in _each(self._board.facts).items()
            },
            "meter": {
                "last_list_age_s": None if last_list_s is None else round(now_s - last_list_s, 1),
                "list_interval_s": self._watch.interval_s,
            },
            "history": None if history is None else asdict(history),
        }

    def stuck(self, now_s: float) -> bool:
        """Tell whether a fact has changed, or the meter become overdue, long ago."""
        due_s = self._board.changed_s if self._board.changed.is_set() else self._due_s
        return now_s - due_s > GRACE_S

    async def run(self) -> None:
        """Report until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._report(loop.time())
            self._due_s = self._next_look_s(loop.time())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(None if math.isinf(self._due_s) else self._due_s):
                    await self._board.changed.wait()

    def _next_look_s(self, now_s: float) -> float:
        settled_s = self._hysteresis.due_s()
        return min(self._watch.next_look_s(now_s), math.inf if settled_s is None else settled_s)

    def _report(self, now_s: float) -> None:
        holds, cause, detail = self._watch.verdict(now_s)
        self._board.set("meter", holds=holds, cause=cause, detail=detail)
        self._board.changed.clear()
        facts = self._board.facts
        state = self._hysteresis.offer(indicator(facts), now_s)
        words = describe(state, facts)
        if (state, words) != self._told:
            if self._told is None or self._told[0] is not state:
                self._state_since_s = now_s
                _log.info("state_changed", state=state.value, words=words)
            self._told = (state, words)
            self._on_state(state, words)
        self._on_report(Report(state, facts))


def describe(state: Indicator, facts: Facts) -> str:
    """Return one line for a person: the state, and the reason where there is one."""
    for name, failed_state in PRECEDENCE:
        fact: Fact = getattr(facts, name)
        if failed_state is state and fact.holds is False and fact.detail:
            return f"{WORDS[state]}: {fact.detail}"
    return WORDS[state]


@dataclass(frozen=True, slots=True)
class Report:
    """What the ``state`` topic tells. Without the time of day, which may yet be set."""

    state: Indicator
    facts: Facts

    def payload(self, now_s: float, now_utc: datetime) -> Mapping[str, object]:
        """Return the payload: since when each fact is so is counted back from now."""

        def told(fact: Fact) -> dict[str, object]:
            since = now_utc - timedelta(seconds=now_s - fact.since_monotonic_s)
            return {
                "holds": fact.holds,
                "cause": fact.cause or None,
                "detail": fact.detail or None,
                "since": since.isoformat(timespec="seconds").replace("+00:00", "Z"),
            }

        return {
            "state": self.state.value,
            "words": describe(self.state, self.facts),
            "facts": {name: told(fact) for name, fact in _each(self.facts).items()},
        }


def _each(facts: Facts) -> dict[str, Fact]:
    return {item.name: getattr(facts, item.name) for item in fields(facts)}
