"""Both windows together: what opens, stays and closes when."""

from __future__ import annotations

from sensed.provisioning.window import AUTOMATIC_S, REQUESTED_S, SetupMode
from sensed.provisioning.windows import LINGER_S, Windows


def made(encrypted: SetupMode = SetupMode.AUTO, improv: SetupMode = SetupMode.AUTO) -> Windows:
    return Windows(improv, encrypted)


def settled(
    windows: Windows,
    now_s: float,
    *,
    wifi: bool = False,
    setup: bool = False,
    live: bool = False,
) -> tuple[bool, bool]:
    """Settle, and return which of the two are open."""
    held = (windows.encrypted,) if live else ()
    if live:
        windows.served(now_s)
    windows.settle(needs_wifi=wifi, needs_setup=setup, now_s=now_s, but=held)
    return windows.improv.is_open, windows.encrypted.is_open


def test_each_opens_for_what_it_can_mend() -> None:
    windows = made()
    assert settled(windows, 0.0, wifi=True, setup=True) == (True, True)
    assert settled(windows, 10.0, setup=True) == (False, True)
    assert settled(windows, 20.0) == (False, False)
    assert settled(windows, 30.0, setup=True) == (False, True)
    assert windows.until_s == AUTOMATIC_S
    assert settled(windows, AUTOMATIC_S, setup=True) == (False, False)
    assert settled(windows, AUTOMATIC_S + 1, wifi=True, setup=True) == (False, False)


def test_on_request_both_open_whatever_is_needed() -> None:
    windows = made()
    settled(windows, 0.0)
    assert windows.request(AUTOMATIC_S + 5)
    assert settled(windows, AUTOMATIC_S + 6) == (True, True)
    assert settled(windows, AUTOMATIC_S + 5 + REQUESTED_S) == (False, False)


def test_button_opens_on_request_alone_and_off_never() -> None:
    windows = made(SetupMode.BUTTON, SetupMode.OFF)
    assert settled(windows, 0.0, wifi=True, setup=True) == (False, False)
    assert windows.request(1.0)
    assert settled(windows, 2.0, wifi=True, setup=True) == (False, True)
    off = made(SetupMode.OFF, SetupMode.OFF)
    assert not off.request(1.0)
    assert settled(off, 2.0, wifi=True, setup=True) == (False, False)


def test_a_client_keeps_its_own_window_alone() -> None:
    windows = made()
    settled(windows, 0.0, wifi=True, setup=True)
    late_s = AUTOMATIC_S + 100
    assert settled(windows, late_s, wifi=True, setup=True, live=True) == (False, True)
    # It has set what was missing, and its link breaks: it may come back for a while.
    assert settled(windows, late_s + LINGER_S - 1) == (False, True)
    assert windows.next_s(but=()) == late_s + LINGER_S
    assert settled(windows, late_s + LINGER_S) == (False, False)


def test_nobody_comes_back_through_a_window_that_a_person_closed() -> None:
    windows = made()
    settled(windows, 0.0, setup=True)
    settled(windows, 10.0, setup=True, live=True)
    windows.close()
    assert settled(windows, 11.0, setup=True) == (False, False)
    windows.start_afresh()
    assert settled(windows, 12.0, wifi=True, setup=True) == (True, True)
