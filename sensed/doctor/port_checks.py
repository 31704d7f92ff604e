"""Facts in, finding out: the port, who uses it, and what is heard there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sensed.doctor.findings import ASK_AS_ROOT, SUDO, Finding, Level, Rule, always, judge
from sensed.han.port import PortCause


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
        ASK_AS_ROOT,
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
