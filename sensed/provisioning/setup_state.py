"""What the encrypted service keeps across restarts: the set-up code, and wrong ones counted."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

import structlog

from sensed.errors import ConfigError
from sensed.private_file import write_private
from sensed.provisioning.encrypted import Lockout, SetupCode

_log = structlog.get_logger(__name__)

CODE_FILE: Final = "setup-code"
_TRIES_FILE: Final = "setup-tries"
_LONGEST_FILE: Final = 100


class SetupState:
    """Two small files in the state directory, readable by the daemon's user alone."""

    def __init__(self, folder: Path, now_s: float) -> None:
        """Read what is there; make a code where there is none."""
        self._folder = folder
        self._code: SetupCode | None = None
        try:
            self._code = read_code(folder)
        except (FileNotFoundError, ConfigError):
            with contextlib.suppress(OSError):
                self.rotate()
        except OSError as error:
            self._unavailable(CODE_FILE, error)
        self.lockout = Lockout(self._wrong_codes(), now_s, keep=self._keep_wrong_codes)

    @property
    def code(self) -> SetupCode | None:
        """The present set-up code; ``None`` when none can be kept."""
        return self._code

    def rotate(self) -> None:
        """Put a new code, which nobody has been told of yet, in the place of the old one.

        Raises OSError, and then the old one is still in force.
        """
        code = SetupCode.generate()
        try:
            write_private(self._folder / CODE_FILE, f"{code.grouped}\n".encode())
        except OSError as error:
            self._unavailable(CODE_FILE, error)
            raise
        self._code = code
        _log.info("setup_code_made")

    def _unavailable(self, file: str, error: OSError) -> None:
        _log.warning(
            "setup_code_unavailable",
            path=str(self._folder / file),
            detail=error.strerror or type(error).__name__,
        )

    def _wrong_codes(self) -> int:
        try:
            return int(_text(self._folder / _TRIES_FILE))
        except (OSError, ValueError):
            return 0

    def _keep_wrong_codes(self, count: int) -> None:
        try:
            write_private(self._folder / _TRIES_FILE, f"{count}\n".encode())
        except OSError as error:
            self._unavailable(_TRIES_FILE, error)


def read_code(folder: Path) -> SetupCode:
    """Return the set-up code kept in ``folder``. Raises OSError, ConfigError for none."""
    try:
        return SetupCode.parse(_text(folder / CODE_FILE))
    except UnicodeDecodeError:
        raise ConfigError("The file of the set-up code holds none.") from None


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_LONGEST_FILE).decode().strip()
