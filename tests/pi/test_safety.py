"""The safety signal as a charger in the house hears it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.house import Broker
    from harness.meter import Meter
    from harness.product import Product

pytestmark = [pytest.mark.pi, pytest.mark.usefixtures("green")]

HEADROOM = "sensed/+/headroom"
_FUSE_A = 25
_DEADLINE_S = 60.0


@pytest.fixture(autouse=True)
def fused(product: Product, broker: Broker, green: None) -> None:  # noqa: ARG001 - comes before
    """A house whose main fuse is known, and a charger that has been given room."""
    product.configure(broker, f"[fuse]\nmain_a = {_FUSE_A}\n")
    with broker.listener(HEADROOM) as heard:
        heard.until('"mode":"live"')


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
