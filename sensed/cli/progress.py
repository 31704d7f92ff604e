"""What is going on, in one line of a terminal that is gone afterwards."""

from __future__ import annotations

import sys
from typing import Final

_CLEAR: Final = "\r\x1b[K"


class Progress:
    """Shows words while something takes its time; shows nothing where nobody looks."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._seen = sys.stderr.isatty()

    def show(self, words: str) -> None:
        """Show these words in the place of the last ones."""
        if self._seen:
            print(f"{_CLEAR}{words} ...", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Leave the line empty."""
        if self._seen:
            print(_CLEAR, end="", file=sys.stderr, flush=True)
