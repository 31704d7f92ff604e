"""A Pi that something is wrong with: the doctor finds it and names the remedy."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.house import AccessPoint, Broker
    from harness.light import Light
    from harness.meter import Meter
    from harness.pi import Pi
    from harness.product import Product

pytestmark = pytest.mark.pi

_RULE = "/usr/share/polkit-1/rules.d/50-sensed.rules"


def findings(pi: Pi, *, user: str = "root") -> Mapping[str, Mapping[str, Any]]:
    """Return what the doctor finds, by check."""
    outcome = pi.try_run(f"runuser -u {user} -- sensed doctor --json")
    assert outcome.errors == ""
    told = json.loads(outcome.output)
    assert outcome.status == (1 if told["worst"] == "fail" else 0)
    return {finding["check"]: finding for finding in told["findings"]}


@contextlib.contextmanager
def broken(pi: Pi, how: str, *, mended: str) -> Iterator[None]:
    pi.run(how)
    try:
        yield
    finally:
        pi.run(mended)


@pytest.fixture
def well(
    *,
    pi: Pi,
    product: Product,
    light: Light,
    meter: Meter,
    access_point: AccessPoint,
    broker: Broker,
) -> None:
    """A Pi that all is well with, but for the fuse, which nobody has set."""
    # Without a clock of its own it would be told to mend that.
    pi.run(f"date --set=@{time.time():.0f}")
    access_point.on()
    broker.on()
    product.forget_everything()
    pi.joins(access_point)
    meter.plug_in()
    product.configure(broker)
    light.shows("active")


@pytest.mark.usefixtures("well")
def test_a_pi_that_is_well_has_nothing_that_fails(pi: Pi, product: Product) -> None:
    before = product.pid
    found = findings(pi)
    assert [check for check, finding in found.items() if finding["level"] == "fail"] == []
    assert {found[check]["level"] for check in ("daemon", "adapter", "meter", "dns", "broker")} == {
        "ok"
    }
    assert "fuse.main_a" in found["configuration"]["remedy"]
    found = findings(pi, user="nobody")
    assert found["daemon"]["level"] == "warn"
    assert (product.pid, product.restarts) == (before, 0)


@pytest.mark.usefixtures("well")
def test_each_fault_is_found_with_its_remedy(
    pi: Pi, broker: Broker, meter: Meter, light: Light
) -> None:
    with broken(pi, "systemctl stop bluetooth", mended="systemctl start bluetooth"):
        assert "enable --now bluetooth" in findings(pi)["bluetooth"]["remedy"]
    with broken(pi, "rfkill block bluetooth", mended="rfkill unblock bluetooth"):
        assert "rfkill unblock bluetooth" in findings(pi)["bluetooth"]["remedy"]

    broker.off()
    light.shows("no_cloud")
    assert findings(pi)["broker"]["level"] == "fail"
    broker.on()
    light.shows("active")

    meter.unplug()
    light.shows("no_meter_data")
    found = findings(pi)
    assert (found["adapter"]["level"], found["meter"]["level"]) == ("fail", "fail")
    meter.plug_in()


@pytest.mark.usefixtures("well")
def test_without_a_daemon_the_rest_is_looked_at(
    pi: Pi, broker: Broker, access_point: AccessPoint
) -> None:
    with broken(pi, "systemctl stop sensed", mended="systemctl start sensed"):
        found = findings(pi)
        assert found["daemon"]["remedy"] == "Start it: sudo systemctl start sensed."
        assert (found["adapter"]["level"], found["broker"]["level"]) == ("ok", "ok")
        assert "2400 8" in found["meter"]["text"]
        with broken(pi, f"mv {_RULE} {_RULE}.away", mended=f"mv {_RULE}.away {_RULE}"):
            assert "reinstall" in findings(pi)["polkit"]["remedy"]
        with broken(pi, "gpasswd -d sensed dialout", mended="usermod -aG dialout sensed"):
            assert "usermod -aG dialout sensed" in findings(pi)["adapter"]["remedy"]
        now = pi.clock()
        pi.set_clock(now - timedelta(days=20 * 365))
        try:
            assert findings(pi)["clock"]["level"] == "fail"
        finally:
            pi.set_clock(now)
        broker.off()
        assert "refuses port" in findings(pi)["broker"]["text"]
        broker.on()
        with broken(pi, "rfkill block wifi", mended="rfkill unblock wifi"):
            assert findings(pi)["wifi"]["level"] == "warn"
        # The access point's radio was blocked with the Pi's.
        access_point.drops_everyone()


@pytest.mark.usefixtures("well")
def test_a_capture_beside_the_daemon_decodes(pi: Pi, product: Product, light: Light) -> None:
    before = product.pid
    pi.run("sensed capture --seconds 15 /root/it.capture")
    assert pi.run("stat -c %a /root/it.capture").strip() == "600"
    readings = pi.run("sensed decode /root/it.capture").splitlines()
    assert any("power_import_w" in json.loads(line) for line in readings)
    light.shows("active")
    assert product.pid == before
