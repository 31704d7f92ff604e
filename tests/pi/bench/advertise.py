"""Runs on the Pi: a trivial GATT service and its advertisement, for proving the air.

A value that is written comes back as a notification, in capitals.
"""

# ruff: noqa: ANN201, ARG002, F722, F821, N802 - D-Bus names and types are names and annotations

import asyncio

from dbus_next import BusType, PropertyAccess
from dbus_next.aio import MessageBus
from dbus_next.service import ServiceInterface, dbus_property, method

SERVICE = "7d1b0001-5d7b-4c5d-9c5f-3a9a3a9a3a9a"
VALUE = "7d1b0002-5d7b-4c5d-9c5f-3a9a3a9a3a9a"
ROOT = "/bench"


class Application(ServiceInterface):
    pass


class Service(ServiceInterface):
    def __init__(self) -> None:
        super().__init__("org.bluez.GattService1")

    @dbus_property(access=PropertyAccess.READ)
    def UUID(self) -> "s":
        return SERVICE

    @dbus_property(access=PropertyAccess.READ)
    def Primary(self) -> "b":
        return True


class Characteristic(ServiceInterface):
    def __init__(self) -> None:
        super().__init__("org.bluez.GattCharacteristic1")
        self.value = b"bench"

    @dbus_property(access=PropertyAccess.READ)
    def UUID(self) -> "s":
        return VALUE

    @dbus_property(access=PropertyAccess.READ)
    def Service(self) -> "o":
        return ROOT + "/service0"

    @dbus_property(access=PropertyAccess.READ)
    def Flags(self) -> "as":
        return ["read", "write", "notify"]

    @dbus_property(access=PropertyAccess.READ)
    def Value(self) -> "ay":
        return self.value

    @method()
    def ReadValue(self, options: "a{sv}") -> "ay":
        return self.value

    @method()
    def WriteValue(self, value: "ay", options: "a{sv}"):
        self.value = bytes(value).upper()
        self.emit_properties_changed({"Value": self.value})

    @method()
    def StartNotify(self):
        pass

    @method()
    def StopNotify(self):
        pass


class Advertisement(ServiceInterface):
    def __init__(self) -> None:
        super().__init__("org.bluez.LEAdvertisement1")

    @dbus_property(access=PropertyAccess.READ)
    def Type(self) -> "s":
        return "peripheral"

    @dbus_property(access=PropertyAccess.READ)
    def ServiceUUIDs(self) -> "as":
        return [SERVICE]

    @method()
    def Release(self):
        pass


async def main() -> None:
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    bus.export(ROOT + "/service0", Service())
    bus.export(ROOT + "/service0/value", Characteristic())
    bus.export(ROOT + "/advertisement", Advertisement())
    adapter = "/org/bluez/hci0"
    proxy = bus.get_proxy_object("org.bluez", adapter, await bus.introspect("org.bluez", adapter))
    await proxy.get_interface("org.bluez.GattManager1").call_register_application(ROOT, {})
    await proxy.get_interface("org.bluez.LEAdvertisingManager1").call_register_advertisement(
        ROOT + "/advertisement", {}
    )
    await asyncio.sleep(3600)


asyncio.run(main())
