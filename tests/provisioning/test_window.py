from __future__ import annotations

import pytest

from sensed.provisioning.visitors import IDLE_S, Visitors
from sensed.provisioning.window import AUTOMATIC_S, REQUESTED_S, SetupMode, Window


def test_open_by_itself_only_while_needed_and_only_for_so_long() -> None:
    window = Window(SetupMode.AUTO)
    assert not window.is_open
    window.need(needed=True, now_s=0.0)
    assert window.is_authorized
    window.tick(AUTOMATIC_S - 1)
    assert window.is_open
    window.tick(AUTOMATIC_S)
    assert not window.is_open
    window.need(needed=True, now_s=AUTOMATIC_S + 1)
    assert not window.is_open


def test_a_network_that_is_lost_later_opens_nothing_but_a_reset_does() -> None:
    window = Window(SetupMode.AUTO)
    window.need(needed=False, now_s=0.0)
    window.need(needed=True, now_s=AUTOMATIC_S - 10)
    assert window.until_s == AUTOMATIC_S
    window.need(needed=False, now_s=AUTOMATIC_S - 5)
    window.need(needed=True, now_s=AUTOMATIC_S + 5)
    assert not window.is_open
    window.start_afresh()
    window.need(needed=True, now_s=AUTOMATIC_S + 6)
    assert window.until_s == 2 * AUTOMATIC_S + 6


def test_a_network_that_comes_closes_it_unless_a_person_asked() -> None:
    window = Window(SetupMode.AUTO)
    window.need(needed=True, now_s=0.0)
    window.need(needed=False, now_s=1.0)
    assert not window.is_open
    assert window.request(2.0)
    window.need(needed=True, now_s=3.0)
    window.need(needed=False, now_s=4.0)
    assert window.is_authorized


def test_button_mode_offers_but_takes_nothing_before_a_press() -> None:
    window = Window(SetupMode.BUTTON)
    window.need(needed=True, now_s=0.0)
    assert window.is_offered
    assert not window.is_authorized
    window.request(1.0)
    assert window.is_authorized


def test_off_never_opens() -> None:
    window = Window(SetupMode.OFF)
    window.need(needed=True, now_s=0.0)
    assert not window.request(0.0)
    assert not window.is_open


def test_success_ends_the_offer_at_once_and_the_window_soon() -> None:
    window = Window(SetupMode.AUTO)
    window.request(0.0)
    window.succeeded(5.0)
    assert window.is_open
    assert not window.is_offered
    window.need(needed=False, now_s=6.0)
    assert window.is_open
    window.tick(15.0)
    assert not window.is_open


def test_failures_prolong_it_but_not_for_ever() -> None:
    window = Window(SetupMode.AUTO)
    window.request(0.0)
    now_s = 0.0
    while window.is_open:
        now_s += 60.0
        window.tick(now_s)
        window.failed(now_s)
        assert now_s < 4 * REQUESTED_S
    assert now_s >= 2 * REQUESTED_S


@pytest.mark.parametrize("served", [True, False])
def test_silence_is_found_once_per_patience(served: bool) -> None:  # noqa: FBT001 - a parameter of the test
    visitors = Visitors()
    (visitors.active if served else visitors.arrived)("a", 0.0)
    assert visitors.deadline_s == IDLE_S
    assert visitors.overdue(IDLE_S - 1) == []
    assert visitors.overdue(IDLE_S) == ["a"]
    assert visitors.overdue(IDLE_S + 1) == []
    assert visitors.was_served("a") is served


def test_one_slot() -> None:
    visitors = Visitors()
    assert visitors.take_slot("a")
    assert not visitors.take_slot("b")
    assert not visitors.gone("b")
    assert visitors.gone("a")
    assert visitors.take_slot("b")


def test_a_crowd_does_not_grow_memory() -> None:
    visitors = Visitors()
    for number in range(1000):
        visitors.arrived(str(number), 0.0)
    assert len(visitors._visitors) == 16
