"""What each state looks like: colours and rhythms as data.

The number of flashes between two pauses tells the state, so that colour is never
its only carrier. Flashes come at 2.94 Hz, below the three a second of WCAG 2.3.1, and
no slower, so that the longest count is over well within two seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from sensed.status import Indicator


class Colour(NamedTuple):
    """Which of the three lines give light."""

    red: bool
    green: bool
    blue: bool


class Step(NamedTuple):
    """One colour for so long; infinitely long when steady."""

    colour: Colour
    seconds: float


Pattern = tuple[Step, ...]
"""Steps shown in order, over and over."""


class Signal(StrEnum):
    """What the light says besides the states."""

    IDENTIFY = "identify"


OFF: Final = Colour(red=False, green=False, blue=False)
RED: Final = Colour(red=True, green=False, blue=False)
GREEN: Final = Colour(red=False, green=True, blue=False)
BLUE: Final = Colour(red=False, green=False, blue=True)
YELLOW: Final = Colour(red=True, green=True, blue=False)
MAGENTA: Final = Colour(red=True, green=False, blue=True)
WHITE: Final = Colour(red=True, green=True, blue=True)

FLASH_S: Final = 0.17
GAP_S: Final = 0.17


def steady(colour: Colour) -> Pattern:
    """Return a pattern that never changes."""
    return (Step(colour, math.inf),)


def flashes(colour: Colour, count: int, *, pause_s: float) -> Pattern:
    """Return ``count`` flashes and a pause before they repeat."""
    flash = (Step(colour, FLASH_S), Step(OFF, GAP_S))
    return (*(flash * count)[:-1], Step(OFF, pause_s))


_COUNTS: Final[Mapping[str, tuple[int, float]]] = {
    Indicator.NOT_CONFIGURED: (1, 1.83),
    Indicator.NO_METER_DATA: (2, 1.25),
    Indicator.NO_IP: (3, 1.25),
    Indicator.NO_CLOUD: (4, 1.25),
}
"""Failed state to its number of flashes and the pause after them, in seconds."""


def _patterns(well: Colour, failed: Mapping[str, Colour]) -> Mapping[str, Pattern]:
    return {
        Indicator.STARTING: steady(WHITE),
        Indicator.ACTIVE: steady(well),
        Signal.IDENTIFY: flashes(WHITE, 1, pause_s=0.33),
        **{
            state: flashes(failed[state], count, pause_s=pause_s)
            for state, (count, pause_s) in _COUNTS.items()
        },
    }


PALETTES: Final[Mapping[str, Mapping[str, Pattern]]] = {
    "default": _patterns(
        GREEN,
        {
            Indicator.NOT_CONFIGURED: YELLOW,
            Indicator.NO_METER_DATA: RED,
            Indicator.NO_IP: MAGENTA,
            Indicator.NO_CLOUD: BLUE,
        },
    ),
    "colour_blind": _patterns(BLUE, dict.fromkeys(_COUNTS, YELLOW)),
}
"""Palette to state or signal to pattern. Blue and yellow are told apart by nearly everybody:
there the colour says well or not, and the count says what."""

PATTERNS: Final = PALETTES["default"]
DARK: Final = steady(OFF)
