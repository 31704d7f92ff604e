"""The eye of the bench: registers to colours, samples to looks."""

from __future__ import annotations

import itertools
import math

import pytest
from harness.light import STATES, Light, Look, Run, add_sample, colour_of, levels_of, look_of

STEP_S = 0.02


def watched(*shown: tuple[str, float]) -> list[Run]:
    """Return what an eye has seen that looked every STEP_S."""
    runs: list[Run] = []
    at_s = 0.0
    for colour, seconds in shown:
        for _ in range(round(seconds / STEP_S)):
            at_s += STEP_S
            add_sample(runs, at_s, colour)
    return runs


def flashes(colour: str, count: int, *, pause_s: float = 1.25) -> list[tuple[str, float]]:
    return [(colour, 0.17), ("dark", 0.17)] * (count - 1) + [(colour, 0.17), ("dark", pause_s)]


def test_monitor_answer_is_read_as_register() -> None:
    assert levels_of("000000003f200034: 0x08420000\r\n") == 0x08420000


@pytest.mark.parametrize(
    ("lines", "colour"),
    [
        ((), "dark"),
        ((17,), "red"),
        ((27,), "green"),
        ((22,), "blue"),
        ((17, 27), "yellow"),
        ((17, 22), "magenta"),
        ((27, 22), "cyan"),
        ((17, 27, 22), "white"),
    ],
)
def test_lines_make_a_colour_whatever_the_others_do(lines: tuple[int, ...], colour: str) -> None:
    ours = sum(1 << line for line in lines)
    others = 0xFFFFFFFF & ~sum(1 << line for line in (17, 27, 22))

    assert colour_of(ours) == colour
    assert colour_of(ours | others) == colour


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_flashes_between_two_pauses_are_counted(count: int) -> None:
    one = flashes("blue", count)

    assert look_of(watched(*one * 4)) == Look("blue", count)


def test_group_whose_start_was_missed_does_not_count() -> None:
    missed_half = [("red", 0.1), ("dark", 1.25)]

    assert look_of(watched(*missed_half, *flashes("red", 2))) is None


def test_one_group_alone_is_not_believed() -> None:
    assert look_of(watched(("dark", 1.25), *flashes("red", 2))) is None


def test_last_look_counts_after_a_change() -> None:
    before, after = flashes("red", 2) * 3, flashes("magenta", 3) * 3

    assert look_of(watched(*before, *after)) == Look("magenta", 3)


def test_steady_light_is_told_from_a_long_flash() -> None:
    assert look_of(watched(("green", 2.9))) is None
    assert look_of(watched(("green", 3.1))) == Look("green")


def test_group_of_two_colours_is_no_look() -> None:
    mixed = [("red", 0.25), ("dark", 0.25), ("blue", 0.25), ("dark", 1.25)]

    assert look_of(watched(*mixed * 4)) is None


def test_unlit_is_a_look_of_its_own() -> None:
    assert look_of(watched(*flashes("red", 2) * 3, ("dark", 3.5))) == Look("dark")


def test_nothing_seen_is_nothing_told() -> None:
    assert look_of([]) is None


def test_no_two_states_look_the_same() -> None:
    assert len(set(STATES.values())) == len(STATES)
    assert len({look.colour for look in STATES.values()}) == len(STATES)


class Lamp:
    """A lamp that shows one pattern after another, and the clock that goes with it."""

    def __init__(self, *shown: tuple[str, float]) -> None:
        self._shown = shown
        self._at_s = 0.0

    def eye(self) -> Light:
        return Light(self._answer, now_s=lambda: self._at_s, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self._at_s += seconds

    def _answer(self, _: str) -> str:
        ends_s = itertools.accumulate(seconds for _, seconds in self._shown)
        colours = (colour for colour, _ in self._shown)
        shown = next(c for c, end_s in zip(colours, ends_s, strict=True) if self._at_s < end_s)
        lines = {"green": 1 << 27, "red": 1 << 17, "dark": 0}[shown]
        return f"000000003f200034: {lines:#010x}"


def test_state_is_waited_for_through_another() -> None:
    lamp = Lamp(*flashes("red", 2) * 6, ("green", math.inf))

    lamp.eye().shows("active", within_s=60)


def test_a_state_is_told_when_its_last_flash_is_over() -> None:
    lamp = Lamp(("green", 1.0), *flashes("red", 2) * 6)

    told_s = lamp.eye().when_it_has_told("no_meter_data", within_s=60)
    assert told_s == pytest.approx((1.0, 1.51), abs=2 * STEP_S)


def test_a_steady_state_is_told_at_its_first_glimpse() -> None:
    lamp = Lamp(*flashes("red", 2), ("green", math.inf))

    told_s = lamp.eye().when_it_has_told("active", within_s=60)
    assert told_s == pytest.approx((1.76, 1.76), abs=2 * STEP_S)


def test_a_state_never_told_is_named() -> None:
    with pytest.raises(AssertionError, match="did not tell no_ip within 60 s"):
        Lamp(("green", math.inf)).eye().when_it_has_told("no_ip", within_s=60)


def test_waiting_in_vain_says_what_was_seen() -> None:
    lamp = Lamp(*flashes("red", 2) * 6, ("green", math.inf))

    with pytest.raises(AssertionError, match="in order: red, 2 flashes; green, steady"):
        lamp.eye().shows("no_cloud", within_s=60)


def test_keeping_a_state_fails_at_the_first_other() -> None:
    lamp = Lamp(("green", 30.0), *flashes("red", 2) * 60)

    with pytest.raises(AssertionError, match="red, 2 flashes instead of active"):
        lamp.eye().keeps_showing("active", for_s=60)
