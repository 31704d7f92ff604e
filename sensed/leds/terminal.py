"""The light drawn in a terminal: a dot and the state's words on one status line."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Final, TextIO

from sensed.leds.patterns import BLUE, GREEN, MAGENTA, OFF, RED, WHITE, YELLOW, Colour

_SGR: Final[Mapping[Colour, int]] = {
    RED: 91,
    GREEN: 92,
    YELLOW: 93,
    BLUE: 94,
    MAGENTA: 95,
    WHITE: 97,
}
_NAMES: Final[Mapping[Colour, str]] = {
    RED: "red",
    GREEN: "green",
    YELLOW: "yellow",
    BLUE: "blue",
    MAGENTA: "magenta",
    WHITE: "white",
}
_CLEAR_LINE: Final = "\r\x1b[K"


class TerminalDriver:
    """Driver of the light that draws on ``stream``.

    On a terminal the last line is redrawn in place; elsewhere each new caption is a line
    of its own. ``NO_COLOR`` leaves symbols and words. ``on_gone`` is called when nobody
    reads the stream any more.
    """

    def __init__(self, stream: TextIO, *, on_gone: Callable[[], None] = lambda: None) -> None:
        """Draw on ``stream``, in place only if that is a terminal."""
        self._stream = stream
        self._on_gone = on_gone
        self._in_place = stream.isatty()
        self._coloured = self._in_place and not os.environ.get("NO_COLOR")
        self._colour = OFF
        self._caption = ""
        self._open = False

    def open(self) -> None:
        """Start drawing."""
        self._open = True
        self._draw()

    def set(self, red: bool, green: bool, blue: bool) -> None:  # noqa: FBT001 - see Driver
        """Draw the dot lit in this colour, or dark."""
        self._colour = Colour(red, green, blue)
        if self._in_place:
            self._draw()

    def caption(self, words: str) -> None:
        """Say the state in words beside the dot."""
        if words == self._caption:
            return
        self._caption = words
        if self._in_place:
            self._draw()
        else:
            self._write(f"light: {words}\n")

    def print_above(self, text: str) -> None:
        """Write a line of text that stays, above the status line."""
        self._write(f"{_CLEAR_LINE}{text}\n" if self._in_place else f"{text}\n")
        self._draw()

    def close(self) -> None:
        """Remove the status line."""
        if self._open and self._in_place:
            self._write(_CLEAR_LINE)
        self._open = False

    def _draw(self) -> None:
        if not (self._open and self._in_place):
            return
        lit = self._colour != OFF
        dot = "●" if lit else "○"
        if lit and self._coloured:
            dot = f"\x1b[{_SGR.get(self._colour, 97)}m{dot}\x1b[0m"
        elif lit:
            dot = f"{dot} {_NAMES.get(self._colour, 'lit')}"
        self._write(f"{_CLEAR_LINE}{dot} {self._caption}")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            self._on_gone()
