"""Facts in, finding out: Bluetooth, NetworkManager and what it allows, Wi-Fi."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sensed.doctor.findings import SUDO, Level, Rule, always
from sensed.doctor.machine import Switch
from sensed.provisioning import NetworkFacts, Trouble


@dataclass(frozen=True, slots=True)
class BluetoothFacts:
    """Why set-up over Bluetooth cannot be had (``None``: not seen), and the radio's switch."""

    trouble: Trouble | None
    text: str = ""
    soft: bool = False
    hard: bool = False


BLUETOOTH: Final[tuple[Rule[BluetoothFacts], ...]] = (
    Rule(
        lambda f: f.hard,
        Level.WARN,
        "Bluetooth is switched off in hardware.",
        "Switch it on, or remove dtoverlay=disable-bt from /boot/firmware/config.txt.",
    ),
    Rule(
        lambda f: f.soft,
        Level.WARN,
        "Bluetooth is blocked.",
        "sudo rfkill unblock bluetooth.",
    ),
    Rule(lambda f: f.trouble is Trouble.NONE, Level.OK, "Bluetooth can be used for set-up."),
    Rule(
        lambda f: f.trouble is Trouble.NO_BUS,
        Level.WARN,
        "There is no D-Bus, so there is no set-up over Bluetooth.",
        "sudo apt install dbus; sudo systemctl start dbus.",
    ),
    Rule(
        lambda f: f.trouble is Trouble.NO_BLUEZ,
        Level.WARN,
        "{f.text}",
        "sudo apt install bluez; sudo systemctl enable --now bluetooth.",
    ),
    Rule(
        lambda f: f.trouble is Trouble.NO_ADAPTER,
        Level.WARN,
        "{f.text}",
        "Plug one in, or remove dtoverlay=disable-bt from /boot/firmware/config.txt.",
    ),
    Rule(
        lambda f: f.trouble is not None,
        Level.WARN,
        "{f.text}",
        "sudo systemctl restart bluetooth.",
    ),
    Rule(always, Level.WARN, "BlueZ does not answer.", "sudo systemctl restart bluetooth."),
)

NETWORK_MANAGER: Final[tuple[Rule[NetworkFacts | None], ...]] = (
    Rule(
        lambda f: f is None,
        Level.WARN,
        "NetworkManager does not answer.",
        "sudo systemctl restart NetworkManager.",
    ),
    Rule(
        lambda f: f is not None and not f.available,
        Level.WARN,
        "NetworkManager does not run, so Wi-Fi cannot be set up from a phone.",
        "sudo apt install network-manager; sudo systemctl enable --now NetworkManager.",
    ),
    Rule(always, Level.OK, "NetworkManager runs."),
)


@dataclass(frozen=True, slots=True)
class PolkitFacts:
    """What the daemon may do (``None``: not told), and whether a rule for it is there."""

    network_manager: bool | None
    denied: bool | None
    rule: bool | None


_REINSTALL: Final = "Put its polkit rule back: sudo apt install --reinstall sensed polkitd."

POLKIT: Final[tuple[Rule[PolkitFacts], ...]] = (
    Rule(
        lambda f: f.denied,
        Level.WARN,
        "NetworkManager does not let sensed join networks.",
        _REINSTALL,
    ),
    Rule(lambda f: f.denied is False, Level.OK, "sensed may join networks."),
    Rule(lambda f: f.network_manager is False, Level.OK, "Not needed without NetworkManager."),
    Rule(lambda f: f.rule, Level.OK, "There is a rule that lets sensed join networks."),
    Rule(
        lambda f: f.rule is False,
        Level.WARN,
        "There is no rule that lets sensed join networks.",
        _REINSTALL,
    ),
    Rule(always, Level.WARN, "This user cannot see polkit's rules.", SUDO),
)


@dataclass(frozen=True, slots=True)
class WifiFacts:
    """The switches of the Wi-Fi radios and the country that the kernel was told."""

    switches: tuple[Switch, ...]
    country: str


_SET_COUNTRY: Final = "Set the country: sudo raspi-config nonint do_wifi_country NO (or SE, ...)."

WIFI: Final[tuple[Rule[WifiFacts], ...]] = (
    Rule(lambda f: not f.switches, Level.OK, "There is no Wi-Fi radio."),
    Rule(
        lambda f: all(switch.hard for switch in f.switches),
        Level.WARN,
        "Wi-Fi is switched off in hardware.",
        "Switch it on, or remove dtoverlay=disable-wifi from /boot/firmware/config.txt.",
    ),
    Rule(
        lambda f: all(switch.soft or switch.hard for switch in f.switches) and not f.country,
        Level.WARN,
        "Wi-Fi is blocked, as no country is set.",
        _SET_COUNTRY,
    ),
    Rule(
        lambda f: all(switch.soft or switch.hard for switch in f.switches),
        Level.WARN,
        "Wi-Fi is blocked, although the country is {f.country}.",
        "sudo rfkill unblock wifi.",
    ),
    Rule(
        lambda f: not f.country,
        Level.OK,
        "Wi-Fi is not blocked; the country is left to the access point.",
    ),
    Rule(always, Level.OK, "Wi-Fi is not blocked; the country is {f.country}."),
)
