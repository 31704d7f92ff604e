"""bluetoothd as far as a GATT server sees it, with the rules that clients meet.

A phone is a central with an MTU: values are cut to it, long reads and writes are split,
and a write without response hears of no error.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dbus_fast import Variant

from tests.provisioning.peer import NOTHING, OBJECT_MANAGER, PROPERTIES, Answer, Peer, PeerError

ADAPTER = "/org/bluez/hci0"
_ADAPTER1 = "org.bluez.Adapter1"
_DEVICE1 = "org.bluez.Device1"
_GATT_MANAGER = "org.bluez.GattManager1"
_ADVERTISING_MANAGER = "org.bluez.LEAdvertisingManager1"
_CHARACTERISTIC = "org.bluez.GattCharacteristic1"
_ADVERTISEMENT = "org.bluez.LEAdvertisement1"


class FakeBluez(Peer):
    """One adapter, at most one application and one advertisement."""

    def __init__(self, address: str, *, powered: bool = True, adapter: bool = True) -> None:
        super().__init__(address)
        self.blocked = False
        self.client = ""
        self.characteristics: dict[str, tuple[str, list[str]]] = {}
        self.advertisement: dict[str, Any] = {}
        self.advertised: list[bytes] = []
        self.phones: dict[str, Phone] = {}
        self.refuse_advertisements = 0
        if adapter:
            self._add_adapter(powered=powered)
        self.methods = {
            f"{_GATT_MANAGER}.RegisterApplication": self._register_application,
            f"{_GATT_MANAGER}.UnregisterApplication": self._unregister_application,
            f"{_ADVERTISING_MANAGER}.RegisterAdvertisement": self._register_advertisement,
            f"{_ADVERTISING_MANAGER}.UnregisterAdvertisement": self._unregister_advertisement,
            f"{_DEVICE1}.Disconnect": self._disconnect,
        }

    def _add_adapter(self, *, powered: bool) -> None:
        self.objects[ADAPTER] = {
            _ADAPTER1: {"Powered": Variant("b", powered), "Pairable": Variant("b", True)},
            _GATT_MANAGER: {},
            _ADVERTISING_MANAGER: {},
        }

    async def start(self) -> FakeBluez:
        await self.connect()
        rule = f"type='signal',interface='{PROPERTIES}'"
        dbus = "org.freedesktop.DBus"
        await self.call(dbus, "/org/freedesktop/DBus", f"{dbus}.AddMatch", "s", rule)
        await self.bus.request_name("org.bluez")
        return self

    @property
    def adapter(self) -> dict[str, Any]:
        return {name: item.value for name, item in self.objects[ADAPTER][_ADAPTER1].items()}

    @property
    def service_data(self) -> bytes:
        (data,) = self.advertisement.get("ServiceData", {"": b""}).values()
        return bytes(data)

    def unplug(self) -> None:
        names = list(self.objects.pop(ADAPTER))
        self._lose_everything()
        self.emit("/", f"{OBJECT_MANAGER}.InterfacesRemoved", "oas", ADAPTER, names)

    def plug_in(self) -> None:
        self._add_adapter(powered=True)
        interfaces = self.objects[ADAPTER]
        self.emit("/", f"{OBJECT_MANAGER}.InterfacesAdded", "oa{sa{sv}}", ADAPTER, interfaces)

    def block(self) -> None:
        self.blocked = True
        self._lose_everything()
        self.change(ADAPTER, _ADAPTER1, Powered=Variant("b", False))

    def _lose_everything(self) -> None:
        self.characteristics = {}
        self.advertisement = {}

    def set_property(self, path: str, interface: str, name: str, value: Variant) -> Answer:
        if name == "Powered" and self.blocked:
            raise PeerError("org.bluez.Error.Failed", "Blocked through rfkill")
        return super().set_property(path, interface, name, value)

    async def _register_application(
        self, _path: str, sender: str, root: str, _options: dict[str, Any]
    ) -> Answer:
        if self.characteristics:
            raise PeerError("org.bluez.Error.AlreadyExists")
        (objects,) = await self.call(sender, root, f"{OBJECT_MANAGER}.GetManagedObjects")
        self.client = sender
        for path, interfaces in objects.items():
            if _CHARACTERISTIC in interfaces:
                properties = interfaces[_CHARACTERISTIC]
                self.characteristics[properties["UUID"]] = (path, properties["Flags"])
        return NOTHING

    def _unregister_application(self, _path: str, _sender: str, _root: str) -> Answer:
        if not self.characteristics:
            raise PeerError("org.bluez.Error.DoesNotExist")
        self.characteristics = {}
        return NOTHING

    async def _register_advertisement(
        self, _path: str, sender: str, path: str, _options: dict[str, Any]
    ) -> Answer:
        if self.refuse_advertisements:
            self.refuse_advertisements -= 1
            raise PeerError("org.bluez.Error.NotPermitted", "Maximum advertisements reached")
        if self.advertisement:
            raise PeerError("org.bluez.Error.AlreadyExists")
        (found,) = await self.call(sender, path, f"{PROPERTIES}.GetAll", "s", _ADVERTISEMENT)
        # bluetoothd 5.82 asks for this one by itself.
        try:
            await self.call(sender, path, f"{PROPERTIES}.Get", "ss", _ADVERTISEMENT, "TxPower")
        except PeerError as error:
            assert error.name == "org.freedesktop.DBus.Error.UnknownProperty"  # noqa: PT017
        self.advertisement = found
        self.advertised.append(self.service_data)
        return NOTHING

    def _unregister_advertisement(self, _path: str, _sender: str, _object: str) -> Answer:
        if not self.advertisement:
            raise PeerError("org.bluez.Error.DoesNotExist")
        self.advertisement = {}
        return NOTHING

    def _disconnect(self, path: str, _sender: str) -> Answer:
        self.phones[path].lose_link()
        return NOTHING

    def hear(self, message: Any) -> None:
        if message.member != "PropertiesChanged" or message.sender != self.client:
            return
        interface, changed, _gone = message.body
        if interface == _ADVERTISEMENT and self.advertisement:
            self.advertisement["ServiceData"] = {
                uuid: item.value for uuid, item in changed["ServiceData"].value.items()
            }
            self.advertised.append(self.service_data)
        for uuid, (path, flags) in self.characteristics.items():
            if interface == _CHARACTERISTIC and path == message.path:
                assert "notify" in flags
                for phone in self.phones.values():
                    phone.notified(uuid, bytes(changed["Value"].value))


class Phone:
    """A central that is connected, or not."""

    def __init__(
        self, bluez: FakeBluez, name: str, *, mtu: int = 185, paired: bool = False
    ) -> None:
        self._bluez = bluez
        self.path = f"{ADAPTER}/dev_{name}"
        self.mtu = mtu
        self._paired = paired
        self.is_connected = False
        self.told: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._subscribed: set[str] = set()
        self.on_lost: Any = None

    async def connect(self) -> Phone:
        bluez = self._bluez
        bluez.objects[self.path] = {
            _DEVICE1: {"Connected": Variant("b", False), "Paired": Variant("b", self._paired)}
        }
        bluez.phones[self.path] = self
        bluez.emit(
            "/",
            f"{OBJECT_MANAGER}.InterfacesAdded",
            "oa{sa{sv}}",
            self.path,
            bluez.objects[self.path],
        )
        self.is_connected = True
        bluez.change(self.path, _DEVICE1, Connected=Variant("b", True))
        return self

    def lose_link(self) -> None:
        self._bluez.phones.pop(self.path, None)
        self.is_connected = False
        self._subscribed.clear()
        if self.path in self._bluez.objects:
            self._bluez.change(self.path, _DEVICE1, Connected=Variant("b", False))
        if self.on_lost is not None:
            self.on_lost()

    async def read(self, uuid: str) -> bytes:
        value = b""
        while True:
            options = self._options()
            if value:
                options["offset"] = Variant("q", len(value))
            (piece,) = await self._call(uuid, "ReadValue", "a{sv}", options)
            value += bytes(piece)[: self.mtu - 1]
            if len(piece) < self.mtu - 1:
                return value

    async def write(self, uuid: str, octets: bytes, *, response: bool = True) -> None:
        _path, flags = self._bluez.characteristics[uuid]
        assert ("write" if response else "write-without-response") in flags
        kind = Variant("s", "request" if response else "command")
        # A long write arrives whole: BlueZ has put its prepared pieces together.
        try:
            options = {**self._options(), "type": kind}
            await self._call(uuid, "WriteValue", "aya{sv}", octets, options)
        except PeerError:
            # Where both kinds of write are offered BlueZ answers success without having asked.
            if "write-without-response" not in flags:
                raise

    async def subscribe(self, uuid: str) -> None:
        await self._call(uuid, "StartNotify")
        self._subscribed.add(uuid)

    def notified(self, uuid: str, value: bytes) -> None:
        if uuid in self._subscribed:
            self.told.put_nowait((uuid, value[: self.mtu - 3]))

    async def hears(self, uuid: str, *, within_s: float = 5.0) -> bytes:
        while True:
            told, value = await asyncio.wait_for(self.told.get(), within_s)
            if told == uuid:
                return value

    def _options(self) -> dict[str, Variant]:
        return {"device": Variant("o", self.path), "mtu": Variant("q", self.mtu)}

    async def _call(self, uuid: str, member: str, signature: str = "", *body: Any) -> list[Any]:
        if not self.is_connected:
            raise PeerError("not connected")
        path, _flags = self._bluez.characteristics[uuid]
        return await self._bluez.call(
            self._bluez.client, path, f"{_CHARACTERISTIC}.{member}", signature, *body
        )
