"""Tying a value to the term that gives it its meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensed.han.clock import SIZE as CLOCK_SIZE
from sensed.han.layouts.terms import HIGHEST_VOLTAGE_V, NUMBERS, Binding, Kind, Term

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sensed.han.layouts.entries import Entry

_LARGEST_SCALER = 9
_VOLTAGE = "voltage"


def bind(term: Term, entry: Entry) -> Binding | None:
    """Tie a value to a term; None where type, unit or size contradict it."""
    node = entry.value
    if node.tag not in term.tags:
        return None
    if term.kind is Kind.CLOCK and node.end - node.start != CLOCK_SIZE:
        return None
    if term.kind not in NUMBERS:
        return Binding(term.key, term.kind, node)
    if term.exponent is not None:
        return Binding(term.key, term.kind, node, term.exponent)
    if entry.scaler is None or abs(entry.scaler) > _LARGEST_SCALER or entry.unit != term.unit:
        return None
    return Binding(term.key, term.kind, node, entry.scaler)


def with_voltages_settled(
    bindings: Sequence[Binding], finer: int | None
) -> tuple[tuple[Binding, ...], bool | None]:
    """Return bindings whose voltages are in volts, or with the exponent ``finer``; tell which.

    Meters that have both send nothing that tells them apart but the values: in volts one of
    them would be beyond any low voltage. None where there is no ``finer``.
    """
    if finer is None:
        return tuple(bindings), None
    if not in_fractions(b.node.value for b in bindings if b.key.startswith(_VOLTAGE)):
        return tuple(bindings), False
    settled = (b._replace(exponent=finer) if b.key.startswith(_VOLTAGE) else b for b in bindings)
    return tuple(settled), True


def in_fractions(voltages: Iterable[object]) -> bool:
    """Tell whether one of a list's ``voltages`` cannot be in volts."""
    return any(isinstance(value, int) and value > HIGHEST_VOLTAGE_V for value in voltages)
