"""The safety signal as a charger in the house hears it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.background import Background
    from harness.house import AccessPoint, Broker
    from harness.meter import Meter
    from harness.outside import OutsideBroker
    from harness.pi import Pi
    from harness.product import Product

pytestmark = [pytest.mark.pi, pytest.mark.usefixtures("green")]

HEADROOM = "sensed/+/headroom"
_FUSE_A = 25
_DEADLINE_S = 60.0


@pytest.fixture
def fused(product: Product, broker: Broker, green: None) -> None:  # noqa: ARG001 - comes before
    """A house whose main fuse is known, and a charger that has been given room."""
    product.configure(broker, f"[fuse]\nmain_a = {_FUSE_A}\n")
    with broker.listener(HEADROOM) as heard:
        heard.until('"mode":"live"')


@pytest.fixture
def outside_broker(
    pi: Pi, product: Product, broker: Broker, background: Background, tmp_path: Path
) -> Iterator[OutsideBroker]:
    """A broker that has power when the Pi has none."""
    from harness.outside import OutsideBroker

    outside = OutsideBroker(pi, background, tmp_path)
    outside.start()
    yield outside
    outside.stop()
    if not pi.is_on:
        pi.power_on()
    product.configure(broker)


@pytest.mark.usefixtures("fused")
def test_meter_falls_silent(
    whole_meter: Meter, broker: Broker, record_property: Callable[[str, str], None]
) -> None:
    with broker.listener(HEADROOM) as heard:
        silent_s = time.monotonic()
        whole_meter.is_silent()
        safe_s, payload = heard.until('"mode":"failsafe"')
    whole_meter.sends()

    record_property("from the meter's silence to the fail-safe, s", f"{safe_s - silent_s:.1f}")
    assert safe_s - silent_s < _DEADLINE_S
    assert json.loads(payload)["reason"] == "no_meter_data"
    assert json.loads(payload)["failsafe_a"] == 6


@pytest.mark.usefixtures("fused")
def test_daemon_is_killed(
    product: Product, broker: Broker, record_property: Callable[[str, str], None]
) -> None:
    with broker.listener(HEADROOM) as heard:
        killed_s = time.monotonic()
        product.signal("KILL")
        safe_s, payload = heard.until('"mode":"failsafe"')

    record_property("from the daemon's kill to the fail-safe, s", f"{safe_s - killed_s:.1f}")
    assert safe_s - killed_s < _DEADLINE_S
    assert json.loads(payload)["failsafe_a"] == 6


@pytest.mark.usefixtures("fused")
def test_wifi_is_gone(
    access_point: AccessPoint, broker: Broker, record_property: Callable[[str, str], None]
) -> None:
    with broker.listener(HEADROOM) as heard:
        gone_s = time.monotonic()
        access_point.off()
        safe_s, payload = heard.until('"mode":"failsafe"')
    access_point.on()

    record_property("from the Wi-Fi's end to the fail-safe, s", f"{safe_s - gone_s:.1f}")
    assert safe_s - gone_s < _DEADLINE_S
    assert json.loads(payload)["failsafe_a"] == 6


def test_power_is_cut(
    pi: Pi,
    product: Product,
    outside_broker: OutsideBroker,
    record_property: Callable[[str, str], None],
) -> None:
    product.configure(outside_broker, f"[fuse]\nmain_a = {_FUSE_A}\n")
    with outside_broker.listener(HEADROOM) as heard:
        heard.until('"mode":"live"')
        outside_broker.sees_the_power_go()
        cut_s = time.monotonic()
        pi.cut_power()
        safe_s, payload = heard.until('"mode":"failsafe"')

    record_property("from the power's cut to the fail-safe, s", f"{safe_s - cut_s:.1f}")
    assert safe_s - cut_s < _DEADLINE_S
    assert json.loads(payload)["failsafe_a"] == 6
