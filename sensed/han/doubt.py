"""Doubt about readings that no check of 16 bits or more protects.

A meter's lists always carry the same quantities in the same form, its registers never fall
and rise no faster than a grid connection allows, and its voltages, currents and powers are
those of a low-voltage grid. What contradicts that is damage, or a change that the next list
confirms. Powers are not weighed against phases, voltages and currents: meters average them
over different times, so true lists contradict themselves whenever a load switches.
"""

from __future__ import annotations

import re
from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from sensed.han.layouts.terms import HIGHEST_VOLTAGE_V
from sensed.han.reading import READING_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensed.han.reading import Quantity, Reading

_MAX_SOURCES = 8
_BELIEVED = 4
_NAMES = READING_KEYS[:3]
_REGISTERS = tuple(key for key in READING_KEYS if "energy" in key)
_HIGHEST_W = 10_000_000  # more than any connection to a low-voltage grid carries
_HIGHEST: tuple[tuple[str, int], ...] = (
    ("_v", HIGHEST_VOLTAGE_V),
    ("_a", 20_000),
    ("_w", _HIGHEST_W),
    ("_var", _HIGHEST_W),
)
_RISE_WH = 1000  # in any time: clocks differ by seconds
_LONGEST_S = 86_400.0
_HOUR_S = 3600.0
_PADDED = re.compile(r"0\d")
_DIGITS = str.maketrans("123456789", "0" * 9)


class Doubt:
    """Remembers what was believed of each source."""

    def __init__(self) -> None:
        """Know nothing: the first reading of a source is believed unless it is impossible."""
        self._believed: dict[bytes, deque[_Seen]] = {}
        self._doubted: tuple[bytes, _Seen] | None = None

    def believes(
        self, source: bytes, reading: Reading, texts: Mapping[str, str] | None = None
    ) -> bool:
        """Tell whether ``reading`` agrees with one of its source's last, or with one just doubted.

        ``texts`` are the measured values as written, by code, and the identification, where
        they come as text; then names and the form of values are compared too. Of other lists
        that is done octet by octet (:class:`sensed.han.lists.ListReader`).
        """
        seen = _seen(reading, texts)
        known = self._believed.get(source)
        agrees = any(seen.follows(before) for before in known) if known else seen.possible
        if not agrees:
            doubted, self._doubted = self._doubted, (source, seen)
            if doubted is None or doubted[0] != source or not seen.follows(doubted[1]):
                return False
        self._doubted = None
        if known is None:
            known = self._believed[source] = deque(maxlen=_BELIEVED)
            if len(self._believed) > _MAX_SOURCES:
                del self._believed[next(iter(self._believed))]
        known.append(seen)
        return True


class _Seen(NamedTuple):
    """What is compared of a reading."""

    shape: tuple[object, ...]
    possible: bool
    clock: datetime | None
    numbers: Mapping[str, Quantity]
    texts: Mapping[str, str]

    def follows(self, before: _Seen) -> bool:
        """Tell whether the meter that said ``before`` may say this."""
        if self.shape != before.shape or (before.possible and not self.possible):
            return False
        most = _RISE_WH + _HIGHEST_W * _seconds(before.clock, self.clock) / _HOUR_S
        return all(
            0 <= self.numbers[key] - before.numbers[key] <= most
            for key in _REGISTERS
            if key in self.numbers and key in before.numbers
        ) and all(_same_form(text, before.texts[code]) for code, text in self.texts.items())


def _seen(reading: Reading, texts: Mapping[str, str] | None) -> _Seen:
    present = reading.present()
    shape: tuple[object, ...] = tuple(present)
    if texts is not None:
        shape += (*texts, texts.get(""), *(present.get(key) for key in _NAMES))
    numbers = {key: value for key, value in present.items() if not isinstance(value, str)}
    return _Seen(
        shape,
        all(_possible(key, value) for key, value in numbers.items()),
        _moment(reading.meter_clock) if reading.meter_clock else None,
        numbers,
        texts or {},
    )


def _moment(clock: str) -> datetime | None:
    """Return the clock, None for a day that no calendar has."""
    try:
        return datetime.fromisoformat(clock)
    except ValueError:
        return None


def _possible(key: str, value: Quantity) -> bool:
    return all(-most <= value <= most for suffix, most in _HIGHEST if key.endswith(suffix))


def _seconds(before: datetime | None, now: datetime | None) -> float:
    """Return the time between two clocks in either direction, a day at most."""
    if before is None or now is None or (before.tzinfo is None) != (now.tzinfo is None):
        return _LONGEST_S
    return min(_LONGEST_S, abs((now - before).total_seconds()))


def _same_form(text: str, other: str) -> bool:
    """Tell whether two texts may be values of one quantity.

    A number with zeros before it has a fixed number of digits; others may grow. Signs
    take a place of their own or that of a digit.
    """
    fixed = (_PADDED.match(text) or _PADDED.match(other)) and text[0] != "-" != other[0]
    if not fixed:
        return text.partition("*")[2] == other.partition("*")[2]
    return text.translate(_DIGITS) == other.translate(_DIGITS)
