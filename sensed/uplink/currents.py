"""From one list to the magnitude of each phase's current, L2 included where it is not sent.

In a net without neutral (IT, or TT at 230 V) the three line currents sum to zero, so
that |I2| <= |I1| + |I3|. Meters with two elements measure U12 with I1 and U32 with I3:
S1 + S3 = P + jQ fixes the angle between them but for its sign, and so I2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from sensed.han.reading import Quantity, Reading
from sensed.uplink.settings import Net, SafetySettings

ESTIMATE_MARGIN_A: Final = Decimal(3)
"""Added to an estimated L2 current, in ampere: beyond the error of 99 lists in 100."""

NOMINAL_V: Final = 230
_TENTH_A: Final = Decimal("0.1")
_SIXTY_DEGREES: Final = math.pi / 3
_CONSISTENT: Final = 0.05
"""How far the sides of the power triangle may miss each other, as a share of its size."""


class CurrentL2(StrEnum):
    """Where the current of L2 comes from."""

    MEASURED = "measured"
    BOUND = "bound"
    ESTIMATED = "estimated"


@dataclass(frozen=True, slots=True)
class PhaseCurrents:
    """Magnitudes in ampere, L1 first; one phase or three, in the order of the meter."""

    amperes: tuple[Decimal, ...]
    net: Net
    current_l2: CurrentL2

    @property
    def phases(self) -> int:
        """How many phases there are."""
        return len(self.amperes)

    @property
    def volts_when_even(self) -> float:
        """Power per ampere when all phases rise alike, in volt."""
        if self.phases == 1:
            return NOMINAL_V
        return NOMINAL_V * (3 if self.net == "TN" else math.sqrt(3))


class ElementL2:
    """Whether this meter measures L2: one that has shown a current there does."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.is_seen = False
        self._meter_id: str | None = None

    def received(self, reading: Reading) -> None:
        """Take a list; that of another meter begins anew."""
        if reading.meter_id not in (None, self._meter_id):
            self._meter_id = reading.meter_id
            self.is_seen = False
        self.is_seen = self.is_seen or bool(reading.current_l2_a)


def phase_currents(
    reading: Reading, settings: SafetySettings, *, has_l2: bool = False
) -> PhaseCurrents | None:
    """Return what ``reading`` says of every phase, or ``None`` where one stays unknown.

    A current of L2 that is exactly 0 counts as not sent, since some meters without that element
    fill it in so, except in a TN net, or with ``has_l2`` where the net is not told.
    """
    first, second, third = (
        None if current is None else abs(Decimal(current))
        for current in (reading.current_l1_a, reading.current_l2_a, reading.current_l3_a)
    )
    if first is None:
        return None
    if third is None:
        alone = second is None and settings.phases != 3  # noqa: PLR2004 - phases of the house
        return PhaseCurrents((first,), settings.net or "TN", CurrentL2.MEASURED) if alone else None
    real_zero = settings.net == "TN" or (settings.net is None and has_l2)
    if not second and not real_zero and (first or third):
        second = None
    if second is not None:
        measured = (first, second, third)
        return PhaseCurrents(measured, settings.net or "TN", CurrentL2.MEASURED)
    if settings.net == "TN":
        return None
    bound = first + third
    estimate = _estimated_l2(reading) if settings.estimate_l2 else None
    if estimate is None:
        return PhaseCurrents((first, bound, third), settings.net or "IT", CurrentL2.BOUND)
    second = min(estimate + ESTIMATE_MARGIN_A, bound)
    return PhaseCurrents((first, second, third), settings.net or "IT", CurrentL2.ESTIMATED)


def _estimated_l2(reading: Reading) -> Decimal | None:
    """Return the L2 current, rounded up, or ``None`` where the list does not determine it."""
    power = _difference(reading.power_import_w, reading.power_export_w)
    reactive = _difference(reading.reactive_power_import_var, reading.reactive_power_export_var)
    voltages = (reading.voltage_l1_v, reading.voltage_l3_v)
    currents = (reading.current_l1_a, reading.current_l3_a)
    if power is None or reactive is None or None in voltages or None in currents:
        return None
    u12, u32, i1, i3 = (abs(float(value or 0)) for value in (*voltages, *currents))
    side1, side3, whole = u12 * i1, u32 * i3, math.hypot(power, reactive)
    if not (u12 and u32) or _missed(side1, side3, whole):
        return None
    if not (side1 and side3):
        return _rounded_up(max(i1, i3))
    cosine = (whole**2 - side1**2 - side3**2) / (2 * side1 * side3)
    angle = math.acos(min(1.0, max(-1.0, cosine)))
    square = i1**2 + i3**2 + 2 * i1 * i3 * math.cos(_SIXTY_DEGREES + angle)
    return _rounded_up(math.sqrt(max(0.0, square)))


def _missed(side1: float, side3: float, whole: float) -> bool:
    sides = (side1, side3, whole)
    return 2 * max(sides) - sum(sides) > _CONSISTENT * max(*sides, NOMINAL_V)


def _difference(positive: Quantity | None, negative: Quantity | None) -> float | None:
    if positive is None:
        return None
    return float(positive - (negative or 0))


def _rounded_up(amperes: float) -> Decimal:
    return (Decimal(math.ceil(amperes * 10 - 1e-6)) * _TENTH_A).quantize(_TENTH_A)
