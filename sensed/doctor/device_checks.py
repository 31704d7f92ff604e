"""Facts in, finding out: configuration, daemon, light and clock, one table per check."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Final

from sensed.doctor.findings import ASK_AS_ROOT, SUDO, Level, Rule, always


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
        "Mend it until this is content: sudo sensed run --check-config.",
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
        ASK_AS_ROOT,
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
