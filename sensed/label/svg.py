"""The set-up code on paper: its QR code, and a label with it, as SVG documents."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

from sensed.label.qr import QUIET_MODULES, Matrix, svg_path

_WIDTH_MM: Final = 62
_HEIGHT_MM: Final = 29
"""A common size of address labels."""

_LONGEST_NAME: Final = 22
_QR_MM: Final = 29
_TEXT_X_MM: Final = 31


def qr_svg(matrix: Matrix) -> str:
    """Return the QR code alone, with its quiet zone."""
    size = len(matrix) + 2 * QUIET_MODULES
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" '
        f'width="{size}mm" height="{size}mm" shape-rendering="crispEdges">'
        f'<path fill="#fff" d="M0 0h{size}v{size}h-{size}z"/>'
        f'<path transform="translate({QUIET_MODULES} {QUIET_MODULES})" d="{svg_path(matrix)}"/>'
        "</svg>\n"
    )


def label_svg(matrix: Matrix, *, name: str, code: str) -> str:
    """Return a label of 62 by 29 mm: the QR code, the device's name and the code to type."""
    scale = _QR_MM / (len(matrix) + 2 * QUIET_MODULES)
    margin = QUIET_MODULES * scale
    shown = name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "\u2026"
    lines = [
        _text(6.5, 3.2, shown, weight="bold"),
        *(_text(13.5 + 4.6 * row, 4.2, group) for row, group in enumerate(code.split("-"))),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH_MM} {_HEIGHT_MM}" '
        f'width="{_WIDTH_MM}mm" height="{_HEIGHT_MM}mm">'
        f'<path fill="#fff" d="M0 0h{_WIDTH_MM}v{_HEIGHT_MM}h-{_WIDTH_MM}z"/>'
        f'<path shape-rendering="crispEdges" '
        f'transform="translate({margin:.3f} {margin:.3f}) scale({scale:.5f})" '
        f'd="{svg_path(matrix)}"/>{"".join(lines)}</svg>\n'
    )


def _text(y_mm: float, size_mm: float, text: str, *, weight: str = "normal") -> str:
    family = "monospace" if weight == "normal" else "sans-serif"
    return (
        f'<text x="{_TEXT_X_MM}" y="{y_mm:.1f}" font-size="{size_mm}" '
        f'font-family="{family}" font-weight="{weight}">{escape(text)}</text>'
    )
