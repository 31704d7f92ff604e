"""From the package on a fresh Pi to the green light, in the order a person would go."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.house import AccessPoint, Broker
    from harness.light import Light
    from harness.meter import Meter
    from harness.pi import Pi
    from harness.product import Product

pytestmark = pytest.mark.pi


def test_package_starts_its_service_which_says_that_it_is_not_configured(
    pi: Pi, product: Product, light: Light, record_property: Callable[[str, str], None]
) -> None:
    assert product.is_ready()
    record_property("from the service's first start to READY, s", f"{product.start_took_s:.1f}")
    assert product.restarts == 0
    assert pi.run(f"ps -o user= -p {product.pid}").strip() == "sensed"
    assert pi.run("systemctl --failed --no-legend") == ""
    light.shows("not_configured")


def test_from_fresh_to_green(
    *,
    product: Product,
    pi: Pi,
    light: Light,
    meter: Meter,
    access_point: AccessPoint,
    broker: Broker,
) -> None:
    broker.off()
    access_point.on()
    product.forget_everything()
    light.shows("not_configured")

    pi.joins(access_point)
    product.configure(broker)
    light.shows("no_meter_data")

    meter.plug_in()
    light.shows("no_cloud")

    broker.on()
    light.shows("active")
    power = json.loads(broker.hears("sensed/+/power"))
    assert power["power_import_w"] is not None
    assert json.loads(broker.keeps("sensed/+/state"))["state"] == "active"
