"""The line format that worked, kept across restarts: one line in the state directory."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sensed.errors import ConfigError
from sensed.han.port_settings import SerialSettings
from sensed.private_file import write_private

_LONGEST_LINE: Final = 64


class LineMemory:
    """Remembers serial settings in ``path``; a file that cannot be had is no failure.

    It is written only when what works has changed, whole or not at all.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: SerialSettings | None = None

    def recall(self) -> SerialSettings | None:
        """Return what worked last time, ``None`` if nothing is known."""
        try:
            with self._path.open() as file:
                self._kept = SerialSettings.parse(file.read(_LONGEST_LINE))
        except (OSError, UnicodeDecodeError, ConfigError):
            self._kept = None
        return self._kept

    def keep(self, settings: SerialSettings) -> None:
        """Write down what works."""
        if settings == self._kept:
            return
        self._kept = settings
        try:
            write_private(self._path, f"{settings}\n".encode())
        except OSError:
            # It costs the next start some seconds of search, and nothing else.
            return
