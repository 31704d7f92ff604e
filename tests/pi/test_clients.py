"""Set-up by the clients that people have: Home Assistant's, and sensed's own on a laptop."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.background import Background
    from harness.house import AccessPoint, Broker
    from harness.light import Light
    from harness.meter import Meter
    from harness.phone import Phone
    from harness.product import Product

pytestmark = [pytest.mark.pi]

_PATIENCE_S = 120.0


@pytest.fixture(autouse=True)
def radio(background: Background, phone: Phone) -> None:
    """Let bleak use the phone's radio."""
    from harness.bleak_radio import Backend, Radio, Scanner

    Backend.radio = Scanner.radio = Radio(background, phone)


@pytest.fixture(autouse=True)
def forgotten(product: Product, meter: Meter, access_point: AccessPoint, broker: Broker) -> None:
    """A Pi right after installation; meter, Wi-Fi and broker are there."""
    access_point.on()
    broker.on()
    meter.plug_in()
    product.forget_everything()


def test_home_assistant_s_own_client_joins_the_pi_to_wifi(
    background: Background, access_point: AccessPoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bleak import BleakClient, BleakScanner
    from harness.bleak_radio import Backend, Scanner
    from improv_ble_client import State, client, device_filter
    from improv_ble_client.errors import ProvisioningFailed
    from improv_ble_client.protocol import SERVICE_UUID

    async def connect(_kind: Any, device: Any, _name: str, on_lost: Any, **_: Any) -> BleakClient:
        link = BleakClient(device, on_lost, backend=Backend)
        await link.connect()
        return link

    async def story() -> None:
        device = await BleakScanner.find_device_by_filter(
            lambda _, told: device_filter(told),
            _PATIENCE_S,
            service_uuids=[SERVICE_UUID],
            backend=Scanner,
        )
        assert device is not None
        improv = client.ImprovBLEClient(device)
        assert not await improv.need_authorization()
        await improv.identify()
        assert (await improv.get_device_info()).firmware_name == b"sensed"
        name = access_point.name.encode()
        until_s = time.monotonic() + _PATIENCE_S
        while name not in [one for one, _, _ in (await improv.scan_wifi()).networks]:
            assert time.monotonic() < until_s
        with pytest.raises(ProvisioningFailed) as failed:
            await improv.provision(access_point.name, "not-the-password", None)
        assert failed.value.error == 3
        # Its person corrects the password; the client connects again by itself.
        while improv._client is not None:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.1)
        states: list[State] = []
        await improv.provision(access_point.name, access_point.password, states.append)
        # A slow join is told again, so that clients do not give up.
        assert states == [State.PROVISIONING] * (len(states) - 1) + [State.PROVISIONED]
        improv._cancel_disconnect_timer()

    monkeypatch.setattr(client, "establish_connection", connect)
    background.call(story(), within_s=6 * _PATIENCE_S)


class Laptop:
    """The command line near the Pi."""

    def __init__(self, folder: Path, code: str, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder = folder
        self._code_file = folder / "code"
        self._code_file.write_text(code)
        self._capsys = capsys

    def types(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Return the exit code and the answer."""
        from sensed.cli import main

        self._capsys.readouterr()
        code = main(["setup", *arguments, "--code-file", str(self._code_file), "--json"])
        return code, json.loads(self._capsys.readouterr().out)

    def keeps(self, secret: str) -> str:
        """Return a file with a secret."""
        file = self._folder / "secret"
        file.write_text(secret)
        return str(file)


@pytest.fixture
def laptop(
    tmp_path: Path,
    product: Product,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Laptop:
    from harness.bleak_radio import Backend, Scanner

    from sensed.setup_client import link

    monkeypatch.setattr(
        link,
        "make_scanner",
        lambda bleak, saw, services: bleak.BleakScanner(saw, services, backend=Scanner),
    )
    monkeypatch.setattr(
        link,
        "make_client",
        lambda bleak, handle, on_lost: bleak.BleakClient(handle, on_lost, backend=Backend),
    )
    return Laptop(tmp_path, product.setup_code(), capsys)


def test_a_laptop_takes_the_pi_from_nothing_to_active(
    laptop: Laptop, access_point: AccessPoint, broker: Broker, light: Light
) -> None:
    light.shows("not_configured")
    until_s = time.monotonic() + _PATIENCE_S
    found: list[str] = []
    while access_point.name not in found:
        assert time.monotonic() < until_s, f"{access_point.name} is not found"
        code, seen = laptop.types("wifi")
        assert code == 0, seen
        found = [network["ssid"] for network in seen["networks"]]
    join = ("wifi", access_point.name, "--password-file")
    code, refused = laptop.types(*join, laptop.keeps("not-the-password"))
    assert (code, refused["error"]) == (1, "wrong-password")
    code, joined = laptop.types(*join, laptop.keeps(access_point.password))
    assert (code, len(joined["addresses"]) > 0) == (0, True)
    code, refused = laptop.types("mqtt", broker.host, "--port", str(broker.port + 1))
    assert (code, refused["error"]) == (1, "broker-refused")
    assert laptop.types("mqtt", broker.host)[0] == 0
    assert laptop.types("set", "fuse.main_a=25")[0] == 0
    light.shows("active")
    assert laptop.types("status")[1]["state"] == "active"
    assert '"fuse_a":25' in broker.hears("sensed/+/headroom").replace(" ", "")
