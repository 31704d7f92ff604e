"""The bench itself, without the product: each end of it is real before anything is judged by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.house import AccessPoint, Broker
    from harness.light import Light
    from harness.meter import Meter
    from harness.phone import Phone
    from harness.pi import Pi

pytestmark = pytest.mark.pi

SERVICE = "7d1b0001-5d7b-4c5d-9c5f-3a9a3a9a3a9a"
VALUE = "7d1b0002-5d7b-4c5d-9c5f-3a9a3a9a3a9a"
STATES_IN_TURN = """
import time
from gpiozero import RGBLED
led = RGBLED(17, 27, 22, pwm=False)
print("lit", flush=True)
def flash(colour, count, pause):
    for n in range(count):
        led.color = colour
        time.sleep(0.25)
        led.color = (0, 0, 0)
        time.sleep(0.25 if n < count - 1 else pause)
end = time.monotonic() + 25
while time.monotonic() < end:
    flash((0, 0, 1), 4, 1.25)
led.color = (0, 1, 0)
time.sleep(60)
"""


def test_pi_is_a_pi_and_all_its_units_started(pi: Pi) -> None:
    assert "Raspberry Pi 3" in pi.run("tr -d '\\0' </proc/device-tree/model")
    pi.try_run("systemctl is-system-running --wait")
    assert pi.run("systemctl --failed --no-legend") == ""


def test_pi_has_no_address_and_no_clock_of_its_own(pi: Pi) -> None:
    links = json.loads(pi.run("ip -json addr"))
    found = {a["local"] for link in links for a in link["addr_info"] if a["scope"] == "global"}

    assert found == set()
    assert "usb0" not in {link["ifname"] for link in links}


def test_light_is_read_from_the_registers(pi: Pi, light: Light) -> None:
    pi.write("/tmp/lamp.py", STATES_IN_TURN)
    settings = "-E GPIOZERO_PIN_FACTORY=lgpio -E LG_WD=/tmp"
    pi.run(f"systemd-run --quiet --unit lamp {settings} python3 /tmp/lamp.py")

    light.shows("no_cloud")
    light.shows("active")
    pi.run("systemctl stop lamp")


def test_meter_is_heard_through_the_adapter(pi: Pi, meter: Meter) -> None:
    meter.plug_in()
    pi.wait_until("test -c /dev/ttyUSB0")
    # Not the shell's last command: it would lead the session, and end with the line's hang-up.
    pi.run("stty -F /dev/ttyUSB0 2400 cs8 parenb -parodd -cstopb raw -echo && true")
    heard = pi.run("timeout 300 head -c 1200 /dev/ttyUSB0 | od -An -v -tx1 | tr -d ' \\n'")

    assert "7ea" in heard
    assert "e6e700" in heard


def test_adapter_can_be_pulled_and_plugged_again(pi: Pi, meter: Meter) -> None:
    for _ in range(2):
        meter.plug_in()
        pi.wait_until("test -c /dev/ttyUSB0")
        meter.unplug()
        pi.wait_until("! test -e /dev/ttyUSB0")
    meter.plug_in()
    pi.wait_until("test -c /dev/ttyUSB0")
    assert pi.run("timeout 300 head -c 20 /dev/ttyUSB0 | wc -c").strip() == "20"


def test_phone_finds_reads_writes_and_is_told(pi: Pi, phone: Phone) -> None:
    pi.wait_until("bluetoothctl show | grep -q 'Powered: yes'")
    pi.write("/tmp/advertise.py", (Path(__file__).parent / "bench/advertise.py").read_text())
    pi.run("systemd-run --quiet --unit advertise python3 /tmp/advertise.py")

    phone.connects_to(phone.sees(service=SERVICE))
    assert phone.reads(VALUE) == b"bench"
    phone.subscribes(VALUE)
    phone.writes(VALUE, b"hello")
    assert phone.is_told(VALUE) == b"HELLO"
    pi.run("systemctl stop advertise")


def test_pi_joins_the_house_and_reaches_its_broker(
    pi: Pi, access_point: AccessPoint, broker: Broker
) -> None:
    access_point.on()
    broker.on()
    pi.joins(access_point)

    pi.run(f"mosquitto_pub -h {broker.host} -t bench -m retained -r")
    assert broker.keeps("bench").strip() == "retained"
    assert broker.host in pi.run("ip route")
    pi.forgets_networks()
    access_point.off()
    broker.off()
