"""What the light shows after a service that the daemon talks to has been restarted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.light import Light
    from harness.pi import Pi
    from harness.product import Product

pytestmark = [pytest.mark.pi, pytest.mark.usefixtures("green")]


def test_bluetoothd_is_restarted(pi: Pi, product: Product, light: Light) -> None:
    pid = product.pid
    pi.run("systemctl restart bluetooth")

    light.keeps_showing("active", for_s=20)
    assert product.pid == pid


def test_networkmanager_is_restarted(pi: Pi, product: Product, light: Light) -> None:
    pid = product.pid
    pi.run("systemctl restart NetworkManager")

    light.shows("active")
    light.keeps_showing("active", for_s=20)
    assert product.pid == pid
