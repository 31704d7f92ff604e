"""Facts in, finding out: one table per check of the device itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Final

from sensed.doctor.findings import SUDO, Finding, Level, Rule, always, judge
from sensed.doctor.machine import Switch
from sensed.han.port import PortCause
from sensed.provisioning import NetworkFacts, Trouble

_ASK: Final = "Run it as root (sudo sensed doctor), or join the group sensed."


class Contact(Enum):
    """How the daemon was reached."""

    ANSWERS = auto()
    FORBIDDEN = auto()
    SILENT = auto()
    ABSENT = auto()


# -- configuration ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ConfigurationFacts:
    """``error`` is why it is not right; ``hidden`` that this user does not see all of it."""

    error: str = ""
    hidden: bool = False
    broker: bool = False
    fuse: bool = False


CONFIGURATION: Final[tuple[Rule[ConfigurationFacts], ...]] = (
    Rule(
        lambda f: f.error and not f.hidden,
        Level.FAIL,
        "The configuration is wrong. {f.error}",
        "Mend it until this is content: sensed run --check-config.",
    ),
    Rule(
        lambda f: f.hidden and not (f.broker and f.fuse),
        Level.WARN,
        "This user cannot see all of the configuration.",
        SUDO,
    ),
    Rule(
        lambda f: not f.broker,
        Level.FAIL,
        "No broker is set, so nobody gets the readings.",
        "Set mqtt.host in /etc/sensed/sensed.toml, or set it up from a phone.",
    ),
    Rule(
        lambda f: not f.fuse,
        Level.WARN,
        "No main fuse is set, so chargers get the fail-safe current only.",
        "Set fuse.main_a to the main fuse's current in ampere.",
    ),
    Rule(always, Level.OK, "The configuration is right."),
)

# -- the daemon ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DaemonFacts:
    """Whether it answers, and its state in words."""

    contact: Contact
    words: str = ""


DAEMON: Final[tuple[Rule[DaemonFacts], ...]] = (
    Rule(lambda f: f.contact is Contact.ANSWERS, Level.OK, "It runs: {f.words}."),
    Rule(
        lambda f: f.contact is Contact.FORBIDDEN,
        Level.WARN,
        "This user may not ask the daemon.",
        _ASK,
    ),
    Rule(
        lambda f: f.contact is Contact.SILENT,
        Level.FAIL,
        "The daemon does not answer.",
        "Look at journalctl -x -u sensed, then sudo systemctl restart sensed.",
    ),
    Rule(
        always,
        Level.FAIL,
        "The daemon is not running.",
        "Start it: sudo systemctl start sensed.",
    ),
)

# -- adapter and meter -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AdapterFacts:
    """The port: why it cannot be opened, who else has it, and whether the service may use it.

    ``tried`` is false where nobody could or would try; ``allowed`` is ``None`` for what has
    no file mode. ``names`` are the programs that have the port open.
    """

    device: str
    tried: bool = True
    cause: PortCause | None = None
    user: str = "sensed"
    allowed: bool | None = None
    group: str = "dialout"
    names: tuple[str, ...] = ()

    @property
    def who(self) -> str:
        """The other programs in words."""
        return ", ".join(self.names) or "another program"


ADAPTER: Final[tuple[Rule[AdapterFacts], ...]] = (
    Rule(
        lambda f: f.cause is PortCause.NO_DEVICE,
        Level.FAIL,
        "There is no adapter at {f.device}.",
        "Plug the M-Bus adapter in, or set meter.port to its path.",
    ),
    Rule(
        lambda f: f.allowed is False,
        Level.FAIL,
        "The user {f.user} may not read {f.device}.",
        "sudo usermod -aG {f.group} {f.user}, then sudo systemctl restart sensed.",
    ),
    Rule(
        lambda f: f.cause is PortCause.PERMISSION and f.allowed,
        Level.WARN,
        "This user may not open {f.device}; {f.user} may.",
        SUDO,
    ),
    Rule(
        lambda f: f.cause is PortCause.PERMISSION,
        Level.FAIL,
        "Permission to open {f.device} is denied.",
        "sudo usermod -aG {f.group} {f.user}, then sudo systemctl restart sensed.",
    ),
    Rule(
        lambda f: f.cause is PortCause.BUSY or f.names,
        Level.FAIL,
        "{f.device} is in use by {f.who}.",
        "End that program, or set meter.port to another adapter.",
    ),
    Rule(
        lambda f: f.cause is PortCause.NOT_A_TTY,
        Level.FAIL,
        "{f.device} is not a serial device.",
        "Set meter.port to the adapter's path below /dev/serial/by-id.",
    ),
    Rule(
        lambda f: f.cause is PortCause.SETTINGS,
        Level.FAIL,
        "The adapter at {f.device} cannot do the line's format.",
        'Set meter.serial = "auto", or use another adapter.',
    ),
    Rule(
        lambda f: f.cause in (PortCause.UNREACHABLE, PortCause.CLOSED),
        Level.FAIL,
        "The serial server {f.device} does not answer or refuses.",
        "Check its address, and that nobody else is connected to it.",
    ),
    Rule(
        lambda f: f.cause is not None,
        Level.FAIL,
        "The adapter at {f.device} has failed.",
        "Unplug it and plug it in again.",
    ),
    Rule(
        lambda f: not f.tried,
        Level.WARN,
        "{f.device} was not tried, as the daemon may be reading it.",
        _ASK,
    ),
    Rule(always, Level.OK, "{f.device} can be used."),
)


@dataclass(frozen=True, slots=True)
class MeterFacts:
    """What the daemon hears, if it tells; ``line`` is the format found last, "" if none."""

    told: bool
    holds: bool | None = None
    text: str = ""
    remedy: str = ""
    age_s: float | None = None
    line: str = ""

    @property
    def line_words(self) -> str:
        """The line's format in words."""
        return f"; line format {self.line}" if self.line else ""

    @property
    def age(self) -> str:
        """The last list's age in words."""
        return "" if self.age_s is None else f", the last {self.age_s:.0f} s ago"


METER: Final[tuple[Rule[MeterFacts], ...]] = (
    Rule(lambda f: f.holds is False, Level.FAIL, "{f.text}", "{f.remedy}"),
    Rule(lambda f: f.holds, Level.OK, "Lists come{f.age}{f.line_words}."),
    Rule(
        lambda f: f.told,
        Level.WARN,
        "The daemon still waits for a first list{f.line_words}.",
        "Ask again in half a minute.",
    ),
    Rule(
        lambda f: f.line,
        Level.WARN,
        "Whether lists come is not known{f.line_words} when they came last.",
        "Start the daemon, or see what comes: sudo sensed capture FILE.",
    ),
    Rule(
        always,
        Level.WARN,
        "Whether lists come is not known, and no line format has been found or can be seen.",
        "Start the daemon, or see what comes: sudo sensed capture FILE.",
    ),
)


def meter(facts: MeterFacts) -> Finding:
    """Judge what is heard of the meter."""
    return judge("meter", facts, METER)


@dataclass(frozen=True, slots=True)
class ModemManagerFacts:
    """Whether it runs, and whether udev keeps it off the port; ``None`` is not known."""

    device: str
    there: bool
    runs: bool | None
    ignores: bool | None


MODEM_MANAGER: Final[tuple[Rule[ModemManagerFacts], ...]] = (
    Rule(lambda f: f.runs is False, Level.OK, "It does not run."),
    Rule(lambda f: not f.there, Level.OK, "There is no adapter that it could use."),
    Rule(lambda f: f.ignores, Level.OK, "It leaves {f.device} alone."),
    Rule(
        lambda f: f.runs and f.ignores is False,
        Level.WARN,
        "It runs and may write its commands into the meter's line at {f.device}.",
        "sudo systemctl mask --now ModemManager.",
    ),
    Rule(
        always,
        Level.WARN,
        "Whether it uses {f.device} could not be seen.",
        "If there is no modem: sudo systemctl mask --now ModemManager.",
    ),
)

# -- the light -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LightFacts:
    """What the daemon says (``holds``, ``text``), else what is there for it to use."""

    holds: bool | None = None
    text: str = ""
    chips: tuple[str, ...] = ()
    allowed: bool | None = None
    user: str = "sensed"
    library: str = ""


LIGHT: Final[tuple[Rule[LightFacts], ...]] = (
    Rule(lambda f: f.holds, Level.OK, "The daemon has the light's lines."),
    Rule(
        lambda f: not f.chips,
        Level.WARN,
        "There are no GPIO lines, so there is no light.",
        "On a Raspberry Pi, update its system; elsewhere go without: readings do not need it.",
    ),
    Rule(
        lambda f: f.allowed is False,
        Level.WARN,
        "The user {f.user} may not use the GPIO lines.",
        "sudo usermod -aG gpio {f.user}, then sudo systemctl restart sensed.",
    ),
    Rule(
        lambda f: f.library,
        Level.WARN,
        "{f.library}",
        "sudo apt install python3-gpiozero python3-lgpio.",
    ),
    Rule(
        lambda f: f.holds is False,
        Level.WARN,
        "{f.text}",
        "Set light.pins to lines that nothing else uses.",
    ),
    Rule(always, Level.OK, "The GPIO lines can be used."),
)

# -- Bluetooth, NetworkManager, polkit, Wi-Fi ------------------------------------------


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

# -- clock -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """``now``, the day ``made`` when this software was made, and whether NTP has set it."""

    now: datetime
    made: datetime
    synchronised: bool | None

    @property
    def shows(self) -> str:
        """The clock in words."""
        return f"{self.now:%Y-%m-%d %H:%M:%S} UTC"


_NTP: Final = "sudo timedatectl set-ntp true, and let UDP port 123 through the router."

CLOCK: Final[tuple[Rule[ClockFacts], ...]] = (
    Rule(
        lambda f: f.now < f.made,
        Level.FAIL,
        "The clock is wrong: {f.shows} is before this software was made.",
        _NTP,
    ),
    Rule(
        lambda f: f.synchronised is False,
        Level.WARN,
        "The clock has not been set from the network; it shows {f.shows}.",
        _NTP,
    ),
    Rule(lambda f: f.synchronised, Level.OK, "The clock is set from the network."),
    Rule(
        always,
        Level.WARN,
        "Who sets the clock could not be seen; it shows {f.shows}.",
        "Compare it with a watch, or ask timedatectl.",
    ),
)
