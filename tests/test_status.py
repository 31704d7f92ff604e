from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensed.status import (
    PRECEDENCE,
    SETTLE_S,
    WORDS,
    Fact,
    Facts,
    Hysteresis,
    Indicator,
    indicator,
)

NAMES = [name for name, _ in PRECEDENCE]


def expected(truths: dict[str, bool | None]) -> Indicator:
    """The manual's table, told a second time as plain conditions."""
    if truths["configured"] is False:
        return Indicator.NOT_CONFIGURED
    if truths["meter"] is False:
        return Indicator.NO_METER_DATA
    if truths["address"] is False:
        return Indicator.NO_IP
    if truths["cloud"] is False:
        return Indicator.NO_CLOUD
    return Indicator.ACTIVE if all(truths.values()) else Indicator.STARTING


@pytest.mark.parametrize("values", list(itertools.product([True, False, None], repeat=len(NAMES))))
def test_every_combination_of_facts_shows_the_state_of_the_manual(
    values: tuple[bool | None, ...],
) -> None:
    truths = dict(zip(NAMES, values, strict=True))
    facts = Facts(**{name: Fact(holds=value) for name, value in truths.items()})
    assert indicator(facts) is expected(truths)


def test_every_state_has_its_own_words() -> None:
    assert set(WORDS) == set(Indicator)
    assert len(set(WORDS.values())) == len(Indicator)


def test_what_lasts_less_than_the_settling_time_is_not_shown() -> None:
    shown = Hysteresis()
    assert shown.offer(Indicator.ACTIVE, 0.0) is Indicator.ACTIVE
    assert shown.offer(Indicator.NO_CLOUD, 10.0) is Indicator.ACTIVE
    assert shown.due_s() == 10.0 + SETTLE_S
    assert shown.offer(Indicator.ACTIVE, 10.0 + 0.9 * SETTLE_S) is Indicator.ACTIVE
    assert shown.due_s() is None


def test_what_holds_for_the_settling_time_is_shown() -> None:
    shown = Hysteresis()
    shown.offer(Indicator.ACTIVE, 0.0)
    assert shown.offer(Indicator.NO_CLOUD, 10.0) is Indicator.ACTIVE
    assert shown.offer(Indicator.NO_CLOUD, 10.0 + SETTLE_S) is Indicator.NO_CLOUD


def test_leaving_the_start_needs_no_settling() -> None:
    shown = Hysteresis()
    assert shown.offer(Indicator.STARTING, 0.0) is Indicator.STARTING
    assert shown.offer(Indicator.NO_METER_DATA, 30.0) is Indicator.NO_METER_DATA


@given(st.lists(st.tuples(st.floats(0.01, 5), st.sampled_from(Indicator)), min_size=1))
def test_changes_are_never_nearer_than_the_settling_time(
    steps: list[tuple[float, Indicator]],
) -> None:
    shown = Hysteresis()
    now_s, last_change_s = 0.0, None
    before = Indicator.STARTING
    for wait_s, state in steps:
        now_s += wait_s
        after = shown.offer(state, now_s)
        if after is not before:
            if before is not Indicator.STARTING and last_change_s is not None:
                assert now_s - last_change_s >= SETTLE_S
            last_change_s = now_s
        before = after
