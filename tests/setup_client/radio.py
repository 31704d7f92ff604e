"""A backend for bleak whose radio is the tests' own bluetoothd, seen from the other side.

bleak's own client and scanner are used; they may run in a loop of their own.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest
from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakError

from sensed.setup_client import link
from tests.provisioning.fake_bluez import FakeBluez, Phone
from tests.provisioning.peer import PeerError


class Air:
    """Which devices there are, by address; ``loop`` is the one their bluetoothd lives in."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.devices: dict[str, FakeBluez] = {}
        self.links: list[Backend] = []
        self.mtu = 185

    async def over_there(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do something where the devices live, from whichever loop."""
        if asyncio.get_running_loop() is self.loop:
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))


class Services:
    def __init__(self, bluez: FakeBluez) -> None:
        self._characteristics = dict(bluez.characteristics)

    def get_characteristic(self, uuid: str) -> Any:
        if uuid not in self._characteristics:
            return None
        _path, flags = self._characteristics[uuid]
        return SimpleNamespace(uuid=uuid, properties=flags)


class Backend(BaseBleakClient):
    """One link, as bleak's client wants it."""

    air: ClassVar[Air]

    def __init__(self, device: Any, **options: Any) -> None:
        super().__init__(device, **options)
        self._bluez = self.air.devices[self.address]
        self._phone: Phone | None = None
        self._pump: asyncio.Task[None] | None = None
        self._listeners: dict[str, Callable[[bytearray], None]] = {}
        self.air.links.append(self)

    @property
    def name(self) -> str:
        return self.address

    @property
    def mtu_size(self) -> int:
        return self.air.mtu

    @property
    def is_connected(self) -> bool:
        return self._phone is not None and self._phone.is_connected

    async def connect(self, *_: Any, **__: Any) -> Any:
        self._loop = asyncio.get_running_loop()
        await self.air.over_there(self._connect())
        self.services = Services(self._bluez)  # type: ignore[assignment]  # all that is asked of it
        return True

    async def _connect(self) -> None:
        name = f"LAPTOP{len(self.air.links)}"
        self._phone = await Phone(self._bluez, name, mtu=self.air.mtu).connect()
        self._phone.on_lost = self._lost
        self._pump = asyncio.create_task(self._deliver())

    def _lost(self) -> None:
        if self._pump is not None:
            self._pump.cancel()
        if self._disconnected_callback is not None:
            self._loop.call_soon_threadsafe(self._disconnected_callback)

    async def _deliver(self) -> None:
        assert self._phone is not None
        while True:
            uuid, value = await self._phone.told.get()
            self._loop.call_soon_threadsafe(self._listeners[uuid], bytearray(value))

    async def disconnect(self) -> Any:
        async def hang_up() -> None:
            if self._phone is not None and self._phone.is_connected:
                self._phone.lose_link()

        await self.air.over_there(hang_up())
        return True

    async def read_gatt_char(self, characteristic: Any, **_: Any) -> bytearray:
        return bytearray(await self._do(self._link.read(_uuid(characteristic))))

    async def write_gatt_char(self, characteristic: Any, data: Any, response: bool) -> None:  # noqa: FBT001 - bleak's own
        await self._do(self._link.write(_uuid(characteristic), bytes(data), response=response))

    async def start_notify(self, characteristic: Any, callback: Any, **_: Any) -> None:
        self._listeners[characteristic.uuid] = callback
        await self._do(self._link.subscribe(characteristic.uuid))

    @property
    def _link(self) -> Phone:
        assert self._phone is not None
        return self._phone

    async def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await self.air.over_there(work)
        except PeerError as error:
            raise BleakError(str(error)) from None

    async def stop_notify(self, characteristic: Any) -> None:
        raise NotImplementedError

    async def pair(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("a client must not pair")

    async def unpair(self) -> Any:
        raise NotImplementedError

    async def get_services(self, **_: Any) -> Any:
        return self.services

    async def read_gatt_descriptor(self, *_: Any, **__: Any) -> bytearray:
        raise NotImplementedError

    async def write_gatt_descriptor(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError


def _uuid(characteristic: Any) -> str:
    """Return a characteristic's UUID, which older releases of bleak hand on as it is."""
    return str(getattr(characteristic, "uuid", characteristic))


class Scanner(BaseBleakScanner):
    """Hears every device whose advertisement has one of the services."""

    air: ClassVar[Air]

    def __init__(self, callback: Any, services: Any, *_: Any, **__: Any) -> None:
        super().__init__(callback, services)

    async def start(self) -> None:
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while True:
            for number, (address, bluez) in enumerate(self.air.devices.items()):
                seen = dict(bluez.advertisement)
                if self.is_allowed_uuid(seen.get("ServiceUUIDs")):
                    self._saw(address, seen, -50 - number)
            await asyncio.sleep(0.02)

    def _saw(self, address: str, seen: dict[str, Any], rssi: int) -> None:
        told = AdvertisementData(seen["LocalName"], {}, {}, seen["ServiceUUIDs"], None, rssi, ())
        keyed = "key" in inspect.signature(self.create_or_update_device).parameters
        key = (address,) if keyed else ()
        device = self.create_or_update_device(*key, address, seen["LocalName"], {}, told)
        self.call_detection_callbacks(device, told)

    async def stop(self) -> None:
        self._task.cancel()

    def set_scanning_filter(self, **_: Any) -> None:
        raise NotImplementedError


def on_air(monkeypatch: pytest.MonkeyPatch) -> Air:
    """Let bleak use this radio for as long as the test lasts."""
    air = Backend.air = Scanner.air = Air()

    def scanner(bleak: ModuleType, saw: Any, services: list[str]) -> Any:
        return bleak.BleakScanner(saw, services, backend=Scanner)

    def client(bleak: ModuleType, handle: Any, on_lost: Any) -> Any:
        return bleak.BleakClient(handle, on_lost, timeout=5.0, backend=Backend)

    monkeypatch.setattr(link, "make_scanner", scanner)
    monkeypatch.setattr(link, "make_client", client)
    return air
