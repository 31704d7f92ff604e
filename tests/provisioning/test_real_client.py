"""Home Assistant's own Improv client, its messages and its state handling, as the phone."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.provisioning.conftest import Daemon, running
from tests.provisioning.fake_bluez import FakeBluez, Phone
from tests.provisioning.test_setup import Stage
from tests.waiting import until

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    improv_client = pytest.importorskip(
        "improv_ble_client.client", reason="needs py-improv-ble-client and bleak"
    )
    from improv_ble_client import State, device_filter
    from improv_ble_client.errors import ProvisioningFailed


class Seen:
    """What a scanner makes of the advertisement."""

    def __init__(self, bluez: FakeBluez) -> None:
        self.service_uuids = bluez.advertisement.get("ServiceUUIDs", [])
        self.service_data = bluez.advertisement.get("ServiceData", {})
        self.rssi = -50


class Device:
    address = "AA:BB:CC:DD:EE:FF"
    name = "sensed-42"


class Characteristic:
    def __init__(self, uuid: str) -> None:
        self.uuid = uuid


class Services:
    def __init__(self, bluez: FakeBluez) -> None:
        self._bluez = bluez

    def get_characteristic(self, uuid: str) -> Characteristic | None:
        return Characteristic(uuid) if uuid in self._bluez.characteristics else None


class Link:
    """The thin transport in the place of bleak's client."""

    def __init__(self, bluez: FakeBluez, phone: Phone, on_lost: Callable[[Any], None]) -> None:
        self.services = Services(bluez)
        self._phone = phone
        self._listeners: dict[str, Any] = {}
        self._pump = asyncio.create_task(self._deliver())
        phone.on_lost = lambda: on_lost(self)

    @property
    def is_connected(self) -> bool:
        return self._phone.is_connected

    async def start_notify(self, uuid: str, listener: Any) -> None:
        self._listeners[uuid] = listener
        await self._phone.subscribe(uuid)

    async def read_gatt_char(self, uuid: str) -> bytes:
        return await self._phone.read(uuid)

    async def write_gatt_char(self, uuid: str, octets: bytes, response: bool = False) -> None:  # noqa: FBT001, FBT002 - bleak's own signature
        await self._phone.write(uuid, bytes(octets), response=response)

    async def disconnect(self) -> None:
        self._pump.cancel()
        self._phone.lose_link()

    async def _deliver(self) -> None:
        while True:
            uuid, value = await self._phone.told.get()
            await self._listeners[uuid](Characteristic(uuid), bytearray(value))


@pytest.fixture
async def stage(dbus: Daemon) -> AsyncIterator[Stage]:
    made = Stage(dbus)
    await made.bluez.start()
    await made.nm.start()
    yield made
    await made.bluez.disconnect()
    await made.nm.disconnect()


@pytest.fixture
async def client(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    links: list[Link] = []

    async def connect(_kind: Any, _device: Any, _name: str, on_lost: Any, **_: Any) -> Link:
        phone = await Phone(stage.bluez, f"HA{len(links)}").connect()
        links.append(Link(stage.bluez, phone, on_lost))
        return links[-1]

    monkeypatch.setattr(improv_client, "establish_connection", connect)
    made = improv_client.ImprovBLEClient(Device())
    yield made
    made._cancel_disconnect_timer()
    for link in links:
        link._pump.cancel()


async def test_home_assistant_sets_the_device_up(stage: Stage, client: Any) -> None:
    async with running(stage.sensed.run()):
        await stage.advertised(2)
        assert device_filter(Seen(stage.bluez))
        assert not await client.need_authorization()
        await client.identify()
        assert stage.identified == 1
        info = await client.get_device_info()
        assert (info.firmware_name, info.device_name) == (b"sensed", b"sensed-42")
        assert (await client.scan_wifi()).networks == [(b"Hjemme", b"-60", b"WPA2")]
        with pytest.raises(ProvisioningFailed) as failed:
            await client.provision("Hjemme", "wrong-password", None)
        assert failed.value.error == 3
        # Its person corrects the password; the client connects again by itself.
        await until(lambda: client._client is None)
        states: list[Any] = []
        assert await client.provision("Hjemme", "grautfat", states.append) is None
        assert states == [State.PROVISIONING, State.PROVISIONED]
        await until(lambda: not device_filter(Seen(stage.bluez)))
        assert stage.nm.saved == ["sensed-Hjemme"]
