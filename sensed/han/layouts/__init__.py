"""Known meter lists as tables, and the matching of a telegram's body against them."""

from __future__ import annotations

from sensed.han.layouts.bind import in_fractions
from sensed.han.layouts.match import match
from sensed.han.layouts.terms import Binding, Kind, Match

__all__ = ["Binding", "Kind", "Match", "in_fractions", "match"]
