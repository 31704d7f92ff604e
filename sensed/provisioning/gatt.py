"""The set-up services as BlueZ sees them: a GATT application and its advertisement, as tables.

Source: BlueZ, org.bluez.GattService, org.bluez.GattCharacteristic and
org.bluez.LEAdvertisement; the Improv Wi-Fi specification and docs/setup-protocol.md for
what an advertisement holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sensed.errors import BugError
from sensed.provisioning import encrypted, improv
from sensed.provisioning.bus_objects import BusError, Handle, Interface, Method, Objects, Variant
from sensed.provisioning.encrypted import Endpoint
from sensed.provisioning.improv import Characteristic

ROOT: Final = "/org/sensed/setup"
ADVERTISEMENT: Final = "/org/sensed/advertisement"

GATT_SERVICE: Final = "org.bluez.GattService1"
GATT_CHARACTERISTIC: Final = "org.bluez.GattCharacteristic1"
LE_ADVERTISEMENT: Final = "org.bluez.LEAdvertisement1"

_LONGEST_NAME: Final = 29
"""A scan response has 31 octets, two of them before the name."""
_MOST_READERS: Final = 16

LEGACY_OCTETS: Final = 31
"""One octet more, and BlueZ would switch to extended advertising, which phones do not see."""

Attribute = Characteristic | Endpoint


@dataclass(frozen=True, slots=True)
class Service:
    """One GATT service: its flags per characteristic, and how long a write may be."""

    path: str
    uuid: str
    flags: Mapping[Attribute, tuple[str, ...]]
    longest_write: int


IMPROV: Final = Service(
    path=ROOT + "/service0",
    uuid=improv.SERVICE_UUID,
    flags={
        Characteristic.STATE: ("read", "notify"),
        Characteristic.ERROR: ("read", "notify"),
        Characteristic.COMMAND: ("write", "write-without-response"),
        Characteristic.RESULT: ("read", "notify"),
        Characteristic.CAPABILITIES: ("read",),
    },
    longest_write=512,
)
ENCRYPTED: Final = Service(
    path=ROOT + "/service1",
    uuid=encrypted.SERVICE_UUID,
    flags={
        Endpoint.INFO: ("read",),
        # Without response, errors would be lost.
        Endpoint.RX: ("write",),
        Endpoint.TX: ("notify",),
    },
    longest_write=encrypted.LONGEST_FRAME,
)
_SERVICE_OF: Final[Mapping[type[Attribute], Service]] = {
    Characteristic: IMPROV,
    Endpoint: ENCRYPTED,
}


class Server(Protocol):
    """Who answers for the characteristics; ``device`` is the client's object path."""

    def read(self, attribute: Attribute, device: str, mtu: int | None) -> bytes:
        """Return the attribute's value."""

    def write(self, attribute: Attribute, octets: bytes, device: str, mtu: int | None) -> bool:
        """Take a write; return false while others are served, or nobody is."""

    def released(self) -> None:
        """Note that BlueZ has dropped the advertisement."""


def path_of(attribute: Attribute) -> str:
    """Return a characteristic's object path."""
    service = _SERVICE_OF[type(attribute)]
    return f"{service.path}/char{list(service.flags).index(attribute)}"


def application(server: Server, services: Sequence[Service]) -> Objects:
    """Return the objects of the GATT application beneath :data:`ROOT`."""
    objects: dict[str, dict[str, Interface]] = {}
    for service in services:
        about = {"UUID": Variant("s", service.uuid), "Primary": Variant("b", True)}
        objects[service.path] = {GATT_SERVICE: Interface(about)}
        for attribute, flags in service.flags.items():
            properties = {
                "UUID": Variant("s", attribute.uuid),
                "Service": Variant("o", service.path),
                "Flags": Variant("as", list(flags)),
            }
            methods = _methods(server, service, attribute)
            objects[path_of(attribute)] = {GATT_CHARACTERISTIC: Interface(properties, methods)}
    return objects


def advertisement(server: Server, name: str, service: Service, service_data: bytes) -> Objects:
    """Return the advertisement object: everything but the name in at most 31 octets."""
    properties = {
        "Type": Variant("s", "peripheral"),
        "ServiceUUIDs": Variant("as", [service.uuid]),
        # For the flags alone; the adapter's own Discoverable concerns Bluetooth Classic too.
        "Discoverable": Variant("b", True),
        "LocalName": local_name_property(name),
        # Also beside the other service: Home Assistant expects it of a device it knows.
        "ServiceData": service_data_property(service_data),
    }
    octets = advertised_octets(properties)
    if octets > LEGACY_OCTETS:
        raise BugError(f"the advertisement has {octets} octets, more than {LEGACY_OCTETS}")

    def release(_body: list[Any]) -> Sequence[Any]:
        server.released()
        return []

    interface = Interface(properties, {"Release": Method("", "", release)})
    return {ADVERTISEMENT: {LE_ADVERTISEMENT: interface}}


def local_name_property(name: str) -> Variant:
    """Return the advertisement's LocalName property."""
    return Variant("s", name.encode()[:_LONGEST_NAME].decode(errors="ignore"))


def service_data_property(service_data: bytes) -> Variant:
    """Return the advertisement's ServiceData property; empty without any."""
    octets = {improv.SERVICE_DATA_UUID: Variant("ay", service_data)} if service_data else {}
    return Variant("a{sv}", octets)


def advertised_octets(properties: Mapping[str, Variant]) -> int:
    """Return how long BlueZ makes the advertising data; the name goes into the scan response.

    Source: Bluetooth Core Supplement, part A: each structure has a length and a type octet.
    """
    flags = 3 if properties["Discoverable"].value else 0
    uuids = 2 + 16 * len(properties["ServiceUUIDs"].value)
    # A UUID on Bluetooth's base UUID is sent as its 16 bits.
    data = sum(2 + 2 + len(item.value) for item in properties["ServiceData"].value.values())
    return flags + uuids + data


def _methods(server: Server, service: Service, attribute: Attribute) -> dict[str, Method]:
    flags = service.flags[attribute]
    methods = {}
    if "read" in flags:
        methods["ReadValue"] = Method("a{sv}", "ay", _reader(server, attribute))
    if "write" in flags:
        methods["WriteValue"] = Method("aya{sv}", "", _writer(server, service, attribute))
    if "notify" in flags:
        methods["StartNotify"] = methods["StopNotify"] = Method("", "", lambda _body: [])
    return methods


def _reader(server: Server, attribute: Attribute) -> Handle:
    begun: dict[str, bytes] = {}

    def read(body: list[Any]) -> Sequence[Any]:
        (options,) = body
        device = str(options.get("device", ""))
        offset = int(options.get("offset", 0))
        # A long value is read in pieces, which must be pieces of one value.
        if not offset or device not in begun:
            if len(begun) >= _MOST_READERS:
                begun.clear()
            begun[device] = server.read(attribute, device, _mtu(options))
        value = begun[device]
        if offset > len(value):
            raise BusError("org.bluez.Error.InvalidOffset", "beyond the value's end")
        return [value[offset:]]

    return read


def _writer(server: Server, service: Service, attribute: Attribute) -> Handle:
    def write(body: list[Any]) -> Sequence[Any]:
        value, options = body
        if options.get("offset", 0):
            raise BusError("org.bluez.Error.InvalidOffset", "commands are written whole")
        if len(value) > service.longest_write:
            raise BusError("org.bluez.Error.InvalidValueLength", "too long")
        device = str(options.get("device", ""))
        if not server.write(attribute, bytes(value), device, _mtu(options)):
            raise BusError("org.bluez.Error.NotAuthorized", "another client is being served")
        return []

    return write


def _mtu(options: Mapping[str, Any]) -> int | None:
    mtu = options.get("mtu")
    return None if mtu is None else int(mtu)
