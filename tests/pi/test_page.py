"""The set-up page, on a phone near the Pi: from not configured to active, by the page alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.background import Background
    from harness.house import AccessPoint, Broker
    from harness.light import Light
    from harness.meter import Meter
    from harness.phone import Phone
    from harness.pi import Pi
    from harness.product import Product

pytestmark = [pytest.mark.pi]

_PICTURES = os.environ.get("SENSED_PICTURES")


def test_page_takes_the_pi_from_not_configured_to_active(  # noqa: PLR0915 - one long way
    *,
    pi: Pi,
    product: Product,
    meter: Meter,
    access_point: AccessPoint,
    broker: Broker,
    phone: Phone,
    light: Light,
    background: Background,
    tmp_path: Path,
) -> None:
    from harness.page import page_on

    access_point.on()
    broker.on()
    meter.plug_in()
    product.forget_everything()
    light.shows("not_configured")
    code = product.setup_code()
    pictures = Path(_PICTURES) if _PICTURES else None
    with page_on(phone, background, tmp_path, pictures) as (page, url):
        page.opens(f"{url}#v=1&k={code.replace('-', '')}&n=sensed")
        page.is_pictured("1-start")
        page.presses("Find the device")
        page.shows(access_point.name)
        page.shows("Not configured")
        page.is_pictured("2-wifi")
        page.presses(access_point.name)
        page.types("feil-passord")
        page.presses("Join this network")
        page.shows("The network does not accept this password.")
        page.is_pictured("3-wifi-refused")
        page.presses(access_point.name)
        page.types(access_point.password)
        page.presses("Join this network")
        page.is_at("MQTT broker")
        page.sets("mqtt.host", broker.host)
        page.sets("mqtt.port", str(broker.port + 1))
        page.presses("Save and go on")
        page.shows("Nobody listens on this port.")
        page.is_pictured("4-broker-refused")
        page.sets("mqtt.port", str(broker.port))
        page.presses("Save and go on")
        page.is_at("Meter")
        page.shows("Heard: ")
        page.is_pictured("5-meter")
        page.presses("Save and go on")
        page.is_at("Main fuse")
        page.presses("25 A")
        page.is_pictured("6-fuse")
        page.presses("Save and go on")
        page.is_at("Name and light")
        page.sets("device.name", "Hytta")
        page.is_pictured("7-light")
        page.presses("Save and go on")
        page.is_at("Status")
        page.shows("Configured and active")
        page.shows("Connected to the broker")
        page.is_pictured("8-status")
        light.shows("active")
        assert '"fuse_a":25' in broker.hears("sensed/+/headroom").replace(" ", "")

        meter.is_silent()
        page.shows("No data from the meter")
        light.shows("no_meter_data")
        page.is_pictured("9-no-meter")
        page.presses("Finish set-up")
        page.shows("Set-up is finished")
        page.is_pictured("10-finished")
    journal = pi.run("journalctl -u sensed -b -o cat")
    for secret in (access_point.password, "feil-passord", code, code.replace("-", "")[:20]):
        assert secret not in journal
