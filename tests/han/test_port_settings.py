from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensed.errors import ConfigError
from sensed.han.port_settings import (
    CANDIDATES,
    QUIET_DWELL_S,
    SerialSettings,
    SettingsProbe,
)
from tests.han.examples import examples

SETTINGS_8E1, SETTINGS_8N1, SETTINGS_P1 = CANDIDATES
LONGEST_LIST_INTERVAL_S = 15


def opened(probe: SettingsProbe) -> SettingsProbe:
    probe.opened(0.0)
    return probe


def burst(probe: SettingsProbe, octets: int, at_s: float) -> None:
    probe.received(octets, at_s)
    probe.burst_ended()


@pytest.mark.parametrize("text", ["2400 8E1", "2400 8N1", "115200 8N1", "9600 7E1", "300 8O2"])
def test_settings_are_read_as_they_are_written(text: str) -> None:
    assert str(SerialSettings.parse(text)) == text


def test_settings_are_read_in_looser_spelling() -> None:
    assert SerialSettings.parse(" 2400/8e1 ") == SerialSettings(2400, 8, "E", 1)


@pytest.mark.parametrize(
    "text",
    ["", "auto", "2400", "8E1", "2400 9E1", "2401 8E1", "2400 8X1", "9" * 5000 + " 8E1"],
)
def test_other_settings_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match="2400 8E1"):
        SerialSettings.parse(text)


def test_the_dwell_without_octets_outlasts_every_meter() -> None:
    probe = opened(SettingsProbe())
    assert not probe.move(LONGEST_LIST_INTERVAL_S + 2)
    assert probe.deadline_s() == QUIET_DWELL_S
    assert probe.move(QUIET_DWELL_S)
    assert probe.current == SETTINGS_8N1


def test_octets_restart_the_dwell() -> None:
    probe = opened(SettingsProbe())
    burst(probe, 100, 10.0)
    assert probe.deadline_s() == 10.0 + QUIET_DWELL_S
    assert not probe.move(QUIET_DWELL_S)


def test_two_bursts_without_a_good_frame_are_enough() -> None:
    probe = opened(SettingsProbe())
    burst(probe, 100, 1.0)
    assert not probe.move(1.5)
    burst(probe, 228, 11.0)
    assert probe.move(11.5)
    assert probe.current == SETTINGS_8N1


def test_two_long_lists_of_octets_without_a_pause_are_enough() -> None:
    probe = opened(SettingsProbe())
    probe.received(1199, 5.0)
    assert not probe.move(5.0)
    probe.received(1, 5.1)
    assert probe.move(5.1)


def test_a_good_frame_proves_the_settings_and_silence_does_not_disprove_them() -> None:
    probe = opened(SettingsProbe())
    probe.received(300, 1.0)
    probe.frame_good()
    assert probe.proven == SETTINGS_8E1
    assert probe.deadline_s() is None
    assert not probe.move(100_000.0)


def test_many_bursts_without_a_good_frame_make_proven_settings_doubtful() -> None:
    probe = opened(SettingsProbe())
    probe.frame_good()
    for number in range(7):
        burst(probe, 228, 10.0 * number)
        assert not probe.move(10.0 * number)
    burst(probe, 228, 80.0)
    assert probe.move(80.5)
    assert probe.current == SETTINGS_8N1
    assert probe.proven == SETTINGS_8E1
    probe.frame_good()
    assert probe.proven == SETTINGS_8N1


def test_what_worked_is_tried_first_after_the_port_was_lost() -> None:
    probe = opened(SettingsProbe())
    probe.move(QUIET_DWELL_S)
    probe.frame_good()
    for number in range(8):
        burst(probe, 228, 20.0 + number)
    assert probe.move(40.0)
    probe.lost()
    assert probe.current == SETTINGS_8N1


def test_known_settings_come_first_and_once() -> None:
    probe = opened(SettingsProbe(known=SETTINGS_P1))
    tried = [probe.current]
    now_s = 0.0
    for _ in range(3):
        now_s += QUIET_DWELL_S
        assert probe.move(now_s)
        tried.append(probe.current)
    assert tried == [SETTINGS_P1, SETTINGS_8E1, SETTINGS_8N1, SETTINGS_P1]


@examples(50)
@given(
    st.lists(
        st.one_of(
            st.integers(min_value=1, max_value=3000),
            st.sampled_from(["pause", "good", "quiet", "lost"]),
        )
    )
)
def test_fixed_settings_never_change_and_searching_ones_stay_among_the_candidates(
    steps: list[int | str],
) -> None:
    fixed = opened(SettingsProbe(candidates=(SETTINGS_8N1,)))
    searching = opened(SettingsProbe())
    now_s = 0.0
    for step in steps:
        now_s += 1.0
        for probe in (fixed, searching):
            match step:
                case "pause":
                    probe.burst_ended()
                case "good":
                    probe.frame_good()
                case "quiet":
                    now_s += QUIET_DWELL_S
                case "lost":
                    probe.lost()
                    probe.opened(now_s)
                case int(octets):
                    probe.received(octets, now_s)
        assert not fixed.move(now_s)
        assert fixed.current == SETTINGS_8N1
        assert fixed.deadline_s() is None
        searching.move(now_s)
        assert searching.current in CANDIDATES
        deadline_s = searching.deadline_s()
        assert deadline_s is None or deadline_s > now_s
