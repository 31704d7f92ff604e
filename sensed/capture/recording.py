"""A capture's file: private, and there whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final, Self

from sensed.errors import ConfigError

_MODE: Final = 0o600


class Recording:
    """Writes beside ``path``; only :meth:`keep` puts the file there. A context manager.

    Raises ConfigError when the file cannot be made or written.
    """

    def __init__(self, path: Path) -> None:
        """Begin; whoever is to read the file must be able to make one there."""
        self._path = path
        self._fresh = path.with_name(f"{path.name}.{os.getpid()}.part")
        if path.is_dir() or (path.exists() and not path.is_file()):
            raise ConfigError(f"{path} is no file; name one that may be written.")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._fresh, flags, _MODE)
            # By lines, so that a full disk is told when it is met.
            self._file = os.fdopen(descriptor, "w", buffering=1, encoding="ascii")
        except OSError as error:
            raise self._failed(error) from None

    def write(self, text: str) -> None:
        """Add ``text``."""
        try:
            self._file.write(text)
        except OSError as error:
            raise self._failed(error) from None

    def keep(self) -> None:
        """Put the file in its place."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._fresh.replace(self._path)
        except OSError as error:
            raise self._failed(error) from None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind but what was kept."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._fresh.unlink()

    def _failed(self, error: OSError) -> ConfigError:
        return ConfigError(f"{self._path} cannot be written: {error.strerror}; name another file.")
