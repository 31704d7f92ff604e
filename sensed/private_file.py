"""A small file that only this user may read, replaced whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

_MODE: Final = 0o600


def write_private(path: Path, octets: bytes, *, owner: tuple[int, int] | None = None) -> None:
    """Replace ``path``; after a power cut it has the old or the new content. Raises OSError.

    ``owner`` is another user and group to give it to, where the file system has owners.
    """
    fresh = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    # A new file: whatever its mode or owner was before does not matter.
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _MODE)
    with os.fdopen(descriptor, "wb") as file:
        if owner is not None:
            with contextlib.suppress(PermissionError):
                os.fchown(descriptor, *owner)
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    _sync_folder(path)


def forget_private(path: Path) -> None:
    """Delete ``path``, if it is there; a power cut does not bring it back. Raises OSError."""
    path.unlink(missing_ok=True)
    _sync_folder(path)


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
