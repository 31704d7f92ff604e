from __future__ import annotations

import math
from itertools import pairwise

import pytest

from sensed.leds.patterns import (
    BLUE,
    GREEN,
    MAGENTA,
    OFF,
    PATTERNS,
    RED,
    WHITE,
    YELLOW,
    Colour,
    Pattern,
    Signal,
)
from sensed.status import Indicator


def flash_starts(pattern: Pattern, *, until_s: float) -> list[float]:
    starts: list[float] = []
    at_s, shown = 0.0, OFF
    while at_s < until_s:
        for colour, seconds in pattern:
            if colour != OFF and shown == OFF:
                starts.append(at_s)
            shown = colour
            at_s += seconds
    return [start for start in starts if start < until_s]


def period_s(pattern: Pattern) -> float:
    return sum(step.seconds for step in pattern)


@pytest.mark.parametrize(
    ("state", "colour", "flashes"),
    [
        (Indicator.NOT_CONFIGURED, YELLOW, 1),
        (Indicator.NO_METER_DATA, RED, 2),
        (Indicator.NO_IP, MAGENTA, 3),
        (Indicator.NO_CLOUD, BLUE, 4),
    ],
)
def test_each_fault_has_its_colour_and_its_count(
    state: Indicator, colour: Colour, flashes: int
) -> None:
    pattern = PATTERNS[state]
    assert {step.colour for step in pattern} == {colour, OFF}
    assert len(flash_starts(pattern, until_s=period_s(pattern))) == flashes


def test_not_configured_flashes_once_every_two_seconds() -> None:
    assert flash_starts(PATTERNS[Indicator.NOT_CONFIGURED], until_s=8) == [0, 2, 4, 6]


@pytest.mark.parametrize(
    ("state", "colour"), [(Indicator.ACTIVE, GREEN), (Indicator.STARTING, WHITE)]
)
def test_steady_states_never_change(state: Indicator, colour: Colour) -> None:
    assert PATTERNS[state] == ((colour, math.inf),)


def test_identify_is_the_only_white_that_blinks() -> None:
    assert {step.colour for step in PATTERNS[Signal.IDENTIFY]} == {WHITE, OFF}


def test_every_state_has_a_pattern_and_no_two_share_colour_or_rhythm() -> None:
    assert set(PATTERNS) == {*Indicator, *Signal}
    colours = [tuple({step.colour for step in PATTERNS[state]} - {OFF}) for state in Indicator]
    assert len(set(colours)) == len(colours)
    rhythms = [
        tuple((step.colour == OFF, step.seconds) for step in pattern)
        for state, pattern in PATTERNS.items()
        if state != Indicator.STARTING  # steady as active is, and told apart by what follows it
    ]
    assert len(set(rhythms)) == len(rhythms)


@pytest.mark.parametrize("state", list(PATTERNS))
def test_no_more_than_three_flashes_in_any_second(state: str) -> None:
    pattern = PATTERNS[state]
    if math.isinf(period_s(pattern)):
        return
    starts = flash_starts(pattern, until_s=3 * period_s(pattern))
    assert all(later - earlier >= 1 for earlier, later in zip(starts, starts[3:], strict=False))
    assert all(later - earlier >= 1 / 3 for earlier, later in pairwise(starts))


@pytest.mark.parametrize("state", list(Indicator))
def test_the_pause_is_longer_than_the_gap_between_flashes(state: Indicator) -> None:
    *before, last = PATTERNS[state]
    dark = [step.seconds for step in before if step.colour == OFF]
    assert all(last.seconds >= 3 * gap_s for gap_s in dark)
