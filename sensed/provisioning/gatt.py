"""The set-up service as BlueZ sees it: a GATT application and its advertisement, as tables.

Source: BlueZ, org.bluez.GattService, org.bluez.GattCharacteristic and
org.bluez.LEAdvertisement; the Improv Wi-Fi specification for what an advertisement holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from sensed.errors import BugError
from sensed.provisioning import improv
from sensed.provisioning.bus_objects import BusError, Handle, Interface, Method, Objects, Variant
from sensed.provisioning.improv import Characteristic

ROOT: Final = "/org/sensed/setup"
ADVERTISEMENT: Final = "/org/sensed/advertisement"
_SERVICE: Final = ROOT + "/service0"

GATT_SERVICE: Final = "org.bluez.GattService1"
GATT_CHARACTERISTIC: Final = "org.bluez.GattCharacteristic1"
LE_ADVERTISEMENT: Final = "org.bluez.LEAdvertisement1"

_LONGEST_VALUE: Final = 512
_LONGEST_NAME: Final = 29
"""A scan response has 31 octets, two of them before the name."""

LEGACY_OCTETS: Final = 31
"""One octet more, and BlueZ would switch to extended advertising, which phones do not see."""

_FLAGS: Final[Mapping[Characteristic, tuple[str, ...]]] = {
    Characteristic.STATE: ("read", "notify"),
    Characteristic.ERROR: ("read", "notify"),
    Characteristic.COMMAND: ("write", "write-without-response"),
    Characteristic.RESULT: ("read", "notify"),
    Characteristic.CAPABILITIES: ("read",),
}


class Server(Protocol):
    """Who answers for the characteristics; ``device`` is the client's object path."""

    def read(self, characteristic: Characteristic, device: str) -> bytes:
        """Return the characteristic's value."""

    def write(self, octets: bytes, device: str, mtu: int | None) -> bool:
        """Take a write to the command characteristic; return false while others are served."""

    def released(self) -> None:
        """Note that BlueZ has dropped the advertisement."""


def path_of(characteristic: Characteristic) -> str:
    """Return a characteristic's object path."""
    return f"{_SERVICE}/char{characteristic - Characteristic.STATE}"


def application(server: Server) -> Objects:
    """Return the objects of the GATT application beneath :data:`ROOT`."""
    service = Interface({"UUID": Variant("s", improv.SERVICE_UUID), "Primary": Variant("b", True)})
    objects: dict[str, dict[str, Interface]] = {_SERVICE: {GATT_SERVICE: service}}
    for characteristic, flags in _FLAGS.items():
        properties = {
            "UUID": Variant("s", characteristic.uuid),
            "Service": Variant("o", _SERVICE),
            "Flags": Variant("as", list(flags)),
        }
        methods = _methods(server, characteristic)
        objects[path_of(characteristic)] = {GATT_CHARACTERISTIC: Interface(properties, methods)}
    return objects


def advertisement(server: Server, name: str, service_data: bytes) -> Objects:
    """Return the advertisement object: everything but the name in exactly 31 octets."""
    properties = {
        "Type": Variant("s", "peripheral"),
        "ServiceUUIDs": Variant("as", [improv.SERVICE_UUID]),
        "ServiceData": service_data_property(service_data),
        # For the flags alone; the adapter's own Discoverable concerns Bluetooth Classic too.
        "Discoverable": Variant("b", True),
        "LocalName": Variant("s", name.encode()[:_LONGEST_NAME].decode(errors="ignore")),
    }
    octets = advertised_octets(properties)
    if octets != LEGACY_OCTETS:
        raise BugError(f"the advertisement has {octets} octets instead of {LEGACY_OCTETS}")

    def release(_body: list[Any]) -> Sequence[Any]:
        server.released()
        return []

    interface = Interface(properties, {"Release": Method("", "", release)})
    return {ADVERTISEMENT: {LE_ADVERTISEMENT: interface}}


def service_data_property(service_data: bytes) -> Variant:
    """Return the advertisement's ServiceData property."""
    return Variant("a{sv}", {improv.SERVICE_DATA_UUID: Variant("ay", service_data)})


def advertised_octets(properties: Mapping[str, Variant]) -> int:
    """Return how long BlueZ makes the advertising data; the name goes into the scan response.

    Source: Bluetooth Core Supplement, part A: each structure has a length and a type octet.
    """
    flags = 3 if properties["Discoverable"].value else 0
    uuids = 2 + 16 * len(properties["ServiceUUIDs"].value)
    # A UUID on Bluetooth's base UUID is sent as its 16 bits.
    data = sum(2 + 2 + len(item.value) for item in properties["ServiceData"].value.values())
    return flags + uuids + data


def _methods(server: Server, characteristic: Characteristic) -> dict[str, Method]:
    flags = _FLAGS[characteristic]
    methods = {}
    if "read" in flags:
        methods["ReadValue"] = Method("a{sv}", "ay", _reader(server, characteristic))
    if "write" in flags:
        methods["WriteValue"] = Method("aya{sv}", "", _writer(server))
    if "notify" in flags:
        methods["StartNotify"] = methods["StopNotify"] = Method("", "", lambda _body: [])
    return methods


def _reader(server: Server, characteristic: Characteristic) -> Handle:
    def read(body: list[Any]) -> Sequence[Any]:
        (options,) = body
        value = server.read(characteristic, str(options.get("device", "")))
        offset = int(options.get("offset", 0))
        if offset > len(value):
            raise BusError("org.bluez.Error.InvalidOffset", "beyond the value's end")
        return [value[offset:]]

    return read


def _writer(server: Server) -> Handle:
    def write(body: list[Any]) -> Sequence[Any]:
        value, options = body
        if options.get("offset", 0):
            raise BusError("org.bluez.Error.InvalidOffset", "commands are written whole")
        if len(value) > _LONGEST_VALUE:
            raise BusError("org.bluez.Error.InvalidValueLength", "too long")
        mtu = options.get("mtu")
        device = str(options.get("device", ""))
        if not server.write(bytes(value), device, None if mtu is None else int(mtu)):
            raise BusError("org.bluez.Error.NotAuthorized", "another client is being served")
        return []

    return write
