"""NetworkManager over D-Bus, as an unprivileged user: scan, join as a trial, forget."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from sensed.provisioning import networks
from sensed.provisioning._bus import NO_REPLY, Bus, Signal
from sensed.provisioning.bus_objects import PROPERTIES, BusError, Variant
from sensed.provisioning.improv import SeenNetwork
from sensed.provisioning.network_objects import (
    ACCESS_POINT,
    ACTIVE,
    AGENTS,
    DEVICE,
    NAME,
    PATH,
    PROFILE,
    SETTINGS,
    WIFI,
    WIRELESS,
    profile_names,
)
from sensed.provisioning.networks import AccessPoint, Cause, DeviceState, Security
from sensed.provisioning.trial import JoinError, Radio, Trial
from sensed.secret import Secret

_log = structlog.get_logger(__name__)

JOIN_LIMIT_S: Final = 78.0
"""NetworkManager gives association 25 s and DHCP 45 s; a client of ours gives up after 90 s."""

_FORGET_LIMIT_S: Final = 25.0
_SCAN_LIMIT_S: Final = 10.0
_RADIO_LIMIT_S: Final = 5.0
_EVENTS_KEPT: Final = 64


@dataclass(frozen=True, slots=True)
class JoinOutcome:
    """How a join ended: ``cause`` is ``None`` for success."""

    cause: Cause | None
    detail: str = ""
    addresses: tuple[str, ...] = ()


class NetworkManager:
    """What set-up asks of NetworkManager; one join or scan at a time."""

    def __init__(self, bus: Bus) -> None:
        """Use ``bus``, after :meth:`start`."""
        self._bus = bus
        self._events: asyncio.Queue[Signal] | None = None
        self._scanned = asyncio.Event()
        self._lock = asyncio.Lock()
        self._joins: set[asyncio.Timeout] = set()
        self._forgotten = 0

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
            except JoinError as failed:
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
                    seen = await self._bus.properties(NAME, point, ACCESS_POINT)
                    found = networks.best_first([AccessPoint.from_properties(point, seen)])
                    return found[0] if found else None
        return None

    async def join(self, ssid: bytes, password: Secret) -> JoinOutcome:
        """Try a network; keep its profile only once it has given an address.

        Whatever was there before is untouched when this fails or is cancelled.
        """
        trial = Trial(self._bus)
        forgotten = self._forgotten
        try:
            if not networks.is_ssid(ssid):
                raise JoinError(Cause.SSID_NOT_FOUND)
            async with self._limited(), self._lock:
                addresses = await self._try(trial, ssid, password)
        except JoinError as failed:
            return JoinOutcome(failed.cause, failed.detail or trial.explain(failed.cause))
        except TimeoutError:
            if self._forgotten != forgotten:
                return JoinOutcome(Cause.TIMEOUT, "Set-up was reset meanwhile.")
            cause = networks.cause_of_time_out(trial.reached)
            return JoinOutcome(cause, trial.explain(cause))
        except BusError as error:
            _log.debug("bus_refused", detail=str(error))
            cause = _cause_of_refusal(error)
            return JoinOutcome(cause, networks.DETAILS[cause])
        return JoinOutcome(None, addresses=addresses)

    @contextlib.asynccontextmanager
    async def _limited(self) -> AsyncIterator[None]:
        """Bound a join; :meth:`forget` makes it end at once."""
        async with asyncio.timeout(JOIN_LIMIT_S) as limit:
            self._joins.add(limit)
            try:
                yield
            finally:
                self._joins.discard(limit)

    async def _try(self, trial: Trial, ssid: bytes, password: Secret) -> tuple[str, ...]:
        radio = trial.radio = await self._usable_radio()
        trial.point, hidden = await self._find(radio, ssid)
        profile = _profile(ssid, password, trial.point, hidden=hidden)
        async with self._listening() as events:
            return await trial.run(radio, profile, events)

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
            await self._lift_blocks()
        return bytes(settings["802-11-wireless"]["ssid"]).decode(errors="backslashreplace")

    async def _lift_blocks(self) -> None:
        """Let NetworkManager join again by itself what it has taken a wrong password for.

        It does so when an agent comes, who might know a better one (``secret_agent_registered``
        in nm-policy.c), and else never, not even once the network has been joined.
        """
        # The second even after a first that was refused: one that came too late is there still.
        for method, *arguments in (("Register", "s", "sensed"), ("Unregister",)):
            try:
                await self._bus.call(NAME, f"{PATH}/AgentManager", f"{AGENTS}.{method}", *arguments)
            except BusError as error:
                _log.debug("bus_refused", detail=str(error))

    async def look_around(self, device: str) -> None:
        """Begin to scan, unless the device is in use by now.

        Raises BusError; also where NetworkManager scans already.
        """
        async with self._lock:
            if await self._state(device) != DeviceState.DISCONNECTED:
                raise BusError("busy", "the device is in use")
            await self._bus.call(NAME, device, f"{WIRELESS}.RequestScan", "a{sv}", {})

    async def forget(self) -> int:
        """Delete every profile that set-up has made; return how many. Raises BusError.

        A join under way is given up first: its network would be saved afterwards.
        """
        self._forgotten += 1
        now_s = asyncio.get_running_loop().time()
        for limit in self._joins:
            if not limit.expired():
                limit.reschedule(now_s)
        try:
            async with asyncio.timeout(_FORGET_LIMIT_S), self._lock:
                ours = [
                    path
                    for path, name in await profile_names(self._bus)
                    if name.startswith(networks.PROFILE_PREFIX)
                ]
                for path in ours:
                    await self._bus.call(NAME, path, f"{PROFILE}.Delete")
        except TimeoutError:
            raise BusError(NO_REPLY, "it took too long") from None
        return len(ours)

    async def set_hostname(self, name: str) -> None:
        """Rename the host for good. Raises BusError."""
        await self._bus.call(NAME, f"{PATH}/Settings", f"{SETTINGS}.SaveHostname", "s", name)

    # -- the device ------------------------------------------------------------------

    async def _usable_radio(self) -> Radio:
        """Return the Wi-Fi device, its radio switched on: somebody asks for it to be used."""
        devices = await self._devices()
        if not devices:
            raise JoinError(Cause.NO_WIFI)
        path, properties = devices[0]
        if int(properties["State"]) < DeviceState.DISCONNECTED:
            await self._switch_on(path)
        wireless = await self._bus.properties(NAME, path, WIRELESS)
        return Radio(
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
            raise JoinError(Cause.WIFI_BLOCKED)
        if not manager.get("WirelessEnabled", True):
            value = Variant("b", True)
            await self._bus.set_property(NAME, PATH, NAME, "WirelessEnabled", value)
        with contextlib.suppress(TimeoutError):
            async with self._listening() as events, asyncio.timeout(_RADIO_LIMIT_S):
                while await self._state(path) < DeviceState.DISCONNECTED:
                    await events.get()
                return
        raise JoinError(Cause.WIFI_BLOCKED)

    async def _state(self, path: str) -> int:
        return int((await self._bus.properties(NAME, path, DEVICE)).get("State", 0))

    async def _profile_in_use(self, active: str) -> str:
        if active == "/":
            return ""
        try:
            return str((await self._bus.properties(NAME, active, ACTIVE)).get("Connection", ""))
        except BusError:
            return ""  # It ended this moment.

    # -- looking around --------------------------------------------------------------

    async def _rescan(self, radio: Radio, options: Mapping[str, Variant]) -> None:
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

    async def _access_points(self, radio: Radio) -> list[AccessPoint]:
        (paths,) = await self._bus.call(NAME, radio.path, f"{WIRELESS}.GetAllAccessPoints")
        found = []
        for path in paths:
            # One that went out of sight since has no properties any more.
            with contextlib.suppress(BusError):
                properties = await self._bus.properties(NAME, path, ACCESS_POINT)
                found.append(AccessPoint.from_properties(path, properties))
        return found

    async def _find(self, radio: Radio, ssid: bytes) -> tuple[AccessPoint | None, bool]:
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
        raise JoinError(*fault)
    return networks.profile(ssid, security, password, hidden=hidden)


def _cause_of_refusal(error: BusError) -> Cause:
    if error.name.endswith(".PermissionDenied") or error.name.endswith(".AccessDenied"):
        return Cause.PERMISSION
    return Cause.NETWORK_MANAGER
