"""Encrypted set-up with the set-up code, through the Pi's own bluetoothd and NetworkManager."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.house import AccessPoint, Broker
    from harness.light import Light
    from harness.meter import Meter
    from harness.phone import Phone
    from harness.pi import Pi
    from harness.product import Product

pytestmark = [pytest.mark.pi]

IMPROV = "00467768-6228-2272-4663-277478268000"
ENCRYPTED = "e11e0000-deca-47b1-8ff5-e6e0c62470de"
INFO = "e11e0001-deca-47b1-8ff5-e6e0c62470de"
RX = "e11e0002-deca-47b1-8ff5-e6e0c62470de"
TX = "e11e0003-deca-47b1-8ff5-e6e0c62470de"
_PATIENCE_S = 120.0


class Client:
    """The set-up page's part, on the phone."""

    def __init__(self, phone: Phone, code: str) -> None:
        from sensed.provisioning.encrypted import ClientSession, DeviceInfo, SetupCode

        self._phone = phone
        phone.subscribes(TX)
        info = DeviceInfo.parse(phone.reads(INFO))
        self._session = ClientSession(SetupCode.parse(code).key(), info)
        self._write(self._session.begin())
        while not self._session.is_verified:
            self._session.received(phone.is_told(TX))

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        number, frames = self._session.request(do, **arguments)
        self._write(frames)
        while True:
            said = self._session.received(self._phone.is_told(TX, within_s=_PATIENCE_S))
            if said is not None and said["id"] == number and "ok" in said:
                return said

    def sees(self, network: str) -> None:
        """Scan until a network is found, as a person would who has just switched it on."""
        deadline_s = time.monotonic() + _PATIENCE_S
        while network not in [one["ssid"] for one in self.ask("wifi.scan")["networks"]]:
            assert time.monotonic() < deadline_s, f"{network} is not found"

    def becomes(self, state: str) -> dict[str, Any]:
        deadline_s = time.monotonic() + _PATIENCE_S
        while (status := self.ask("status"))["state"] != state:
            assert time.monotonic() < deadline_s, status
            time.sleep(1)
        return status

    def _write(self, frames: list[bytes]) -> None:
        for frame in frames:
            self._phone.writes(RX, frame)


@pytest.fixture
def forgotten(product: Product, meter: Meter, access_point: AccessPoint) -> None:
    """A Pi right after installation, its meter plugged in, the house's Wi-Fi on the air."""
    access_point.on()
    meter.plug_in()
    product.forget_everything()


@pytest.mark.usefixtures("forgotten")
def test_a_phone_with_the_code_takes_the_pi_from_nothing_to_active(
    *,
    pi: Pi,
    product: Product,
    phone: Phone,
    access_point: AccessPoint,
    broker: Broker,
    light: Light,
) -> None:
    broker.on()
    light.shows("not_configured")
    code = product.setup_code()
    phone.connects_to(phone.sees(service=IMPROV))
    assert {IMPROV, ENCRYPTED} <= {service.lower() for service in phone.services()}
    client = Client(phone, code)
    assert client.ask("hello")["hardware"]
    client.sees(access_point.name)
    wrong = client.ask("wifi.join", ssid=access_point.name, password="not the password")
    assert wrong["code"] == "wrong-password"
    joined = client.ask("wifi.join", ssid=access_point.name, password=access_point.password)
    assert joined["ok"], joined
    nowhere = {"mqtt.host": broker.host, "mqtt.port": broker.port + 1}
    assert client.ask("settings.set", values=nowhere)["code"] == "broker-refused"
    house = {"mqtt.host": broker.host, "mqtt.port": broker.port, "fuse.main_a": 25}
    assert client.ask("settings.set", values=house)["ok"]
    status = client.becomes("active")
    assert status["wifi"]["ssid"] == access_point.name
    assert status["reading"]["age_s"] < 30
    light.shows("active")
    assert '"fuse_a":25' in broker.hears("sensed/+/headroom").replace(" ", "")
    assert client.ask("finish")["ok"]
    journal = pi.run("journalctl -u sensed -b -o cat")
    for secret in (access_point.password, "not the password", code, code.replace("-", "")[:20]):
        assert secret not in journal
    assert pi.run("stat -c %a /var/lib/sensed/settings.toml").strip() == "600"


@pytest.mark.usefixtures("forgotten")
def test_without_a_broker_it_is_found_by_its_own_service_and_wrong_codes_lock_it(
    *, pi: Pi, product: Product, phone: Phone, access_point: AccessPoint
) -> None:
    from sensed.provisioning.encrypted import End, SessionEndedError, SetupCode

    pi.joins(access_point)
    phone.connects_to(phone.sees(service=ENCRYPTED))
    for _ in range(4):
        with pytest.raises(SessionEndedError, match="another set-up code"):
            Client(phone, SetupCode.generate().grouped)
    with pytest.raises(SessionEndedError) as locked:
        Client(phone, SetupCode.generate().grouped)
    assert locked.value.why is End.LOCKED
    phone.disconnects()
    pi.run("systemctl restart sensed")
    try:
        phone.connects_to(phone.sees(service=ENCRYPTED))
        with pytest.raises(SessionEndedError, match="Too many wrong"):
            Client(phone, product.setup_code())
        phone.disconnects()
    finally:
        pi.run("rm /var/lib/sensed/setup-tries && systemctl restart sensed")
    phone.connects_to(phone.sees(service=ENCRYPTED))
    assert Client(phone, product.setup_code()).ask("status")["ok"]
