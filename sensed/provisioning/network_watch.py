"""What NetworkManager knows of the network, as facts that follow its signals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sensed.backoff import Backoff
from sensed.provisioning._bus import Bus, Signal
from sensed.provisioning.bus_objects import BusError
from sensed.provisioning.network_objects import (
    DEVICE,
    NAME,
    PATH,
    PROFILE,
    SETTINGS,
    WIFI,
    device_addresses,
)
from sensed.provisioning.networks import DETAILS, Cause, DeviceState

_SETTLE_S: Final = 0.2
"""Changes come in bursts: everything is read once after them."""

# NM_DEVICE_TYPE
_KINDS: Final = {1: "ethernet", WIFI: "wifi", 5: "bluetooth", 8: "modem"}
_LOOPBACK: Final = 32
_USER_REQUESTED: Final = 39
"""NM_DEVICE_STATE_REASON_USER_REQUESTED."""
_NO_SECRETS: Final = 7
"""NM_DEVICE_STATE_REASON_NO_SECRETS: a handshake has failed and nobody has another password."""

_WATCHED_BELOW: Final = ("/Devices", "/Settings", "/IP4Config", "/IP6Config")
"""Not /AccessPoint: their strengths change all the time."""

_BLOCKED_BY_SWITCH: Final = "rfkill-hard"
_BLOCKED_BY_SOFTWARE: Final = "rfkill-soft"

ACTIONS: Final = tuple(
    f"{NAME}.{action}"
    for action in (
        "enable-disable-wifi",
        "network-control",
        "settings.modify.system",
        "wifi.scan",
    )
)
"""What polkit must grant for a join."""

HOSTNAME_ACTION: Final = f"{NAME}.settings.modify.hostname"


@dataclass(frozen=True, slots=True)
class ActiveLink:
    """A link that is up; ``kind`` is ethernet, wifi, bluetooth, modem or other."""

    interface: str
    kind: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reachable:
    """A Wi-Fi device and a saved network that it can reach, as NetworkManager's objects."""

    device: str
    profile: str


@dataclass(frozen=True, slots=True)
class _WifiProfile:
    is_saved: bool
    autoconnects: bool


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """What NetworkManager says. Without it (``available`` is false) nothing else is known.

    ``wifi_blocked`` is a stable code for why Wi-Fi cannot be used: no-wifi, rfkill-hard,
    rfkill-soft, unavailable, unmanaged. ``left_idle`` is what could be joined at once and is
    to be joined by itself; ``given_up`` is whether NetworkManager has taken the password of
    one of these for wrong. ``seeking`` are the devices that would join a saved network by
    themselves if it were in reach. ``missing_permissions`` are polkit actions.
    """

    available: bool = False
    wifi_profiles: int = 0
    active_links: tuple[ActiveLink, ...] = ()
    addresses: tuple[str, ...] = ()
    wifi_blocked: str | None = None
    left_idle: tuple[Reachable, ...] = ()
    given_up: bool = False
    seeking: tuple[str, ...] = ()
    missing_permissions: tuple[str, ...] = ()
    may_rename_host: bool = False

    @property
    def needs_wifi(self) -> bool:
        """Whether there is neither a saved Wi-Fi profile nor a link that is up."""
        return self.available and not self.wifi_profiles and not self.active_links

    @property
    def no_address(self) -> tuple[str, str]:
        """Why no link has an address, where none has: a stable code and a sentence."""
        if self.wifi_profiles and self.wifi_blocked in (_BLOCKED_BY_SWITCH, _BLOCKED_BY_SOFTWARE):
            return Cause.WIFI_BLOCKED.value, DETAILS[Cause.WIFI_BLOCKED]
        return "no_address", "No link has an address: check Wi-Fi, cable and DHCP."

    @property
    def trouble(self) -> tuple[str, str]:
        """Why set-up cannot join networks: a stable code and a sentence, both "" if it can."""
        if not self.available:
            return "absent", "NetworkManager does not answer."
        if self.missing_permissions:
            return Cause.PERMISSION.value, DETAILS[Cause.PERMISSION]
        return "", ""


class NetworkWatch:
    """Calls ``on_facts`` at start and at every change; nothing is polled."""

    def __init__(self, bus: Bus, on_facts: Callable[[NetworkFacts], None]) -> None:
        """Use ``bus`` for as long as it lives."""
        self._bus = bus
        self._on_facts = on_facts
        self._changed = asyncio.Event()
        self._wifi_profiles: dict[str, _WifiProfile] = {}
        self._stale: set[str] = set()
        self._refused: set[str] = set()
        self._granted: dict[str, str] = {}
        self._granted_stale = True

    async def run(self) -> None:
        """Watch until cancelled. Raises BusError when the bus is lost."""
        await self._bus.track(NAME, self._owner_changed)
        await self._bus.listen(NAME, PATH, self._hear)
        for below in _WATCHED_BELOW:
            await self._bus.listen(NAME, PATH + below, self._hear, below=True)
        known: NetworkFacts | None = None
        backoff = Backoff(1.0, 30.0)
        failures = 0
        while True:
            self._changed.clear()
            try:
                facts = await self._read() if self._bus.owner(NAME) else NetworkFacts()
            except BusError:
                # Something went away between two questions, or NetworkManager is very slow.
                facts = known or NetworkFacts()
                wait_s: float | None = backoff.delay_s(failures)
                failures += 1
            else:
                wait_s = None
                failures = 0
            if facts != known:
                known = facts
                self._on_facts(facts)
            await self._change(wait_s)

    async def _change(self, wait_s: float | None) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._changed.wait()
        except TimeoutError:
            return
        await asyncio.sleep(_SETTLE_S)

    def _owner_changed(self, _owned: bool) -> None:  # noqa: FBT001 - the bus calls it by position
        self._wifi_profiles.clear()
        self._refused.clear()
        self._granted_stale = True
        self._changed.set()

    def _hear(self, signal: Signal) -> None:
        if signal.path.startswith(f"{PATH}/Settings/"):
            self._stale.add(signal.path)
        if signal.member == "CheckPermissions":
            self._granted_stale = True
        if signal.interface == DEVICE and signal.member == "StateChanged":
            self._note_outcome(signal.path, signal.body)
        self._changed.set()

    def _note_outcome(self, device: str, body: list[Any]) -> None:
        """Note how an activation has ended: the device itself forgets it within a second."""
        state, _, reason = body
        if state == DeviceState.FAILED and reason == _NO_SECRETS:
            self._refused.add(device)
        elif state in (DeviceState.FAILED, DeviceState.ACTIVATED):
            self._refused.discard(device)

    # -- reading ---------------------------------------------------------------------

    async def _read(self) -> NetworkFacts:
        manager = await self._bus.properties(NAME, PATH, NAME)
        devices = [
            (path, await self._bus.properties(NAME, path, DEVICE))
            for path in manager.get("Devices", [])
        ]
        links = []
        for path, device in devices:
            number = int(device.get("DeviceType", 0))
            if number != _LOOPBACK and device.get("State") == DeviceState.ACTIVATED:
                addresses = await device_addresses(self._bus, path)
                kind = _KINDS.get(number, "other")
                links.append(ActiveLink(str(device.get("Interface", "")), kind, addresses))
        granted = await self._permissions()
        profiles = await self._read_wifi_profiles()
        left_idle = _left_idle(devices, profiles)
        return NetworkFacts(
            available=True,
            wifi_profiles=sum(profile.is_saved for profile in profiles.values()),
            active_links=tuple(sorted(links, key=lambda link: link.interface)),
            addresses=tuple(sorted({text for link in links for text in link.addresses})),
            wifi_blocked=_wifi_blocked(manager, [device for _, device in devices]),
            left_idle=left_idle,
            given_up=any(reachable.device in self._refused for reachable in left_idle),
            seeking=_seeking(devices, profiles, {reachable.device for reachable in left_idle}),
            missing_permissions=tuple(a for a in ACTIONS if granted.get(a) != "yes"),
            may_rename_host=granted.get(HOSTNAME_ACTION) == "yes",
        )

    async def _permissions(self) -> dict[str, str]:
        """Ask only when they may have changed: polkit works for seconds on a small board."""
        if self._granted_stale:
            self._granted_stale = False
            try:
                (granted,) = await self._bus.call(NAME, PATH, f"{NAME}.GetPermissions")
            except BusError:
                self._granted_stale = True
                raise
            self._granted = dict(granted)
        return self._granted

    async def _read_wifi_profiles(self) -> dict[str, _WifiProfile]:
        (paths,) = await self._bus.call(NAME, f"{PATH}/Settings", f"{SETTINGS}.ListConnections")
        keep = set(paths) - self._stale
        self._stale.clear()
        self._wifi_profiles = {
            path: known for path, known in self._wifi_profiles.items() if path in keep
        }
        for path in paths:
            if path not in self._wifi_profiles:
                self._wifi_profiles[path] = await self._judge(path)
        return self._wifi_profiles

    async def _judge(self, path: str) -> _WifiProfile:
        """Judge a profile; one that is on trial, or makes a hotspot, does not count."""
        unsaved = (await self._bus.properties(NAME, path, PROFILE)).get("Unsaved", False)
        (settings,) = await self._bus.call(NAME, path, f"{PROFILE}.GetSettings")
        wifi = settings.get("802-11-wireless", {"mode": ""})
        is_saved = not unsaved and wifi.get("mode", "infrastructure") == "infrastructure"
        autoconnects = bool(settings.get("connection", {}).get("autoconnect", True))
        return _WifiProfile(is_saved, is_saved and autoconnects)


def _waits(device: Mapping[str, Any]) -> bool:
    """Whether a Wi-Fi device is free, and may be used by itself."""
    return bool(
        device.get("DeviceType") == WIFI
        and device.get("State") == DeviceState.DISCONNECTED
        and device.get("Autoconnect", True)
        and device.get("StateReason", (0, 0))[1] != _USER_REQUESTED
    )


def _left_idle(
    devices: list[tuple[str, dict[str, Any]]], profiles: Mapping[str, _WifiProfile]
) -> tuple[Reachable, ...]:
    return tuple(
        Reachable(path, profile)
        for path, device in devices
        if _waits(device)
        for profile in device.get("AvailableConnections", [])
        if profile in profiles and profiles[profile].autoconnects
    )


def _seeking(
    devices: list[tuple[str, dict[str, Any]]],
    profiles: Mapping[str, _WifiProfile],
    found: set[str],
) -> tuple[str, ...]:
    """Return the devices that wait and have found nothing to join."""
    if not any(profile.autoconnects for profile in profiles.values()):
        return ()
    return tuple(path for path, device in devices if _waits(device) and path not in found)


def _wifi_blocked(manager: Mapping[str, Any], devices: list[dict[str, Any]]) -> str | None:
    states = [int(device.get("State", 0)) for device in devices if device.get("DeviceType") == WIFI]
    if not states:
        return "no-wifi"
    if max(states) >= DeviceState.DISCONNECTED:
        return None
    if not manager.get("WirelessHardwareEnabled", True):
        return _BLOCKED_BY_SWITCH
    if not manager.get("WirelessEnabled", True):
        return _BLOCKED_BY_SOFTWARE
    return "unavailable" if max(states) == DeviceState.UNAVAILABLE else "unmanaged"
