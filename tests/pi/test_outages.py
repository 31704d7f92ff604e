"""Each of the five states is reached and left again when the world around the Pi changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.house import AccessPoint, Broker
    from harness.light import Light
    from harness.meter import Meter
    from harness.pi import Pi
    from harness.product import Product

pytestmark = [pytest.mark.pi, pytest.mark.usefixtures("green")]


def test_adapter_is_pulled_and_plugged_again(whole_meter: Meter, light: Light) -> None:
    whole_meter.unplug()
    light.shows("no_meter_data")

    whole_meter.plug_in()
    light.shows("active")


def test_meter_falls_silent_and_speaks_again(whole_meter: Meter, light: Light) -> None:
    whole_meter.is_silent()
    light.shows("no_meter_data")

    whole_meter.sends()
    light.shows("active")


def test_broker_goes_and_comes_back(broker: Broker, light: Light) -> None:
    broker.off()
    light.shows("no_cloud")

    broker.on()
    light.shows("active")


def test_access_point_goes_and_comes_back(access_point: AccessPoint, light: Light) -> None:
    access_point.off()
    light.shows("no_ip")

    access_point.on()
    light.shows("active")


def test_house_has_wifi_but_no_addresses(pi: Pi, access_point: AccessPoint, light: Light) -> None:
    access_point.gives_no_addresses()
    pi.run("nmcli -w 300 device disconnect wlan0")
    pi.run("nmcli --wait 0 device connect wlan0")
    light.shows("no_ip")

    access_point.on()
    light.shows("active")


def test_configuration_is_taken_away_and_given_back(
    product: Product, broker: Broker, light: Light
) -> None:
    product.unconfigure()
    light.shows("not_configured")

    product.configure(broker)
    light.shows("active")


def test_network_is_forgotten_and_joined_again(
    pi: Pi, access_point: AccessPoint, light: Light
) -> None:
    pi.forgets_networks()
    light.shows("not_configured")

    pi.joins(access_point)
    light.shows("active")
