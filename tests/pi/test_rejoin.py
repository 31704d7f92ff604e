"""A Wi-Fi network that has refused the Pi once is joined again all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.house import AccessPoint
    from harness.light import Light
    from harness.pi import Pi

pytestmark = [pytest.mark.pi, pytest.mark.usefixtures("green")]


def test_a_handshake_that_fails_is_not_the_end(
    pi: Pi, access_point: AccessPoint, light: Light
) -> None:
    start = pi.journal_position()
    try:
        access_point.has_password("not-the-usual-one")
        light.shows("no_ip")
        pi.wait_until(
            f"journalctl --no-pager --after-cursor '{start}' -u NetworkManager | grep -q no-secrets"
        )
    finally:
        access_point.has_password(access_point.password)
    light.shows("active")
    pi.waits_for_words("leaves the Wi-Fi network", after=start)
