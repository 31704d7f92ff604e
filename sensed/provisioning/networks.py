"""Wi-Fi as NetworkManager describes it: security, profiles, causes of failure. Pure tables.

Source: NetworkManager's D-Bus API reference (NM80211ApSecurityFlags, NMDeviceState,
NMDeviceStateReason, NMDeviceWifiCapabilities).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, Final

from sensed.provisioning.bus_objects import Variant
from sensed.provisioning.improv import SeenNetwork
from sensed.secret import Secret

PROFILE_PREFIX: Final = "sensed-"
"""Begins the name of every profile that set-up has made."""

_LONGEST_SSID: Final = 32
_PASSPHRASE_OCTETS: Final = range(8, 64)
_PSK: Final = re.compile(r"[0-9A-Fa-f]{64}")

# NM80211ApFlags and NM80211ApSecurityFlags.
_PRIVACY: Final = 0x1
_KEY_PSK: Final = 0x100
_KEY_802_1X: Final = 0x200
_KEY_SAE: Final = 0x400
_KEY_OWE: Final = 0x800
_KEY_OWE_TRANSITION: Final = 0x1000
_KEY_EAP_SUITE_B: Final = 0x2000

# NMDeviceWifiCapabilities.
_BANDS_KNOWN: Final = 0x100
_BAND_5_GHZ: Final = 0x400


class Cause(StrEnum):
    """Why a network could not be joined; stable codes."""

    WRONG_PASSWORD = "wrong-password"  # noqa: S105 - a cause, not a password
    SSID_NOT_FOUND = "ssid-not-found"
    NO_DHCP = "no-dhcp"
    SUPPLICANT = "supplicant"
    WIFI_BLOCKED = "wifi-blocked"
    NO_WIFI = "no-wifi"
    PERMISSION = "permission"
    SECURITY = "security-unsupported"
    HARDWARE = "hardware"
    NETWORK_MANAGER = "network-manager"
    TIMEOUT = "timeout"
    NOT_SAVED = "not-saved"


DETAILS: Final[Mapping[Cause, str]] = {
    Cause.WRONG_PASSWORD: "The network does not accept this password.",
    Cause.SSID_NOT_FOUND: "The network is not seen from here.",
    Cause.NO_DHCP: "The network gives no address: check the router's DHCP.",
    Cause.SUPPLICANT: "The network does not let the device in: check password and router mode.",
    Cause.WIFI_BLOCKED: (
        "Wi-Fi is blocked: set the Wi-Fi country (raspi-config) or unblock it (rfkill)."
    ),
    Cause.NO_WIFI: "There is no Wi-Fi adapter that NetworkManager may use.",
    Cause.PERMISSION: "NetworkManager does not let sensed do this: install its polkit rule.",
    Cause.SECURITY: "This kind of Wi-Fi security cannot be used with a password alone.",
    Cause.HARDWARE: "The Wi-Fi adapter failed: restart the device.",
    Cause.NETWORK_MANAGER: "NetworkManager refused or went away.",
    Cause.TIMEOUT: "Joining the network took too long.",
    Cause.NOT_SAVED: "The network works, but its profile could not be saved.",
}

ONLY_2_4_GHZ: Final = " This device only has 2.4 GHz."
WPA3_HINT: Final = (
    " The router is in WPA3 mode, which this adapter is known to fail in:"
    " switch it to WPA2, or use Ethernet or a USB Wi-Fi adapter."
)


class DeviceState(IntEnum):
    """The states of a network device that matter here (NMDeviceState)."""

    UNMANAGED = 10
    UNAVAILABLE = 20
    DISCONNECTED = 30
    PREPARE = 40
    IP_CONFIG = 70
    ACTIVATED = 100
    FAILED = 120


_REASONS: Final[Mapping[int, Cause]] = {
    3: Cause.NETWORK_MANAGER,  # NOW_UNMANAGED
    5: Cause.NO_DHCP,  # IP_CONFIG_UNAVAILABLE
    6: Cause.NO_DHCP,  # IP_CONFIG_EXPIRED
    7: Cause.WRONG_PASSWORD,  # NO_SECRETS
    8: Cause.SUPPLICANT,  # SUPPLICANT_DISCONNECT
    9: Cause.SUPPLICANT,  # SUPPLICANT_CONFIG_FAILED
    10: Cause.SUPPLICANT,  # SUPPLICANT_FAILED
    11: Cause.SUPPLICANT,  # SUPPLICANT_TIMEOUT
    15: Cause.NO_DHCP,  # DHCP_START_FAILED
    16: Cause.NO_DHCP,  # DHCP_ERROR
    17: Cause.NO_DHCP,  # DHCP_FAILED
    35: Cause.HARDWARE,  # FIRMWARE_MISSING
    36: Cause.HARDWARE,  # REMOVED
    40: Cause.HARDWARE,  # CARRIER
    53: Cause.SSID_NOT_FOUND,  # SSID_NOT_FOUND
}


class Security(StrEnum):
    """How a network is entered, as a profile's ``key-mgmt`` has it."""

    OPEN = ""
    OWE = "owe"
    PSK = "wpa-psk"
    SAE = "sae"
    UNSUPPORTED = "unsupported"

    @property
    def takes_password(self) -> bool:
        """Whether a password is needed."""
        return self in (Security.PSK, Security.SAE)


@dataclass(frozen=True, slots=True)
class AccessPoint:
    """One access point as NetworkManager sees it; ``strength`` in percent."""

    path: str
    ssid: bytes
    strength: int
    flags: int
    wpa_flags: int
    rsn_flags: int

    @classmethod
    def from_properties(cls, path: str, properties: Mapping[str, Any]) -> AccessPoint:
        """Read the properties of an AccessPoint object."""
        return cls(
            path=path,
            ssid=bytes(properties.get("Ssid", b"")),
            strength=int(properties.get("Strength", 0)),
            flags=int(properties.get("Flags", 0)),
            wpa_flags=int(properties.get("WpaFlags", 0)),
            rsn_flags=int(properties.get("RsnFlags", 0)),
        )

    @property
    def security(self) -> Security:
        """How it is entered; a network in transition counts as the older kind."""
        keys = self.wpa_flags | self.rsn_flags
        if keys & _KEY_PSK:
            return Security.PSK  # NetworkManager adds SAE by itself.
        if keys & _KEY_SAE:
            return Security.SAE
        if keys & _KEY_OWE:
            return Security.OWE
        if keys & (_KEY_802_1X | _KEY_EAP_SUITE_B) or self.flags & _PRIVACY:
            return Security.UNSUPPORTED
        return Security.OPEN

    @property
    def is_wpa3(self) -> bool:
        """Whether WPA3 is offered, alone or beside WPA2."""
        return bool(self.rsn_flags & _KEY_SAE)

    @property
    def auth(self) -> str:
        """The security in Improv's words."""
        words = [
            word
            for word, holds in (
                ("WPA", self.wpa_flags & _KEY_PSK),
                ("WPA2", self.rsn_flags & _KEY_PSK),
                ("WPA2 EAP", (self.wpa_flags | self.rsn_flags) & _KEY_802_1X),
                ("WPA3", self.rsn_flags & (_KEY_SAE | _KEY_EAP_SUITE_B)),
            )
            if holds
        ]
        if words:
            return "/".join(words)
        no_password = self.rsn_flags & (_KEY_OWE | _KEY_OWE_TRANSITION)
        return "WEP" if self.flags & _PRIVACY and not no_password else "NO"


def best_first(points: Iterable[AccessPoint]) -> list[SeenNetwork]:
    """Return each network that has a name a person can read once, the strongest first."""
    strongest: dict[str, AccessPoint] = {}
    for point in sorted(points, key=lambda point: -point.strength):
        try:
            name = point.ssid.decode()
        except UnicodeDecodeError:
            continue
        if is_ssid(point.ssid) and name.isprintable() and name.strip():
            strongest.setdefault(name, point)
    # 0 to 100 % stand for -100 to -50 dBm.
    return [
        SeenNetwork(name, point.strength // 2 - 100, point.auth)
        for name, point in strongest.items()
    ]


def fault_of_password(security: Security, password: str) -> tuple[Cause, str] | None:
    """Return why this password cannot be right for such a network, ``None`` if it may be."""
    if security is Security.UNSUPPORTED:
        return Cause.SECURITY, DETAILS[Cause.SECURITY]
    fault = ""
    if not security.takes_password:
        fault = "The network is open: leave the password empty." if password else ""
    elif not password:
        fault = "The network needs a password."
    elif security is Security.PSK and not _is_psk(password):
        fault = "A Wi-Fi password has 8 to 63 characters."
    return (Cause.WRONG_PASSWORD, fault) if fault else None


def _is_psk(password: str) -> bool:
    return bool(_PSK.fullmatch(password)) or len(password.encode()) in _PASSPHRASE_OCTETS


def is_ssid(ssid: bytes) -> bool:
    """Return whether this can be the name of a network."""
    return 0 < len(ssid) <= _LONGEST_SSID


def profile(
    ssid: bytes, security: Security, password: Secret, *, hidden: bool
) -> dict[str, dict[str, Variant]]:
    """Return the connection profile for a network, readable and owned by no user in particular."""
    settings: dict[str, dict[str, Variant]] = {
        "connection": {
            "id": Variant("s", PROFILE_PREFIX + ssid.decode(errors="backslashreplace")),
            "type": Variant("s", "802-11-wireless"),
            "autoconnect": Variant("b", True),
        },
        "802-11-wireless": {
            "ssid": Variant("ay", ssid),
            "mode": Variant("s", "infrastructure"),
            "hidden": Variant("b", hidden),
        },
        "ipv4": {"method": Variant("s", "auto")},
        "ipv6": {"method": Variant("s", "auto")},
    }
    if security is not Security.OPEN:
        keys = {"key-mgmt": Variant("s", security.value)}
        if security.takes_password:
            keys["psk"] = Variant("s", password.reveal())
            keys["psk-flags"] = Variant("u", 0)
        settings["802-11-wireless-security"] = keys
    return settings


def cause_of(reason: int, last_state: int) -> Cause:
    """Return why a join failed, from the device's reason and how far it had come."""
    known = _REASONS.get(reason)
    if known is not None:
        return known
    return Cause.NO_DHCP if last_state >= DeviceState.IP_CONFIG else Cause.NETWORK_MANAGER


def cause_of_time_out(last_state: int) -> Cause:
    """Return why a join did not end, from how far the device had come."""
    if last_state >= DeviceState.IP_CONFIG:
        return Cause.NO_DHCP
    return Cause.SUPPLICANT if last_state >= DeviceState.PREPARE else Cause.TIMEOUT


def explained(cause: Cause, *, bands: int, driver: str, point: AccessPoint | None) -> str:
    """Return one sentence for a person, with what is known of this hardware."""
    detail = DETAILS[cause]
    if cause is Cause.SSID_NOT_FOUND and bands & _BANDS_KNOWN and not bands & _BAND_5_GHZ:
        detail += ONLY_2_4_GHZ
    if cause is Cause.SUPPLICANT and driver == "brcmfmac" and point is not None and point.is_wpa3:
        detail += WPA3_HINT
    return detail
