"""NetworkManager as far as an unprivileged client sees it, with its ways to fail."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dbus_fast import Variant

from tests.provisioning.peer import NOTHING, Answer, Peer, PeerError

NM = "org.freedesktop.NetworkManager"
PATH = "/org/freedesktop/NetworkManager"
WLAN = PATH + "/Devices/3"
ETHERNET = PATH + "/Devices/2"
_DEVICE = NM + ".Device"
_WIRELESS = NM + ".Device.Wireless"
_PROFILE = NM + ".Settings.Connection"
_ACTIVE = NM + ".Connection.Active"
_STEP_S = 0.004

WPA2, SAE, OWE, EAP = 0x100 | 0x8, 0x400, 0x800, 0x200
GOES_ON_FOR_EVER = -1
SAVES = frozenset({"Save"})


@dataclass
class House:
    """A network around: its security and what joining it leads to."""

    password: str = ""
    rsn: int = 0
    wpa: int = 0
    flags: int = 0
    strength: int = 60
    hidden: bool = False
    dhcp: bool = True
    reason: int | None = None
    stops_at: int = 0
    address: str = "192.168.1.7"


@dataclass
class Profile:
    settings: dict[str, Any]
    unsaved: bool = False
    houses: dict[str, House] = field(default_factory=dict)


class FakeNetworkManager(Peer):
    """One Wi-Fi device, one Ethernet device, and the houses around."""

    def __init__(self, address: str, houses: dict[str, House] | None = None) -> None:
        super().__init__(address)
        self.houses = houses or {}
        self.profiles: dict[str, Profile] = {}
        self.permissions = {
            f"{NM}.{action}": "yes"
            for action in (
                "enable-disable-wifi",
                "network-control",
                "settings.modify.system",
                "wifi.scan",
            )
        }
        self.refusal = ""
        self.may_scan = True
        self.can_save = True
        self.polkit_s = 0.0
        self.radio_obeys = True
        self.hostname = ""
        self.activated: list[str] = []
        self.agents: list[str] = []
        self.registers_too_late = False
        self.blocked: set[str] = set()
        self._serial = 0
        self._points: dict[bytes, str] = {}
        self._make_devices()
        self.methods = {
            f"{NM}.GetDevices": lambda *_: ("ao", [[ETHERNET, WLAN]]),
            f"{NM}.GetPermissions": lambda *_: ("a{ss}", [self.permissions]),
            f"{NM}.AddAndActivateConnection2": self._add_and_activate,
            f"{NM}.ActivateConnection": self._activate,
            f"{NM}.AgentManager.Register": self._register_agent,
            f"{NM}.AgentManager.Unregister": self._unregister_agent,
            f"{_WIRELESS}.RequestScan": self._request_scan,
            f"{_WIRELESS}.GetAllAccessPoints": self._access_points,
            f"{NM}.Settings.ListConnections": lambda *_: ("ao", [list(self.profiles)]),
            f"{NM}.Settings.SaveHostname": self._save_hostname,
            f"{_PROFILE}.GetSettings": self._get_settings,
            f"{_PROFILE}.Save": self._save,
            f"{_PROFILE}.Delete": self._delete,
        }

    def _make_devices(self) -> None:
        self.objects = {
            PATH + "/AgentManager": {},
            PATH: {
                NM: {
                    "Devices": Variant("ao", [ETHERNET, WLAN]),
                    "WirelessEnabled": Variant("b", True),
                    "WirelessHardwareEnabled": Variant("b", True),
                }
            },
            PATH + "/Settings": {f"{NM}.Settings": {}},
            ETHERNET: {_DEVICE: self._device("eth0", 1, 20)},
            WLAN: {
                _DEVICE: self._device("wlan0", 2, 30),
                _WIRELESS: {
                    "LastScan": Variant("x", 1),
                    "WirelessCapabilities": Variant("u", 0x300),
                },
            },
        }

    @staticmethod
    def _device(interface: str, kind: int, state: int) -> dict[str, Variant]:
        return {
            "Interface": Variant("s", interface),
            "DeviceType": Variant("u", kind),
            "State": Variant("u", state),
            "Driver": Variant("s", "brcmfmac"),
            "ActiveConnection": Variant("o", "/"),
            "Ip4Config": Variant("o", "/"),
            "Ip6Config": Variant("o", "/"),
            "Autoconnect": Variant("b", True),
            "AvailableConnections": Variant("ao", []),
            "StateReason": Variant("(uu)", [state, 0]),
        }

    async def start(self) -> FakeNetworkManager:
        await self.connect(NM)
        return self

    # -- what tests do ---------------------------------------------------------------

    def add_profile(self, ssid: str, *, name: str = "", mode: str = "infrastructure") -> str:
        path = self._new_path("Settings")
        self.profiles[path] = Profile(
            {
                "connection": {"id": Variant("s", name or ssid)},
                "802-11-wireless": {
                    "ssid": Variant("ay", ssid.encode()),
                    "mode": Variant("s", mode),
                },
            }
        )
        self.objects[path] = {_PROFILE: {"Unsaved": Variant("b", False)}}
        self.emit(PATH + "/Settings", f"{NM}.Settings.NewConnection", "o", path)
        return path

    def connect_cable(self, address: str = "10.0.0.2") -> None:
        self._give_address(ETHERNET, address)
        self.set_state(ETHERNET, 100, 0)

    def change_permission(self, action: str, answer: str) -> None:
        self.permissions[action] = answer
        self.emit(PATH, f"{NM}.CheckPermissions", "")

    def pull_cable(self) -> None:
        self.set_state(ETHERNET, 20, 40)

    def set_state(self, device: str, state: int, reason: int = 0) -> None:
        old = self.objects[device][_DEVICE]["State"].value
        why = Variant("(uu)", [state, reason])
        self.change(device, _DEVICE, State=Variant("u", state), StateReason=why)
        self.emit(device, f"{_DEVICE}.StateChanged", "uuu", state, old, reason)

    def block_wifi(self, *, hardware: bool = False, obeys: bool = False) -> None:
        self.radio_obeys = obeys
        name = "WirelessHardwareEnabled" if hardware else "WirelessEnabled"
        self.change(PATH, NM, **{name: Variant("b", False)})
        self.set_state(WLAN, 20)

    def reaches(self, *profiles: str) -> None:
        """Have these networks in reach."""
        self.change(WLAN, _DEVICE, AvailableConnections=Variant("ao", list(profiles)))

    def set_property(self, path: str, interface: str, name: str, value: Variant) -> Answer:
        super().set_property(path, interface, name, value)
        if name == "WirelessEnabled" and value.value and self.radio_obeys:
            self.later(_STEP_S, lambda: self.set_state(WLAN, 30))
        return NOTHING

    @property
    def saved(self) -> list[str]:
        return [
            profile.settings["connection"]["id"].value
            for profile in self.profiles.values()
            if not profile.unsaved
        ]

    # -- what clients ask ------------------------------------------------------------

    def _new_path(self, kind: str) -> str:
        self._serial += 1
        return f"{PATH}/{kind}/{self._serial}"

    def _request_scan(self, _path: str, _sender: str, options: dict[str, Any]) -> Answer:
        if not self.may_scan:
            raise PeerError(f"{_DEVICE}.NotAllowed", "Scanning not allowed at this time")
        asked = [bytes(ssid) for ssid in options.get("ssids", [])]
        self.later(_STEP_S, lambda: self.scans(asked))
        return NOTHING

    def scans(self, asked: Sequence[bytes] = ()) -> None:
        """End a scan, whoever has begun it."""
        for name, house in self.houses.items():
            if not house.hidden or name.encode() in asked:
                self._see(name.encode(), house)
        stamp = self.objects[WLAN][_WIRELESS]["LastScan"].value + 1
        self.change(WLAN, _WIRELESS, LastScan=Variant("x", stamp))

    def _see(self, ssid: bytes, house: House) -> None:
        path = self._points.setdefault(ssid, self._new_path("AccessPoint"))
        self.objects[path] = {
            f"{NM}.AccessPoint": {
                "Ssid": Variant("ay", ssid),
                "Strength": Variant("y", house.strength),
                "Flags": Variant("u", house.flags),
                "WpaFlags": Variant("u", house.wpa),
                "RsnFlags": Variant("u", house.rsn),
            }
        }

    def _access_points(self, _path: str, _sender: str) -> Answer:
        return "ao", [list(self._points.values())]

    async def _add_and_activate(
        self,
        _path: str,
        _sender: str,
        settings: dict[str, Any],
        device: str,
        _point: str,
        options: dict[str, Any],
    ) -> Answer:
        if self.refusal:
            raise PeerError(self.refusal, "refused")
        await asyncio.sleep(self.polkit_s)
        assert options == {"persist": "memory", "bind-activation": "none"}
        path = self._new_path("Settings")
        active = self._new_path("ActiveConnection")
        self.profiles[path] = Profile(_variants(settings), unsaved=True)
        self.objects[path] = {_PROFILE: {"Unsaved": Variant("b", True)}}
        self.objects[active] = {_ACTIVE: {"Connection": Variant("o", path)}}
        self.emit(PATH + "/Settings", f"{NM}.Settings.NewConnection", "o", path)
        self.change(device, _DEVICE, ActiveConnection=Variant("o", active))
        self._run_activation(settings, device, active)
        return "ooa{sv}", [path, active, {}]

    def _run_activation(self, settings: dict[str, Any], device: str, active: str) -> None:
        ssid = bytes(settings["802-11-wireless"]["ssid"]).decode(errors="replace")
        house = self.houses.get(ssid)
        states: list[tuple[int, int]] = [(40, 0), (50, 0), (60, 0), (50, 0)]
        if house is None:
            states += [(120, 53), (30, 0)]
        elif house.stops_at:
            states = [(state, 0) for state in range(40, house.stops_at + 1, 10)]
        elif house.reason is not None:
            states += [(120, house.reason), (30, 0)]
        elif _password(settings) != house.password:
            states += [(120, 7), (30, 0)]
        elif not house.dhcp:
            states += [(70, 0), (120, 5), (30, 0)]
        else:
            states += [(70, 0), (80, 0), (90, 0), (100, 0)]
        if self.objects[device][_DEVICE]["State"].value == 100:
            states = [(110, 60), (30, 60), *states]
        for number, (state, reason) in enumerate(states):
            self.later(
                _STEP_S * (number + 1),
                lambda state=state, reason=reason: self._step(device, active, state, reason, house),
            )

    def _step(self, device: str, active: str, state: int, reason: int, house: House | None) -> None:
        if state == 100 and house is not None:
            self._give_address(device, house.address)
            self._be_on(device, house)
        self.set_state(device, state, reason)
        if state == 100:
            self.emit(active, f"{_ACTIVE}.StateChanged", "uu", 2, 1)
        elif state == 120:
            self.emit(active, f"{_ACTIVE}.StateChanged", "uu", 4, 1)

    def _be_on(self, device: str, house: House) -> None:
        paths = [
            path for ssid, path in self._points.items() if self.houses.get(ssid.decode()) is house
        ]
        if paths:
            self.change(device, _WIRELESS, ActiveAccessPoint=Variant("o", paths[0]))

    def _give_address(self, device: str, address: str) -> None:
        path = self._new_path("IP4Config")
        entry = {"address": Variant("s", address), "prefix": Variant("u", 24)}
        self.objects[path] = {f"{NM}.IP4Config": {"AddressData": Variant("aa{sv}", [entry])}}
        self.change(device, _DEVICE, Ip4Config=Variant("o", path))

    def _activate(
        self, _path: str, _sender: str, profile: str, _device: str, _object: str
    ) -> Answer:
        self.activated.append(profile)
        return "o", [self._new_path("ActiveConnection")]

    def _register_agent(self, path: str, sender: str, name: str) -> Answer:
        assert path == f"{PATH}/AgentManager"
        assert len(name) >= 3
        if sender in self.agents:
            raise PeerError(f"{NM}.AgentManager.PermissionDenied", "already registered")
        self.agents.append(sender)
        if self.registers_too_late:
            self.registers_too_late = False
            raise PeerError("org.freedesktop.DBus.Error.NoReply", "polkit takes its time")
        self.blocked.clear()
        return NOTHING

    def _unregister_agent(self, _path: str, sender: str) -> Answer:
        if sender not in self.agents:
            raise PeerError(f"{NM}.AgentManager.NotRegistered", "not registered")
        self.agents.remove(sender)
        return NOTHING

    def _save_hostname(self, _path: str, _sender: str, name: str) -> Answer:
        self.hostname = name
        return NOTHING

    def _get_settings(self, path: str, _sender: str) -> Answer:
        shown = {
            group: {key: item for key, item in values.items() if key != "psk"}
            for group, values in self.profiles[path].settings.items()
        }
        return "a{sa{sv}}", [shown]

    def _save(self, path: str, _sender: str) -> Answer:
        if self.can_save:
            self.profiles[path].unsaved = False
            self.change(path, _PROFILE, Unsaved=Variant("b", False))
        return NOTHING

    def _delete(self, path: str, _sender: str) -> Answer:
        del self.profiles[path]
        del self.objects[path]
        self.emit(PATH + "/Settings", f"{NM}.Settings.ConnectionRemoved", "o", path)
        return NOTHING


def _password(settings: dict[str, Any]) -> str:
    return str(settings.get("802-11-wireless-security", {}).get("psk", ""))


def _variants(settings: dict[str, dict[str, Any]]) -> dict[str, dict[str, Variant]]:
    kinds = {str: "s", bool: "b", bytes: "ay", int: "u"}
    return {
        group: {key: Variant(kinds[type(item)], item) for key, item in values.items()}
        for group, values in settings.items()
    }
