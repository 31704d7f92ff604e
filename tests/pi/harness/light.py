"""The light as an eye at the window sees it, read from the SoC's GPIO level register.

Source: BCM2835 ARM Peripherals, section 6.1, GPLEV0; on BCM2837 at 0x3f200034.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from harness.patience import PATIENCE_S

LEVELS_COMMAND = "xp /1wx 0x3f200034"
RED_LINE, GREEN_LINE, BLUE_LINE = 17, 27, 22

PAUSE_S = 0.75
"""Darkness from here on ends a group of flashes; shorter darkness parts two flashes."""

STEADY_S = 3.0
"""Light from here on is steady."""

_SAMPLE_S = 0.02
_RUNS_KEPT = 64
_COLOURS = {
    (False, False, False): "dark",
    (True, False, False): "red",
    (False, True, False): "green",
    (False, False, True): "blue",
    (True, True, False): "yellow",
    (True, False, True): "magenta",
    (False, True, True): "cyan",
    (True, True, True): "white",
}


@dataclass(frozen=True, slots=True)
class Look:
    """A colour and how many flashes come between two pauses; None when it is steady."""

    colour: str
    flashes: int | None = None

    def __str__(self) -> str:
        """Say it in words."""
        return f"{self.colour}, " + (f"{self.flashes} flashes" if self.flashes else "steady")


STATES = {
    "starting": Look("white"),
    "not_configured": Look("yellow", 1),
    "no_meter_data": Look("red", 2),
    "no_ip": Look("magenta", 3),
    "no_cloud": Look("blue", 4),
    "active": Look("green"),
}
"""What the manual promises for each state."""


@dataclass(frozen=True, slots=True)
class Run:
    """One colour, from when to when, in seconds."""

    colour: str
    start_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        """How long it was seen."""
        return self.end_s - self.start_s


def levels_of(answer: str) -> int:
    """Return the register in the monitor's answer; bit n is BCM line n."""
    return int(answer.partition(":")[2].split()[0], 16)


def colour_of(levels: int) -> str:
    """Return the colour that the light's three lines make."""
    red, green, blue = (bool(levels >> line & 1) for line in (RED_LINE, GREEN_LINE, BLUE_LINE))
    return _COLOURS[red, green, blue]


def add_sample(runs: list[Run], at_s: float, colour: str) -> None:
    """Lengthen the last run by a sample, or begin another; only the last runs are kept."""
    if runs:
        runs[-1] = Run(runs[-1].colour, runs[-1].start_s, at_s)
    if not runs or runs[-1].colour != colour:
        runs.append(Run(colour, at_s, at_s))
        del runs[:-_RUNS_KEPT]


def look_of(runs: list[Run]) -> Look | None:
    """Return what the light shows at the end of ``runs``, or None while it cannot be told.

    Steady: one colour for STEADY_S up to the end. Flashing: the last two whole groups
    between pauses agree in colour and number.
    """
    if not runs:
        return None
    last = runs[-1]
    if last.seconds >= STEADY_S:
        return Look(last.colour)
    looks = _groups(runs)[-2:]
    return looks[0] if len(looks) == 2 and looks[0] == looks[1] else None


def _groups(runs: list[Run]) -> list[Look | None]:
    """Return whole groups of flashes in order; None for a group of several colours."""
    groups: list[Look | None] = []
    flashes: list[str] | None = None  # None until the first pause: that group's start was missed
    for run in runs:
        if run.colour != "dark":
            if flashes is not None:
                flashes.append(run.colour)
        elif run.seconds >= PAUSE_S:
            if flashes:
                groups.append(Look(flashes[0], len(flashes)) if len(set(flashes)) == 1 else None)
            flashes = []
    return groups


class Light:
    """Watches the light through QEMU's monitor."""

    def __init__(
        self,
        monitor: Callable[[str], str],
        *,
        now_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._monitor = monitor
        self._now_s = now_s
        self._sleep = sleep

    def colour(self) -> str:
        """Return the colour of this moment."""
        return colour_of(levels_of(self._monitor(LEVELS_COMMAND)))

    def look(self, *, within_s: float = PATIENCE_S) -> Look:
        """Watch until it can be told what the light shows."""
        return self._watch(lambda _: True, "anything that can be told", within_s)

    def when_it_has_told(self, state: str, *, within_s: float = PATIENCE_S) -> tuple[float, float]:
        """Wait for a state's colour and for the last of its flashes; return when, monotonic.

        The two times are of the first glimpse and of the darkness after the last flash, the
        same for a steady light. Whether more flashes follow is for ``shows`` to tell.
        """
        wanted = STATES[state]
        runs: list[Run] = []
        deadline_s = self._now_s() + within_s
        while self._now_s() < deadline_s:
            colour = self.colour()
            if runs or colour == wanted.colour:
                add_sample(runs, self._now_s(), colour)
            flashes = [run for run in runs if run.colour == wanted.colour]
            if flashes and wanted.flashes is None:
                return flashes[0].start_s, flashes[0].start_s
            if len(flashes) == wanted.flashes and colour == "dark":
                return flashes[0].start_s, flashes[-1].end_s
            self._sleep(_SAMPLE_S)
        raise AssertionError(f"the light did not tell {state} within {within_s:.0f} s")

    def shows(self, state: str, *, within_s: float = PATIENCE_S) -> None:
        """Wait until the light shows a state, by colour and by number of flashes."""
        wanted = STATES[state]
        self._watch(lambda look: look == wanted, f"{state} ({wanted})", within_s)

    def keeps_showing(self, state: str, *, for_s: float) -> None:
        """Watch that the light shows nothing but a state for so long."""
        wanted = STATES[state]
        end_s = self._now_s() + for_s
        while self._now_s() < end_s:
            look = self.look()
            assert look == wanted, f"the light shows {look} instead of {state} ({wanted})"

    def _watch(self, enough: Callable[[Look], bool], wanted: str, within_s: float) -> Look:
        runs: list[Run] = []
        seen: list[str] = []
        deadline_s = self._now_s() + within_s
        while self._now_s() < deadline_s:
            add_sample(runs, self._now_s(), self.colour())
            look = look_of(runs)
            if look is not None:
                if enough(look):
                    return look
                if str(look) not in seen[-1:]:
                    seen.append(str(look))
            self._sleep(_SAMPLE_S)
        raise AssertionError(
            f"the light did not show {wanted} within {within_s:.0f} s; it showed, in order: "
            + ("; ".join(seen) or f"nothing that can be told (now {self.colour()})")
        )
