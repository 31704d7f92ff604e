"""BlueZ over D-Bus: keeps the set-up services registered and advertised while they are wanted.

Level-triggered: whatever happens to bluetoothd or the adapter, what is there is compared
with what is wanted, and mended.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, Final

import structlog

from sensed.backoff import Backoff
from sensed.provisioning import gatt
from sensed.provisioning._bus import OBJECT_MANAGER, Bus, Signal
from sensed.provisioning.bus_objects import PROPERTIES, BusError, Variant

_log = structlog.get_logger(__name__)

NAME: Final = "org.bluez"
_NAMESPACE: Final = "/org/bluez"
_ADAPTER: Final = "org.bluez.Adapter1"
_DEVICE: Final = "org.bluez.Device1"
_GATT_MANAGER: Final = "org.bluez.GattManager1"
_ADVERTISING_MANAGER: Final = "org.bluez.LEAdvertisingManager1"

_CALL_S: Final = 8.0
_DOES_NOT_EXIST: Final = "org.bluez.Error.DoesNotExist"


class Presence(IntEnum):
    """How much of set-up there is on the air."""

    NONE = 0
    CONNECTABLE = 1
    ADVERTISED = 2


class Trouble(StrEnum):
    """Why set-up over Bluetooth cannot be had; stable codes, "" for none."""

    NONE = ""
    NO_BUS = "no-dbus"
    NO_BLUEZ = "no-bluez"
    NO_ADAPTER = "no-adapter"
    BLOCKED = "adapter-blocked"
    REFUSED = "refused"


_DETAILS: Final = {
    Trouble.NO_BLUEZ: "The service bluetooth is not running.",
    Trouble.NO_ADAPTER: "There is no Bluetooth adapter.",
}


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told what; ``device`` is an object path."""

    on_arrived: Callable[[str], None]
    on_gone: Callable[[str], None]
    on_trouble: Callable[[Trouble, str], None]


class Peripheral:
    """The set-up services on the first Bluetooth adapter."""

    def __init__(
        self,
        bus: Bus,
        server: gatt.Server,
        listeners: Listeners,
        *,
        name: str,
        services: Sequence[gatt.Service],
        service_data: bytes,
    ) -> None:
        """Be absent until :meth:`want` says otherwise; advertise the first of ``services``."""
        self._bus = bus
        self._listeners = listeners
        self._application = gatt.application(server, services)
        self._advertisement = gatt.advertisement(server, name, services[0], service_data)
        self._wanted = Presence.NONE
        self._adapter = ""
        self._registered = False
        self._advertised = False
        self._stale = False
        self._changed = asyncio.Event()
        self._connected: set[str] = set()

    def want(self, presence: Presence) -> None:
        """Have this much on the air from now on."""
        if presence is not self._wanted:
            self._wanted = presence
            self._changed.set()

    def notify(self, attribute: gatt.Attribute, value: bytes) -> None:
        """Send a value to every subscriber."""
        self._bus.properties_changed(
            gatt.path_of(attribute), gatt.GATT_CHARACTERISTIC, {"Value": Variant("ay", value)}
        )

    def advertise(self, service: gatt.Service, service_data: bytes) -> None:
        """Carry this service and these octets in every advertisement from now on."""
        uuids = Variant("as", [service.uuid])
        data = gatt.service_data_property(service_data)
        if self._properties["ServiceUUIDs"] != uuids:
            self._properties.update({"ServiceUUIDs": uuids, "ServiceData": data})
            self._advertise_anew()
        elif self._properties["ServiceData"] != data:
            self._properties["ServiceData"] = data
            if self._advertised:
                self._bus.properties_changed(
                    gatt.ADVERTISEMENT, gatt.LE_ADVERTISEMENT, {"ServiceData": data}
                )

    def rename(self, name: str) -> None:
        """Go by this name from now on."""
        local_name = gatt.local_name_property(name)
        if self._properties["LocalName"] != local_name:
            self._properties["LocalName"] = local_name
            self._advertise_anew()

    def _advertise_anew(self) -> None:
        self._stale = self._advertised
        self._changed.set()

    @property
    def _properties(self) -> dict[str, Variant]:
        return self._advertisement[gatt.ADVERTISEMENT][gatt.LE_ADVERTISEMENT].properties

    def advertisement_released(self) -> None:
        """Note that BlueZ has dropped the advertisement by itself."""
        self._advertised = False
        self._changed.set()

    def link_changed(self, device: str, *, connected: bool) -> None:
        """Note that a central is, or is no more, connected; a served one certainly is."""
        if connected and device not in self._connected:
            self._connected.add(device)
            self._listeners.on_arrived(device)
        elif not connected and device in self._connected:
            self._connected.discard(device)
            self._listeners.on_gone(device)

    async def hang_up(self, device: str, *, even_if_paired: bool) -> None:
        """Drop a central's link; nothing happens when there is none."""
        with contextlib.suppress(BusError):
            properties = await self._bus.properties(NAME, device, _DEVICE)
            if even_if_paired or not properties.get("Paired", False):
                await self._bus.call(NAME, device, f"{_DEVICE}.Disconnect", timeout_s=_CALL_S)

    async def run(self) -> None:
        """Keep what is wanted on the air until cancelled; then take it away."""
        for root, objects in (
            (gatt.ROOT, self._application),
            (gatt.ADVERTISEMENT, self._advertisement),
        ):
            self._bus.export(root, objects, only_from=NAME)
        await self._bus.track(NAME, self._owner_changed)
        await self._bus.listen(NAME, "/", self._hear, interface=OBJECT_MANAGER)
        await self._bus.listen(NAME, _NAMESPACE, self._hear, interface=PROPERTIES, below=True)
        try:
            await self._keep()
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._withdraw()

    # -- comparing -------------------------------------------------------------------

    async def _keep(self) -> None:
        backoff = Backoff(0.5, 8.0)
        failures = 0
        while True:
            self._changed.clear()
            retry_s = None
            try:
                trouble, text = await self._mend()
            except BusError as error:
                trouble, text = Trouble.REFUSED, f"BlueZ refused: {error.text}."
            if trouble in (Trouble.BLOCKED, Trouble.REFUSED):
                retry_s = backoff.delay_s(failures)
                failures += 1
            else:
                failures = 0
            self._listeners.on_trouble(trouble, text)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(retry_s):
                    await self._changed.wait()

    async def _mend(self) -> tuple[Trouble, str]:
        if not self._bus.owner(NAME):
            return Trouble.NO_BLUEZ, _DETAILS[Trouble.NO_BLUEZ]
        objects = await _objects(self._bus)
        adapter = _first_adapter(objects)
        if not adapter:
            return Trouble.NO_ADAPTER, _DETAILS[Trouble.NO_ADAPTER]
        if adapter != self._adapter:
            self._forget()
            self._adapter = adapter
            self._meet(objects)
        if self._wanted is Presence.NONE:
            await self._withdraw()
            return Trouble.NONE, ""
        properties = objects[adapter][_ADAPTER]
        if not properties.get("Powered", False):
            # Whatever was registered does not survive a loss of power reliably.
            await self._withdraw()
            try:
                await self._set("Powered", value=True)
            except BusError as error:
                return Trouble.BLOCKED, f"The Bluetooth adapter stays off: {error.text}."
        if properties.get("Pairable", False):
            await self._set("Pairable", value=False)
        await self._register()
        return Trouble.NONE, ""

    async def _register(self) -> None:
        if not self._registered:
            # The remains of a registration whose answer never came would be in the way.
            await self._quietly(f"{_GATT_MANAGER}.UnregisterApplication", gatt.ROOT)
            # Noted before the answer: whoever is cancelled meanwhile takes it back all the same.
            self._registered = True
            try:
                await self._ask(f"{_GATT_MANAGER}.RegisterApplication", "oa{sv}", gatt.ROOT, {})
            except BusError:
                self._registered = False
                raise
        wanted = self._wanted is Presence.ADVERTISED
        if self._stale and self._advertised:
            await self._stop_advertising()
        if wanted and not self._advertised:
            self._stale = False
            await self._quietly(
                f"{_ADVERTISING_MANAGER}.UnregisterAdvertisement", gatt.ADVERTISEMENT
            )
            self._advertised = True
            register = f"{_ADVERTISING_MANAGER}.RegisterAdvertisement"
            try:
                await self._ask(register, "oa{sv}", gatt.ADVERTISEMENT, {})
            except BusError:
                self._advertised = False
                raise
        elif self._advertised and not wanted:
            await self._stop_advertising()

    async def _withdraw(self) -> None:
        if self._advertised:
            await self._stop_advertising()
        if self._registered:
            self._registered = False
            await self._quietly(f"{_GATT_MANAGER}.UnregisterApplication", gatt.ROOT)

    async def _stop_advertising(self) -> None:
        self._advertised = False
        await self._quietly(f"{_ADVERTISING_MANAGER}.UnregisterAdvertisement", gatt.ADVERTISEMENT)

    def _forget(self) -> None:
        """Take note that BlueZ, or the adapter, has lost everything."""
        self._adapter = ""
        self._registered = False
        self._advertised = False
        for device in tuple(self._connected):
            self.link_changed(device, connected=False)

    def _meet(self, objects: dict[str, dict[str, dict[str, Any]]]) -> None:
        for path, interfaces in objects.items():
            if interfaces.get(_DEVICE, {}).get("Connected", False):
                self.link_changed(path, connected=True)

    # -- asking BlueZ ----------------------------------------------------------------

    async def _set(self, name: str, *, value: bool) -> None:
        await self._bus.set_property(NAME, self._adapter, _ADAPTER, name, Variant("b", value))

    async def _ask(self, method: str, signature: str, *body: Any) -> None:
        await self._bus.call(NAME, self._adapter, method, signature, *body, timeout_s=_CALL_S)

    async def _quietly(self, method: str, path: str) -> None:
        if not self._adapter or not self._bus.owner(NAME):
            return
        try:
            await self._ask(method, "o", path)
        except BusError as error:
            if error.name != _DOES_NOT_EXIST:
                _log.debug("bus_refused", detail=str(error))

    # -- hearing BlueZ ---------------------------------------------------------------

    def _owner_changed(self, _owned: bool) -> None:  # noqa: FBT001 - the bus calls it by position
        self._forget()
        self._changed.set()

    def _hear(self, signal: Signal) -> None:
        if signal.member == "InterfacesAdded":
            path, interfaces = signal.body
            if _ADAPTER in interfaces or _GATT_MANAGER in interfaces:
                self._changed.set()
            if interfaces.get(_DEVICE, {}).get("Connected", False):
                self.link_changed(path, connected=True)
        elif signal.member == "InterfacesRemoved":
            path, names = signal.body
            if path == self._adapter and {_ADAPTER, _GATT_MANAGER} & set(names):
                self._forget()
                self._changed.set()
            if _DEVICE in names:
                self.link_changed(path, connected=False)
        elif signal.member == "PropertiesChanged":
            name, changed, _gone = signal.body
            if name == _DEVICE and "Connected" in changed:
                self.link_changed(signal.path, connected=bool(changed["Connected"]))
            elif name == _ADAPTER and {"Powered", "Pairable"} & set(changed):
                self._changed.set()


async def look_for_adapter(bus: Bus) -> tuple[Trouble, str]:
    """Return what stands in the way of set-up over Bluetooth, as far as a look shows it.

    Raises BusError.
    """
    trouble = Trouble.NONE
    if not await bus.is_owned(NAME):
        trouble = Trouble.NO_BLUEZ
    elif not _first_adapter(await _objects(bus)):
        trouble = Trouble.NO_ADAPTER
    return trouble, _DETAILS.get(trouble, "")


async def _objects(bus: Bus) -> dict[str, dict[str, dict[str, Any]]]:
    (objects,) = await bus.call(NAME, "/", f"{OBJECT_MANAGER}.GetManagedObjects", timeout_s=_CALL_S)
    return dict(objects)


def _first_adapter(objects: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Return the first adapter that can be a peripheral, "" if there is none."""
    needed = {_ADAPTER, _GATT_MANAGER, _ADVERTISING_MANAGER}
    able = (path for path, interfaces in objects.items() if needed <= set(interfaces))
    return min(able, default="")
