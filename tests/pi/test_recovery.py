"""What the light shows again by itself after the daemon, or the Pi, has fallen."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.house import Broker
    from harness.light import Light
    from harness.pi import Pi
    from harness.product import Product

pytestmark = [pytest.mark.pi, pytest.mark.usefixtures("green")]


def test_daemon_is_killed(product: Product, light: Light) -> None:
    before = product.restarts
    product.signal("KILL")

    product.wait_until_restarted(since=before)
    light.shows("active")


def test_daemon_hangs_and_the_watchdog_restarts_it(product: Product, light: Light) -> None:
    before = product.restarts
    product.signal("STOP")

    product.wait_until_restarted(since=before)
    light.shows("active")


def test_pi_is_rebooted(pi: Pi, product: Product, light: Light) -> None:
    pi.reboot()

    light.shows("active")
    assert product.is_ready()


def test_power_is_cut_and_comes_back_to_a_pi_that_does_not_know_what_time_it_is(
    pi: Pi, product: Product, light: Light, broker: Broker
) -> None:
    pi.run("sync")
    pi.cut_power()
    pi.power_on()
    assert pi.clock() < datetime.now(UTC) - timedelta(days=20)

    light.shows("active")
    assert product.is_ready()
    assert json.loads(broker.hears("sensed/+/power"))["power_import_w"] is not None

    pi.set_clock(datetime(2030, 5, 17, 12, tzinfo=UTC))
    light.keeps_showing("active", for_s=20)
    received_at = json.loads(broker.hears("sensed/+/power"))["received_at"]
    assert received_at.startswith("2030-05-17T12:")
