"""Tying a value to the term that gives it its meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensed.han.clock import SIZE as CLOCK_SIZE
from sensed.han.layouts.terms import NUMBERS, Binding, Kind, Term

if TYPE_CHECKING:
    from sensed.han.layouts.entries import Entry

_LARGEST_SCALER = 9


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
