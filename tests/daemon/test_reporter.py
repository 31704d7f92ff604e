"""The one place that turns facts into a state and words, on a clock that jumps."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from sensed.daemon.facts import FIRST_DEADLINE_S, FactBoard, MeterWatch
from sensed.daemon.reporter import Report, Reporter, describe
from sensed.status import PRECEDENCE, SETTLE_S, WORDS, Fact, Facts, Indicator
from sensed.uplink import HistoryCounts
from sensed.watchdog import GRACE_S
from tests.leds.clock import run_on_fake_clock

LONG_S = 1000.0
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


class Told:
    """A reporter that runs, and everything it has told, with the time of it."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.board = FactBoard(self.loop.time)
        self.watch = MeterWatch(self.loop.time())
        self.states: list[tuple[float, Indicator, str]] = []
        self.reports: list[Report] = []
        self.reporter = Reporter(
            self.board,
            self.watch,
            on_state=lambda state, words: self.states.append((self.loop.time(), state, words)),
            on_report=self.reports.append,
            history=lambda: self.history,
        )
        self.history: HistoryCounts | None = None

    def well(self) -> None:
        """All is as it should be, and the meter speaks just now."""
        for name, _ in PRECEDENCE:
            if name != "meter":
                self.board.set(name, holds=True)
        self.list_comes()

    def list_comes(self) -> None:
        self.watch.list_seen(self.loop.time())
        self.board.poke()

    @property
    def last(self) -> tuple[float, Indicator, str]:
        return self.states[-1]


@contextlib.asynccontextmanager
async def reporting() -> AsyncIterator[Told]:
    told = Told()
    task = asyncio.create_task(told.reporter.run())
    await asyncio.sleep(0)
    yield told
    task.cancel()
    await asyncio.wait([task])


def test_the_state_the_topic_and_the_answer_have_the_same_words() -> None:
    async def main() -> None:
        async with reporting() as told:
            assert told.states == [(0.0, Indicator.STARTING, "starting")]
            told.well()
            await asyncio.sleep(5)
            assert told.last == (0.0, Indicator.ACTIVE, "configured and active")
            told.board.set("cloud", holds=False, cause="refused", detail="It refuses.")
            await asyncio.sleep(5)
            words = f"{WORDS[Indicator.NO_CLOUD]}: It refuses."
            assert told.last == (5.0 + SETTLE_S, Indicator.NO_CLOUD, words)
            answer = told.reporter.now()
            topic: Mapping[str, Any] = told.reports[-1].payload(told.loop.time(), NOON)
            for place in (answer, topic):
                assert (place["state"], place["words"]) == ("no_cloud", words)
                assert place["facts"]["cloud"]["cause"] == "refused"
                assert place["facts"]["cloud"]["detail"] == "It refuses."
            assert answer["age_s"] == 5.0 - SETTLE_S
            assert answer["facts"]["cloud"]["age_s"] == 5.0
            assert answer["meter"] == {"last_list_age_s": 10.0, "list_interval_s": None}

    run_on_fake_clock(main())


def test_a_meter_that_falls_silent_is_told_at_its_deadline_without_an_event() -> None:
    async def main() -> None:
        async with reporting() as told:
            told.well()
            await asyncio.sleep(LONG_S)
            at_s, state, words = told.last
            assert (at_s, state) == (FIRST_DEADLINE_S + SETTLE_S, Indicator.NO_METER_DATA)
            assert "Not one byte" in words

    run_on_fake_clock(main())


def test_another_cause_is_told_under_the_same_state_and_its_age_goes_on() -> None:
    async def main() -> None:
        async with reporting() as told:
            told.well()
            await asyncio.sleep(100)
            with structlog.testing.capture_logs() as events:
                if told.watch.octets_seen(told.loop.time()):
                    told.board.poke()
                await asyncio.sleep(0.1)
                at_s, state, words = told.last
                assert (at_s, state) == (100.0, Indicator.NO_METER_DATA)
                assert "no whole telegram" in words
                await asyncio.sleep(LONG_S)
                at_s, state, words = told.last
                assert (at_s, state) == (130.0, Indicator.NO_METER_DATA)  # the octets have ended
                assert "Not one byte" in words
            assert events == []
            assert told.reporter.now()["age_s"] == 100.1 + LONG_S - FIRST_DEADLINE_S - SETTLE_S

    run_on_fake_clock(main())


def test_what_flickers_is_not_shown_and_what_stays_is_logged_once() -> None:
    async def main() -> None:
        async with reporting() as told:
            told.well()
            await asyncio.sleep(1)
            before = list(told.states)
            with structlog.testing.capture_logs() as events:
                for _ in range(10):
                    told.board.set("cloud", holds=False, cause="lost", detail="Lost.")
                    await asyncio.sleep(SETTLE_S * 0.9)
                    told.board.set("cloud", holds=True)
                    await asyncio.sleep(SETTLE_S * 0.9)
                assert told.states == before
                told.board.set("cloud", holds=False, cause="lost", detail="Lost.")
                await asyncio.sleep(5)
                told.board.set("cloud", holds=False, cause="refused", detail="Refused.")
                await asyncio.sleep(5)
            assert [state for _, state, _ in told.states[len(before) :]] == [Indicator.NO_CLOUD] * 2
            assert [(event["event"], event["state"]) for event in events] == [
                ("state_changed", "no_cloud")
            ]

    run_on_fake_clock(main())


def test_what_waits_for_the_broker_and_what_was_lost_is_in_the_answer() -> None:
    async def main() -> None:
        async with reporting() as told:
            assert told.reporter.now()["history"] is None
            told.history = HistoryCounts(waiting=3, sent=2, dropped=1)
            assert told.reporter.now()["history"] == {"waiting": 3, "sent": 2, "dropped": 1}

    run_on_fake_clock(main())


def test_a_look_that_does_not_happen_counts_as_stuck() -> None:
    async def main() -> None:
        async with reporting() as told:
            told.well()
            await asyncio.sleep(1)
            assert not told.reporter.stuck(FIRST_DEADLINE_S + GRACE_S)
            assert told.reporter.stuck(FIRST_DEADLINE_S + GRACE_S + 0.1)
            told.board.poke()
            assert told.reporter.stuck(told.loop.time() + GRACE_S + 0.1)
            await asyncio.sleep(0)
            assert not told.reporter.stuck(told.loop.time() + GRACE_S + 0.1)

    run_on_fake_clock(main())


@pytest.mark.parametrize(("name", "state"), PRECEDENCE)
def test_a_failed_fact_s_remedy_stands_with_its_own_state_alone(
    name: str, state: Indicator
) -> None:
    facts = Facts(**{name: Fact(holds=False, detail="Do this.")})
    for shown in Indicator:
        words = WORDS[shown]
        assert describe(shown, facts) == (f"{words}: Do this." if shown is state else words)


def test_what_is_told_follows_a_clock_that_is_set_while_nothing_else_changes() -> None:
    async def main() -> None:
        async with reporting() as told:
            told.well()
            await asyncio.sleep(10)
            before = told.reports[-1]
            told.board.poke()
            await asyncio.sleep(0)
            assert told.reports[-1] == before
            wrong, right = (
                before.payload(10.0, moment)["facts"]
                for moment in (datetime(1970, 1, 1, tzinfo=UTC), NOON)
            )
            assert isinstance(wrong, dict)
            assert isinstance(right, dict)
            assert wrong["cloud"]["since"] == "1969-12-31T23:59:50Z"
            assert right["cloud"]["since"] == "2026-01-02T11:59:50Z"

    run_on_fake_clock(main())


def test_the_topic_tells_since_when_in_utc() -> None:
    facts = Facts(light=Fact(holds=False, cause="taken", since_monotonic_s=40.0))
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    payload: Any = Report(Indicator.ACTIVE, facts).payload(100.0, now)
    assert payload["facts"]["light"] == {
        "holds": False,
        "cause": "taken",
        "detail": None,
        "since": "2026-01-02T03:03:05Z",
    }
    assert payload["facts"].keys() == {
        *(name for name, _ in PRECEDENCE),
        "light",
        "bluetooth",
        "network_manager",
    }
