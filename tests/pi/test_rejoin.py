"""A Wi-Fi network that has refused the Pi, or was away for long, is joined again all the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.house import AccessPoint
    from harness.light import Light
    from harness.pi import Pi

_LONG_AWAY_S = 330.0
"""By then NetworkManager scans so seldom that its next scan is more than a minute away."""

_FOUND_WITHIN_S = 60.0
_TRIED_WITHIN_S = 5.0

_GIVEN_UP = "no-secrets"
_TRIES = "leaves the Wi-Fi network"

pytestmark = [pytest.mark.pi, pytest.mark.usefixtures("green")]


def test_a_handshake_that_fails_is_not_the_end(
    pi: Pi,
    access_point: AccessPoint,
    light: Light,
    record_property: Callable[[str, str], None],
) -> None:
    start = pi.journal_position()
    try:
        access_point.has_password("not-the-usual-one")
        light.shows("no_ip")
        pi.waits_for_words(_TRIES, after=start)
    finally:
        access_point.has_password(access_point.password)
    took_s = _first_s(pi, _TRIES, start) - _first_s(pi, _GIVEN_UP, start)
    record_property("from the failed handshake to the next try, s", f"{took_s:.1f}")
    assert 0 < took_s < _TRIED_WITHIN_S
    light.shows("active")

    # From now on NetworkManager joins it by itself again.
    start = pi.journal_position()
    access_point.off()
    light.shows("no_ip")
    access_point.on()
    light.shows("active")
    told = pi.run(f"journalctl --no-pager -o cat -u sensed --after-cursor '{start}'")
    assert _TRIES not in told


def _first_s(pi: Pi, words: str, start: str) -> float:
    """Return the Pi's time of the first line of the journal with these words."""
    found = f"journalctl --no-pager -o short-unix --after-cursor '{start}' | grep -F -m 1"
    return float(pi.run(f'{found} "{words}"').split()[0])


def test_a_network_that_was_away_for_long_is_soon_found(
    access_point: AccessPoint, light: Light, record_property: Callable[[str, str], None]
) -> None:
    access_point.off()
    light.shows("no_ip")
    time.sleep(_LONG_AWAY_S)
    access_point.on()
    back_s = time.monotonic()
    took_s = light.when_it_has_told("active")[0] - back_s

    record_property(
        "from the return of an access point long away to the green light, s", f"{took_s:.1f}"
    )
    assert took_s < _FOUND_WITHIN_S
