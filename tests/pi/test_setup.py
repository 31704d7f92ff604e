"""Set-up from a phone: what a person does with an app, and what goes wrong with it."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.house import AccessPoint, Broker
    from harness.light import Light
    from harness.meter import Meter
    from harness.phone import Phone
    from harness.pi import Pi
    from harness.product import Product

pytestmark = [pytest.mark.pi, pytest.mark.usefixtures("forgotten")]

SERVICE = "00467768-6228-2272-4663-277478268000"
STATE = "00467768-6228-2272-4663-277478268001"
ERROR = "00467768-6228-2272-4663-277478268002"
COMMAND = "00467768-6228-2272-4663-277478268003"
RESULT = "00467768-6228-2272-4663-277478268004"
CAPABILITIES = "00467768-6228-2272-4663-277478268005"

AUTHORIZED, PROVISIONING, PROVISIONED = b"\x02", b"\x03", b"\x04"
UNABLE_TO_CONNECT = b"\x03"
_SCAN_PATIENCE_S = 120.0
_BACK_DEADLINE_S = 10.0
_MOST_MORE_RSS_KIB = 256
_PACKET_TIME_S = 5.0
"""Longer than the rest of a packet is waited for."""


@pytest.fixture
def forgotten(product: Product, meter: Meter, access_point: AccessPoint) -> None:
    """A Pi right after installation, its meter plugged in, the house's Wi-Fi on the air."""
    access_point.on()
    meter.plug_in()
    product.forget_everything()


def packet(command: int, data: bytes = b"") -> bytes:
    octets = bytes((command, len(data))) + data
    return octets + bytes((sum(octets) & 0xFF,))


def wifi(network: str, password: str) -> bytes:
    texts = (network.encode(), password.encode())
    return packet(1, b"".join(bytes((len(text),)) + text for text in texts))


def strings(result: bytes) -> list[str]:
    found, rest = [], result[2:-1]
    while rest:
        found.append(rest[1 : 1 + rest[0]].decode())
        rest = rest[1 + rest[0] :]
    return found


def bring(phone: Phone) -> Phone:
    """Find the Pi as the apps do, connect and subscribe."""
    seen = phone.sees(service=SERVICE)
    (data,) = seen.service_data.values()
    assert len(data) == 6
    phone.connects_to(seen)
    for characteristic in (STATE, ERROR, RESULT):
        phone.subscribes(characteristic)
    return phone


def sees(phone: Phone, network: str) -> None:
    """Scan until a network is found, as a person would who has just switched it on."""
    deadline_s = time.monotonic() + _SCAN_PATIENCE_S
    found: list[str] = []
    while network not in found:
        assert time.monotonic() < deadline_s, f"{network} is not found"
        phone.writes(COMMAND, packet(4))
        found = strings(phone.is_told(RESULT))[::3]


def fails_to_join(phone: Phone, network: str, password: str) -> None:
    phone.writes(COMMAND, wifi(network, password))
    assert phone.is_told(STATE) == PROVISIONING
    assert next_error(phone) == UNABLE_TO_CONNECT
    while phone.is_told(STATE) != AUTHORIZED:
        pass


def next_error(phone: Phone) -> bytes:
    """Return the next error that is one."""
    while (error := phone.is_told(ERROR)) == b"\x00":
        pass
    return error


def joins(phone: Phone, access_point: AccessPoint) -> None:
    phone.writes(COMMAND, wifi(access_point.name, access_point.password), response=False)
    assert phone.is_told(RESULT)
    while phone.is_told(STATE) != PROVISIONED:
        pass


def test_phone_puts_the_pi_on_wifi_for_good(
    *,
    pi: Pi,
    product: Product,
    broker: Broker,
    light: Light,
    phone: Phone,
    access_point: AccessPoint,
) -> None:
    light.shows("not_configured")
    bring(phone)
    assert phone.reads(CAPABILITIES)[0] & 0x07 == 0x07
    assert phone.reads(STATE) == AUTHORIZED
    phone.writes(COMMAND, packet(3))
    assert len(strings(phone.is_told(RESULT))) == 4
    phone.writes(COMMAND, packet(2))
    sees(phone, access_point.name)

    joins(phone, access_point)

    broker.on()
    product.configure(broker)
    light.shows("active")
    pi.reboot()
    light.shows("active")


def test_every_failure_is_told_and_the_next_try_can_come_at_once(
    pi: Pi, phone: Phone, access_point: AccessPoint
) -> None:
    start = pi.journal_position()
    bring(phone)
    fails_to_join(phone, access_point.name, "not-the-password")
    pi.waits_for_words("does not accept this password", after=start)
    fails_to_join(phone, "Elsewhere", "some-password")
    pi.waits_for_words("is not seen from here", after=start)
    access_point.gives_no_addresses()
    fails_to_join(phone, access_point.name, access_point.password)
    pi.waits_for_words("gives no address", after=start)
    access_point.on()
    pi.run("systemctl start house-dhcp")

    joins(phone, access_point)


def test_bluetoothd_is_restarted_in_the_middle(
    pi: Pi, phone: Phone, access_point: AccessPoint, record_property: Callable[[str, str], None]
) -> None:
    bring(phone)
    pi.run("systemctl restart bluetooth")
    phone.disconnects()

    started_s = time.monotonic()
    bring(phone)
    seconds = time.monotonic() - started_s
    record_property("from bluetoothd's restart to a phone's subscriptions, s", f"{seconds:.0f}")
    assert seconds < _BACK_DEADLINE_S
    joins(phone, access_point)


def test_hostile_writes_do_no_harm(
    phone: Phone, product: Product, access_point: AccessPoint
) -> None:
    pid = product.pid
    bring(phone)
    phone.writes(COMMAND, packet(3))
    assert len(strings(phone.is_told(RESULT))) == 4
    before = product.holds()
    for octets in (b"", b"\x01", b"\xff" * 512, packet(1, b"\x20ab")):
        phone.writes(COMMAND, octets)
        time.sleep(_PACKET_TIME_S)
        phone.writes(COMMAND, packet(3))
        assert len(strings(phone.is_told(RESULT))) == 4
    after = product.holds()
    assert (after.descriptors, after.threads) == (before.descriptors, before.threads)
    assert after.rss_kib <= before.rss_kib + _MOST_MORE_RSS_KIB
    joins(phone, access_point)
    assert product.pid == pid


def test_two_phones_at_once_are_served_one_after_the_other(
    phone: Phone, other_phone: Phone, product: Product, access_point: AccessPoint
) -> None:
    pid = product.pid
    bring(phone)
    # A connection ends the advertising, and a change of what is advertised begins it again.
    fails_to_join(phone, access_point.name, "not-the-password")
    other_phone.connects_to(other_phone.sees(service=SERVICE))
    phone.writes(COMMAND, packet(3))
    assert len(strings(phone.is_told(RESULT))) == 4

    # BlueZ answers this write at once, so that only its not being obeyed shows the refusal.
    other_phone.writes(COMMAND, wifi(access_point.name, access_point.password))
    phone.writes(COMMAND, packet(3))
    assert len(strings(phone.is_told(RESULT))) == 4
    assert phone.reads(STATE) == AUTHORIZED
    phone.disconnects()

    for characteristic in (STATE, ERROR, RESULT):
        other_phone.subscribes(characteristic)
    joins(other_phone, access_point)
    assert product.pid == pid


def test_silent_phone_loses_its_link_and_may_come_back(
    pi: Pi, phone: Phone, access_point: AccessPoint, record_property: Callable[[str, str], None]
) -> None:
    start = pi.journal_position()
    bring(phone)
    pi.waits_for_words("was disconnected", after=start)
    phone.disconnects()
    dropped_s = time.monotonic()
    bring(phone)
    seconds = time.monotonic() - dropped_s
    record_property("from the silent phone's drop to the next subscriptions, s", f"{seconds:.0f}")
    assert seconds < _BACK_DEADLINE_S
    joins(phone, access_point)


def test_setup_is_over_after_success_and_opens_on_request(
    *, pi: Pi, product: Product, broker: Broker, phone: Phone, access_point: AccessPoint
) -> None:
    start = pi.journal_position()
    joins(bring(phone), access_point)
    phone.disconnects()
    with pytest.raises((TimeoutError, queue.Empty)):
        phone.sees(service=SERVICE, within_s=20)
    broker.on()
    product.configure(broker)
    pi.waits_for_words("Set-up over Bluetooth is closed", after=start)

    pi.run("sensed setup open")
    bring(phone)
    fails_to_join(phone, access_point.name, "not-the-password")
    pi.wait_until("ip -4 -o address show wlan0 | grep -q 192.168.77.")
