from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensed.leds.night import LONGEST_LOOK_S, NightHours

times = st.times().map(lambda moment: moment.replace(second=0, microsecond=0))


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-01-02T{text}+00:00")


def test_night_crosses_midnight() -> None:
    night = NightHours.parse("22:00-06:30")
    assert [night.include(at(t)) for t in ("21:59", "22:00", "00:00", "06:29", "06:30")] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_night_may_lie_within_a_day() -> None:
    night = NightHours.parse("01:00-05:00")
    assert [night.include(at(t)) for t in ("00:59", "01:00", "04:59", "05:00")] == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    "text", ["", "22-06", "22:00-22:00", "24:00-06:00", "22:00 - 06:00", "²2:00-06:00"]
)
def test_what_is_no_pair_of_times_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="two different times"):
        NightHours.parse(text)


@given(times, times, st.datetimes(timezones=st.just(UTC)))
def test_between_two_looks_nothing_changes(begins: time, ends: time, now: datetime) -> None:
    if begins == ends or now.year in (1, 9999):
        return
    night = NightHours(begins, ends)
    wait_s = night.look_again_s(now)
    assert 0 < wait_s <= LONGEST_LOOK_S
    just_before = now + timedelta(seconds=wait_s) - timedelta(milliseconds=1)
    if just_before > now:
        assert night.include(just_before) == night.include(now)
