from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from sensed.daemon.facts import NO_FRAMES, NO_OCTETS, FactBoard, MeterWatch


def test_before_the_first_deadline_the_meter_is_unknown() -> None:
    watch = MeterWatch(100.0)
    assert watch.verdict(129.9)[0] is None
    assert watch.verdict(130.0)[:2] == (False, NO_OCTETS)


def test_a_list_makes_the_fact_hold_until_the_deadline() -> None:
    watch = MeterWatch(0.0)
    watch.list_seen(5.0)
    assert watch.verdict(34.9)[0] is True
    assert watch.verdict(35.0)[0] is False


def test_the_deadline_is_three_intervals_once_the_cadence_is_known() -> None:
    watch = MeterWatch(0.0)
    for n in range(8):
        watch.list_seen(15.0 * n)
    last_s = 15.0 * 7
    assert watch.interval_s == 15.0
    assert watch.deadline_s() == last_s + 45.0


def test_a_quick_meter_has_a_deadline_of_six_seconds_at_least() -> None:
    watch = MeterWatch(0.0)
    for n in range(8):
        watch.list_seen(1.0 * n)
    assert watch.deadline_s() == 7.0 + 6.0


def test_an_outage_does_not_count_as_the_meters_cadence() -> None:
    watch = MeterWatch(0.0)
    for n in range(8):
        watch.list_seen(2.5 * n)
    watch.list_seen(500.0)
    assert watch.interval_s == 2.5


def test_octets_without_a_list_are_told_from_nothing_at_all() -> None:
    watch = MeterWatch(0.0)
    assert not watch.octets_seen(20.0)  # no news before the deadline
    assert watch.verdict(31.0)[1] == NO_FRAMES
    assert "polarity" in watch.verdict(31.0)[2]


def test_octets_explain_a_silence_only_for_a_while() -> None:
    watch = MeterWatch(0.0)
    watch.octets_seen(29.0)  # the click of a cable that is pulled
    assert watch.verdict(58.9)[1] == NO_FRAMES
    assert watch.next_look_s(31.0) == 59.0
    assert watch.verdict(59.0)[1] == NO_OCTETS
    assert watch.next_look_s(59.0) == math.inf


def test_octets_that_come_after_the_deadline_are_news_once() -> None:
    watch = MeterWatch(0.0)
    assert watch.verdict(30.0)[1] == NO_OCTETS
    assert watch.octets_seen(40.0)
    assert not watch.octets_seen(41.0)
    assert watch.verdict(41.0)[1] == NO_FRAMES


def test_a_finding_names_the_cause_until_the_next_list() -> None:
    watch = MeterWatch(0.0)
    assert not watch.finding("no_key", "A key is needed.", 10.0)
    assert watch.verdict(31.0) == (False, "no_key", "A key is needed.")
    watch.list_seen(32.0)
    assert watch.verdict(33.0)[0] is True
    assert watch.verdict(99.0)[1] == NO_OCTETS


def test_a_finding_after_the_deadline_is_news_and_ends_with_its_telegrams() -> None:
    watch = MeterWatch(0.0)
    assert watch.finding("no_key", "A key is needed.", 40.0)
    assert not watch.finding("no_key", "A key is needed.", 50.0)
    assert watch.verdict(139.0)[1] == "no_key"
    assert watch.next_look_s(139.0) == 140.0
    assert watch.verdict(140.0)[1] == NO_OCTETS


def test_findings_that_alternate_do_not_flicker() -> None:
    watch = MeterWatch(0.0)
    shown = set()
    for turn in range(20):
        now_s = 30.0 + 10.0 * turn
        watch.finding(("unknown_list", "damaged")[turn % 2], "", now_s)
        shown.add(watch.verdict(now_s)[1])
    assert shown == {"unknown_list"}


def test_a_lost_adapter_fails_at_once_and_only_a_list_heals_it() -> None:
    watch = MeterWatch(0.0)
    watch.list_seen(1.0)
    watch.port_lost("no_adapter", "Plug it in.")
    assert watch.verdict(1.1) == (False, "no_adapter", "Plug it in.")
    watch.port_opened()
    assert watch.verdict(1.2)[0] is False
    watch.list_seen(2.0)
    assert watch.verdict(2.1)[0] is True


def test_opening_the_port_for_the_first_time_fails_nothing() -> None:
    watch = MeterWatch(0.0)
    watch.port_opened()
    assert watch.verdict(0.1)[0] is None


@given(st.lists(st.floats(0.001, 200.0), max_size=40))
def test_a_deadline_is_never_nearer_than_six_nor_farther_than_ninety_seconds(
    gaps_s: list[float],
) -> None:
    watch = MeterWatch(0.0)
    now_s = 0.0
    for gap_s in gaps_s:
        now_s += gap_s
        watch.list_seen(now_s)
        assert now_s + 6.0 <= watch.deadline_s() <= now_s + 90.0


def test_the_board_tells_changes_only_and_keeps_the_time_of_the_value() -> None:
    now_s = 10.0
    board = FactBoard(lambda: now_s)
    board.set("cloud", holds=False, cause="refused")
    assert board.changed.is_set()
    board.changed.clear()
    now_s = 20.0
    board.set("cloud", holds=False, cause="refused")
    assert not board.changed.is_set()
    board.set("cloud", holds=False, cause="dns")
    assert board.changed.is_set()
    assert board.facts.cloud.since_monotonic_s == 10.0
    board.set("cloud", holds=True)
    assert board.facts.cloud.since_monotonic_s == 20.0
