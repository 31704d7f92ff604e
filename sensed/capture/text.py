"""A capture as text: hex digits, a line for each piece that came, and when it came (sans-IO).

::

    # sensed capture 1
    # begun 2026-11-22T14:30:00Z
    # device /dev/sensed/mbus-A5069RR4
    # line 2400 8E1
    7ea07801020110c498e6 # 0.0132

What follows ``#`` is for people and for replaying; hex digits are what decodes. Times are
in seconds from the beginning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sensed.errors import WireError

HEADER: Final = "# sensed capture 1"

_PIECE: Final = re.compile(r"([0-9a-f]*)\s+#\s+(\d{1,9}(?:\.\d{1,9})?)")
_LINE: Final = re.compile(r"# (?:\d+\.\d+ )?line (\d+ [78][NEO][12])")


@dataclass(frozen=True, slots=True)
class Piece:
    """Octets that came at once, ``at_s`` seconds after the capture's beginning."""

    at_s: float
    wire: bytes


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture that was read; ``line`` is its last serial format, "" for a network port."""

    pieces: tuple[Piece, ...]
    line: str


def header(begun: datetime) -> str:
    """Return the first lines of a capture."""
    return f"{HEADER}\n# begun {begun:%Y-%m-%dT%H:%M:%SZ}\n"


def piece(at_s: float, hex_digits: str) -> str:
    """Return the line of octets."""
    return f"{hex_digits} # {at_s:.4f}\n"


def remark(at_s: float, words: str) -> str:
    """Return the line of something that is not octets."""
    return f"# {at_s:.4f} {' '.join(words.split())}\n"


def read(lines: Iterable[str]) -> Capture:
    """Return a capture's content. Raises WireError when it is none."""
    numbered = enumerate(lines, 1)
    if next(numbered, (1, ""))[1].strip() != HEADER:
        raise WireError("it does not begin as a capture does")
    pieces: list[Piece] = []
    line = ""
    for number, text in numbered:
        if text.startswith("#") or not text.strip():
            line = match[1] if (match := _LINE.match(text)) else line
            continue
        pieces.append(_piece(number, text.strip()))
    return Capture(tuple(_in_order(pieces)), line)


def _piece(number: int, text: str) -> Piece:
    match = _PIECE.fullmatch(text)
    if match is None or len(match[1]) % 2:
        raise WireError(f"line {number} is not octets and a time")
    return Piece(float(match[2]), bytes.fromhex(match[1]))


def _in_order(pieces: Iterable[Piece]) -> Iterator[Piece]:
    before_s = 0.0
    for item in pieces:
        if item.at_s < before_s:
            raise WireError(f"its times go back from {before_s} s to {item.at_s} s")
        before_s = item.at_s
        yield item
