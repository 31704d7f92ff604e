"""NetworkManager over D-Bus, as an unprivileged user: scan, join as a trial, forget."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from sensed.provisioning import networks
from sensed.provisioning._bus import Bus, Signal
from sensed.provisioning.bus_objects import PROPERTIES, BusError, Variant
from sensed.provisioning.improv import SeenNetwork
from sensed.provisioning.networks import AccessPoint, Cause, DeviceState, Security
from sensed.secret import Secret

_log = structlog.get_logger(__name__)

NAME: Final = "org.freedesktop.NetworkManager"
PATH: Final = "/org/freedesktop/NetworkManager"
DEVICE: Final = NAME + ".Device"
WIRELESS: Final = NAME + ".Device.Wireless"
SETTINGS: Final = NAME + ".Settings"
PROFILE: Final = NAME + ".Settings.Connection"
_ACTIVE: Final = NAME + ".Connection.Active"
_ACCESS_POINT: Final = NAME + ".AccessPoint"

WIFI: Final = 2
"""NM_DEVICE_TYPE_WIFI."""

JOIN_LIMIT_S: Final = 78.0
"""NetworkManager gives association 25 s and DHCP 45 s; a client of ours gives up after 90 s."""

_SCAN_LIMIT_S: Final = 10.0
_RADIO_LIMIT_S: Final = 5.0
_ADDRESS_PAUSE_S: Final = 0.5
_UNDO_LIMIT_S: Final = 5.0
_EVENTS_KEPT: Final = 64

_ACTIVATED: Final = 2
_DEACTIVATED: Final = 4
"""NMActiveConnectionState."""


@dataclass(frozen=True, slots=True)
class JoinOutcome:
    """How a join ended: ``cause`` is ``None`` for success."""

    cause: Cause | None
    detail: str = ""
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Radio:
    """The Wi-Fi device in use."""

    path: str
    driver: str
    bands: int
    profile: str


class _JoinError(Exception):
    """The join ends with this cause."""

    def __init__(self, cause: Cause, detail: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.detail = detail


@dataclass(slots=True)
class _Attempt:
    """What is known of the join under way; ``reached`` is the device's furthest state."""

    radio: _Radio | None = None
    point: AccessPoint | None = None
    reached: int = 0

    def explain(self, cause: Cause) -> str:
        bands, driver = (self.radio.bands, self.radio.driver) if self.radio else (0, "")
        return networks.explained(cause, bands=bands, driver=driver, point=self.point)

    def hear(self, signal: Signal, device: str, active: str) -> bool:
        """Judge a signal: whether it says that the activation is complete; raises _JoinError."""
        if signal.path == device and signal.interface == DEVICE:
            new, _old, reason = signal.body
            self._device_changed(int(new), int(reason))
        elif signal.path == active:
            state, _reason = signal.body
            if state == _DEACTIVATED:
                raise _JoinError(networks.cause_of(0, self.reached))
            return bool(state == _ACTIVATED)
        return False

    def _device_changed(self, state: int, reason: int) -> None:
        if DeviceState.PREPARE <= state <= DeviceState.ACTIVATED:
            self.reached = state
        elif state == DeviceState.FAILED or (
            # Before PREPARE it is the end of what was active before.
            state <= DeviceState.DISCONNECTED and self.reached
        ):
            raise _JoinError(networks.cause_of(reason, self.reached))


class NetworkManager:
    """What set-up asks of NetworkManager; one join or scan at a time."""

    def __init__(self, bus: Bus) -> None:
        """Use ``bus``, after :meth:`start`."""
        self._bus = bus
        self._events: asyncio.Queue[Signal] | None = None
        self._scanned = asyncio.Event()
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Begin to hear NetworkManager, whether or not it runs. Raises BusError."""
        for below in ("/Devices", "/ActiveConnection"):
            await self._bus.listen(NAME, PATH + below, self._hear, below=True)

    async def scan(self) -> list[SeenNetwork]:
        """Return the networks that are seen, best first; what is known if a scan is refused.

        Raises BusError.
        """
        async with self._lock:
            try:
                radio = await self._usable_radio()
            except _JoinError as failed:
                detail = failed.detail or networks.DETAILS[failed.cause]
                raise BusError(failed.cause.value, detail) from None
            await self._rescan(radio, {})
            return networks.best_first(await self._access_points(radio))

    async def network_in_use(self) -> SeenNetwork | None:
        """Return the Wi-Fi network that the device is on, with its signal. Raises BusError."""
        for path, properties in await self._devices():
            if int(properties["State"]) == DeviceState.ACTIVATED:
                wireless = await self._bus.properties(NAME, path, WIRELESS)
                point = str(wireless.get("ActiveAccessPoint", "/"))
                if point != "/":
                    seen = await self._bus.properties(NAME, point, _ACCESS_POINT)
                    found = networks.best_first([AccessPoint.from_properties(point, seen)])
                    return found[0] if found else None
        return None

    async def join(self, ssid: bytes, password: Secret) -> JoinOutcome:
        """Try a network; keep its profile only once it has given an address.

        Whatever was there before is untouched when this fails.
        """
        async with self._lock:
            attempt = _Attempt()
            try:
                if not networks.is_ssid(ssid):
                    raise _JoinError(Cause.SSID_NOT_FOUND)
                async with asyncio.timeout(JOIN_LIMIT_S):
                    addresses = await self._attempt(attempt, ssid, password)
            except _JoinError as failed:
                return JoinOutcome(failed.cause, failed.detail or attempt.explain(failed.cause))
            except TimeoutError:
                cause = networks.cause_of_time_out(attempt.reached)
                return JoinOutcome(cause, attempt.explain(cause))
            except BusError as error:
                _log.debug("bus_refused", detail=str(error))
                cause = _cause_of_refusal(error)
                return JoinOutcome(cause, networks.DETAILS[cause])
            return JoinOutcome(None, addresses=addresses)

    async def join_again(self, device: str, profile: str) -> str:
        """Begin to join a saved network, unless the device is in use by now; return its name.

        Raises BusError.
        """
        async with self._lock:
            if await self._state(device) != DeviceState.DISCONNECTED:
                raise BusError("busy", "the device is in use")
            (settings,) = await self._bus.call(NAME, profile, f"{PROFILE}.GetSettings")
            await self._bus.call(
                NAME, PATH, f"{NAME}.ActivateConnection", "ooo", profile, device, "/"
            )
        return bytes(settings["802-11-wireless"]["ssid"]).decode(errors="backslashreplace")

    async def forget(self) -> int:
        """Delete every profile that set-up has made; return how many. Raises BusError."""
        ours = [
            path
            for path, name in await self._profile_names()
            if name.startswith(networks.PROFILE_PREFIX)
        ]
        for path in ours:
            await self._bus.call(NAME, path, f"{PROFILE}.Delete")
        return len(ours)

    async def set_hostname(self, name: str) -> None:
        """Rename the host for good. Raises BusError."""
        await self._bus.call(NAME, f"{PATH}/Settings", f"{SETTINGS}.SaveHostname", "s", name)

    # -- the device ------------------------------------------------------------------

    async def _usable_radio(self) -> _Radio:
        """Return the Wi-Fi device, its radio switched on: somebody asks for it to be used."""
        devices = await self._devices()
        if not devices:
            raise _JoinError(Cause.NO_WIFI)
        path, properties = devices[0]
        if int(properties["State"]) < DeviceState.DISCONNECTED:
            await self._switch_on(path)
        wireless = await self._bus.properties(NAME, path, WIRELESS)
        return _Radio(
            path,
            driver=str(properties.get("Driver", "")),
            bands=int(wireless.get("WirelessCapabilities", 0)),
            profile=await self._profile_in_use(str(properties.get("ActiveConnection", "/"))),
        )

    async def _devices(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the Wi-Fi devices that NetworkManager manages, the readiest first."""
        (paths,) = await self._bus.call(NAME, PATH, f"{NAME}.GetDevices")
        found = []
        for path in paths:
            with contextlib.suppress(BusError):  # one that has just gone
                found.append((path, await self._bus.properties(NAME, path, DEVICE)))
        wifi = [
            (path, properties)
            for path, properties in found
            if properties.get("DeviceType") == WIFI
            and int(properties.get("State", 0)) > DeviceState.UNMANAGED
        ]
        return sorted(wifi, key=lambda item: -int(item[1]["State"]))

    async def _switch_on(self, path: str) -> None:
        manager = await self._bus.properties(NAME, PATH, NAME)
        if not manager.get("WirelessHardwareEnabled", True):
            raise _JoinError(Cause.WIFI_BLOCKED)
        if not manager.get("WirelessEnabled", True):
            value = Variant("b", True)
            await self._bus.set_property(NAME, PATH, NAME, "WirelessEnabled", value)
        with contextlib.suppress(TimeoutError):
            async with self._listening() as events, asyncio.timeout(_RADIO_LIMIT_S):
                while await self._state(path) < DeviceState.DISCONNECTED:
                    await events.get()
                return
        raise _JoinError(Cause.WIFI_BLOCKED)

    async def _state(self, path: str) -> int:
        return int((await self._bus.properties(NAME, path, DEVICE)).get("State", 0))

    async def _profile_in_use(self, active: str) -> str:
        if active == "/":
            return ""
        try:
            return str((await self._bus.properties(NAME, active, _ACTIVE)).get("Connection", ""))
        except BusError:
            return ""  # It ended this moment.

    # -- looking around --------------------------------------------------------------

    async def _rescan(self, radio: _Radio, options: Mapping[str, Variant]) -> None:
        self._scanned.clear()
        try:
            await self._bus.call(
                NAME, radio.path, f"{WIRELESS}.RequestScan", "a{sv}", dict(options)
            )
        except BusError as error:
            # Refused while it scans already, or too soon after the last one: what is known
            # serves. Where nothing is, the scan under way, the first after a start, may find it.
            _log.debug("bus_refused", detail=str(error))
            if await self._access_points(radio):
                return
        try:
            async with asyncio.timeout(_SCAN_LIMIT_S):
                await self._scanned.wait()
        except TimeoutError:
            _log.debug("bus_refused", detail="the scan took too long")

    async def _access_points(self, radio: _Radio) -> list[AccessPoint]:
        (paths,) = await self._bus.call(NAME, radio.path, f"{WIRELESS}.GetAllAccessPoints")
        found = []
        for path in paths:
            # One that went out of sight since has no properties any more.
            with contextlib.suppress(BusError):
                properties = await self._bus.properties(NAME, path, _ACCESS_POINT)
                found.append(AccessPoint.from_properties(path, properties))
        return found

    async def _find(self, radio: _Radio, ssid: bytes) -> tuple[AccessPoint | None, bool]:
        """Return the strongest access point of a network and whether the network is hidden."""
        points = await self._access_points(radio)
        if not points:
            # The radio was off, or has only just come up.
            await self._rescan(radio, {})
            points = await self._access_points(radio)
        point = _strongest(points, ssid)
        if point is not None:
            return point, False
        await self._rescan(radio, {"ssids": Variant("aay", [ssid])})
        return _strongest(await self._access_points(radio), ssid), True

    # -- the trial -------------------------------------------------------------------

    async def _attempt(self, attempt: _Attempt, ssid: bytes, password: Secret) -> tuple[str, ...]:
        radio = attempt.radio = await self._usable_radio()
        point, hidden = await self._find(radio, ssid)
        attempt.point = point
        profile = _profile(ssid, password, point, hidden=hidden)
        trial = ""
        kept = False
        async with self._listening() as events:
            try:
                trial, active, _ = await self._bus.call(
                    NAME,
                    PATH,
                    f"{NAME}.AddAndActivateConnection2",
                    "a{sa{sv}}ooa{sv}",
                    profile,
                    radio.path,
                    point.path if point else "/",
                    {"persist": Variant("s", "memory"), "bind-activation": Variant("s", "none")},
                )
                addresses = await self._follow(attempt, radio.path, active, events)
                await self._keep(trial, profile)
                kept = True
            finally:
                if trial and not kept:
                    await self._undo(trial, radio)
        return addresses

    async def _follow(
        self, attempt: _Attempt, device: str, active: str, events: asyncio.Queue[Signal]
    ) -> tuple[str, ...]:
        """Return the addresses that the activation brings; raises _JoinError when it ends."""
        up = False
        while not up:
            up = attempt.hear(await events.get(), device, active)
        while not (addresses := await device_addresses(self._bus, device)):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ADDRESS_PAUSE_S):
                    attempt.hear(await events.get(), device, active)
        return addresses

    async def _keep(self, trial: str, profile: Mapping[str, Mapping[str, Variant]]) -> None:
        """Save the profile; it takes the place of an older one that set-up made for this SSID."""
        await self._bus.call(NAME, trial, f"{PROFILE}.Save")
        if (await self._bus.properties(NAME, trial, PROFILE)).get("Unsaved", False):
            raise _JoinError(Cause.NOT_SAVED)
        name = profile["connection"]["id"].value
        for path, other in await self._profile_names():
            if other == name and path != trial:
                with contextlib.suppress(BusError):
                    await self._bus.call(NAME, path, f"{PROFILE}.Delete")

    async def _undo(self, trial: str, radio: _Radio) -> None:
        """Take the trial back and return to the profile that was in use before it."""
        with contextlib.suppress(BusError, TimeoutError):
            async with asyncio.timeout(_UNDO_LIMIT_S):
                await self._bus.call(NAME, trial, f"{PROFILE}.Delete")
                if radio.profile:
                    await self._bus.call(
                        NAME,
                        PATH,
                        f"{NAME}.ActivateConnection",
                        "ooo",
                        radio.profile,
                        radio.path,
                        "/",
                    )

    async def _profile_names(self) -> list[tuple[str, str]]:
        (paths,) = await self._bus.call(NAME, f"{PATH}/Settings", f"{SETTINGS}.ListConnections")
        found = []
        for path in paths:
            with contextlib.suppress(BusError):
                (settings,) = await self._bus.call(NAME, path, f"{PROFILE}.GetSettings")
                found.append((path, str(settings.get("connection", {}).get("id", ""))))
        return found

    # -- signals ---------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def _listening(self) -> AsyncIterator[asyncio.Queue[Signal]]:
        self._events = asyncio.Queue(_EVENTS_KEPT)
        try:
            yield self._events
        finally:
            self._events = None

    def _hear(self, signal: Signal) -> None:
        if signal.interface == PROPERTIES and signal.body[0] == WIRELESS:
            if "LastScan" in signal.body[1]:
                self._scanned.set()
        elif signal.member == "StateChanged" and self._events is not None:
            # The newest are the ones that decide.
            if self._events.full():
                self._events.get_nowait()
            self._events.put_nowait(signal)


async def device_addresses(bus: Bus, device: str) -> tuple[str, ...]:
    """Return a device's addresses that are neither link-local nor loopback. Raises BusError."""
    properties = await bus.properties(NAME, device, DEVICE)
    found = []
    for family in ("4", "6"):
        path = str(properties.get(f"Ip{family}Config", "/"))
        if path == "/":
            continue
        with contextlib.suppress(BusError):
            config = await bus.properties(NAME, path, f"{NAME}.IP{family}Config")
            found += [str(entry["address"]) for entry in config.get("AddressData", [])]
    return tuple(sorted(address for address in found if _is_usable(address)))


def _is_usable(text: str) -> bool:
    address = ipaddress.ip_address(text)
    return not (address.is_link_local or address.is_loopback or address.is_unspecified)


def _strongest(points: list[AccessPoint], ssid: bytes) -> AccessPoint | None:
    named = [point for point in points if point.ssid == ssid]
    return max(named, key=lambda point: point.strength, default=None)


def _profile(
    ssid: bytes, password: Secret, point: AccessPoint | None, *, hidden: bool
) -> dict[str, dict[str, Variant]]:
    unseen = Security.PSK if password.reveal() else Security.OPEN
    security = point.security if point else unseen
    fault = networks.fault_of_password(security, password.reveal())
    if fault is not None:
        raise _JoinError(*fault)
    return networks.profile(ssid, security, password, hidden=hidden)


def _cause_of_refusal(error: BusError) -> Cause:
    if error.name.endswith(".PermissionDenied") or error.name.endswith(".AccessDenied"):
        return Cause.PERMISSION
    return Cause.NETWORK_MANAGER
