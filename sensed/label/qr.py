"""QR codes: for a terminal, and as a path for SVG. The library is only imported here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from sensed.errors import SensedError

QUIET_MODULES: Final = 4
"""ISO/IEC 18004: so many light modules on each side."""

_BLACK_ON_WHITE: Final = "\x1b[30;107m"
_RESET: Final = "\x1b[0m"
_HALVES: Final = {(0, 0): " ", (1, 0): "\u2580", (0, 1): "\u2584", (1, 1): "\u2588"}

Matrix = Sequence[Sequence[int]]
"""Rows of modules, 1 for dark, without the quiet zone."""


def qr_matrix(text: str) -> Matrix:
    """Return the QR code of a text, readable with 15 % of it damaged. Raises SensedError."""
    try:
        import segno
    except ImportError:
        raise SensedError(
            "A QR code needs the library segno: sudo apt install python3-segno."
        ) from None
    made = segno.make_qr(text, error="M", boost_error=False)
    return [[int(module) for module in row] for row in made.matrix]


def terminal_lines(matrix: Matrix, *, coloured: bool) -> Iterator[str]:
    """Yield lines of half blocks, two modules high.

    Without colour, light modules are drawn, as most terminals write light on dark.
    """
    width = len(matrix) + 2 * QUIET_MODULES
    blank = [0] * width
    margin = [0] * QUIET_MODULES
    rows = [
        *[blank] * QUIET_MODULES,
        *([*margin, *row, *margin] for row in matrix),
        *[blank] * (QUIET_MODULES + len(matrix) % 2),
    ]
    drawn = 0 if coloured else 1
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        halves = "".join(
            _HALVES[above ^ drawn, below ^ drawn] for above, below in zip(upper, lower, strict=True)
        )
        yield f"{_BLACK_ON_WHITE}{halves}{_RESET}" if coloured else halves


def svg_path(matrix: Matrix) -> str:
    """Return the dark modules as the data of an SVG path, one unit per module."""
    runs = []
    for y, row in enumerate(matrix):
        x = 0
        while x < len(row):
            length = 0
            while x + length < len(row) and row[x + length]:
                length += 1
            if length:
                runs.append(f"M{x} {y}h{length}v1h-{length}z")
            x += length or 1
    return "".join(runs)
