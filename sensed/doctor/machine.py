"""What the kernel's files tell of the machine; ``root`` is another place for them in tests."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LONGEST: Final = 65536
_SERVICE_USER: Final = "sensed"
_READ_AND_WRITE: Final = stat.S_IROTH | stat.S_IWOTH
_GROUP_SHIFT: Final = 3
_OWNER_SHIFT: Final = 6
_IGNORE_MARKS: Final = ("ID_MM_PORT_IGNORE=1", "ID_MM_DEVICE_IGNORE=1")
_POLKIT_FOLDERS: Final = (
    "etc/polkit-1/rules.d",
    "run/polkit-1/rules.d",
    "usr/local/share/polkit-1/rules.d",
    "usr/share/polkit-1/rules.d",
)


@dataclass(frozen=True, slots=True)
class User:
    """Who reads the port: the service's user where there is one, else whoever asks."""

    name: str
    uid: int
    groups: frozenset[int]

    def may(self, path: str) -> bool | None:
        """Return whether the file's mode lets this user read and write, ``None`` if unseen."""
        try:
            status = Path(path).stat()
        except OSError:
            return None
        if self.uid == 0:
            return True
        if status.st_uid == self.uid:
            shift = _OWNER_SHIFT
        else:
            shift = _GROUP_SHIFT if status.st_gid in self.groups else 0
        return (status.st_mode >> shift) & _READ_AND_WRITE == _READ_AND_WRITE


def service_user(name: str = _SERVICE_USER) -> User:
    """Return the service's user, the present one where it is not installed."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        uid, groups = os.geteuid(), {os.getegid(), *os.getgroups()}
        return User(_name_of(uid), uid, frozenset(groups))
    groups = set(os.getgrouplist(entry.pw_name, entry.pw_gid))
    return User(entry.pw_name, entry.pw_uid, frozenset(groups))


def group_of(path: str) -> str:
    """Return the name of the group that a file belongs to."""
    try:
        gid = Path(path).stat().st_gid
    except OSError:
        return ""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@dataclass(frozen=True, slots=True)
class Switch:
    """A radio's switch as rfkill(4) has it."""

    kind: str
    soft: bool
    hard: bool


class Machine:
    """Reads, and changes nothing; what cannot be read is as if it were not there."""

    def __init__(self, root: Path = Path("/")) -> None:
        """Look beneath ``root`` for /proc, /sys, /run, /etc and /usr."""
        self._root = root

    def holders(self, device: str) -> tuple[str, ...]:
        """Return the other programs that have ``device`` open, as far as this user sees them."""
        target = os.path.realpath(device)
        found = [
            f"{self._text(process / 'comm') or '?'} (process {process.name})"
            for process in (self._root / "proc").glob("[0-9]*")
            if process.name != str(os.getpid()) and target in _open_files(process)
        ]
        return tuple(sorted(found))

    def modem_manager_ignores(self, device: str) -> bool | None:
        """Return whether udev keeps ModemManager off ``device``, ``None`` if udev has no word."""
        try:
            number = Path(device).stat().st_rdev
        except OSError:
            return None
        record = self._root / f"run/udev/data/c{os.major(number)}:{os.minor(number)}"
        lines = self._text(record).splitlines()
        return any(f"E:{mark}" in lines for mark in _IGNORE_MARKS) if lines else None

    def switches(self) -> tuple[Switch, ...]:
        """Return the switches of all radios."""
        folders = sorted((self._root / "sys/class/rfkill").glob("rfkill*"))
        return tuple(
            Switch(
                self._text(folder / "type"),
                soft=self._text(folder / "soft") == "1",
                hard=self._text(folder / "hard") == "1",
            )
            for folder in folders
        )

    def country(self) -> str:
        """Return the country the kernel was told for its Wi-Fi, "" for none."""
        code = self._text(self._root / "sys/module/cfg80211/parameters/ieee80211_regdom")
        return "" if code == "00" else code

    def gpio_chips(self) -> tuple[str, ...]:
        """Return the devices of the GPIO controllers."""
        return tuple(str(path) for path in sorted((self._root / "dev").glob("gpiochip*")))

    def polkit_rule(self) -> bool | None:
        """Return whether a polkit rule names sensed, ``None`` if folders are closed to us."""
        closed = False
        for name in _POLKIT_FOLDERS:
            folder = self._root / name
            try:
                rules = sorted(folder.glob("*.rules")) if folder.is_dir() else []
                closed = closed or (folder.exists() and not os.access(folder, os.R_OK | os.X_OK))
            except OSError:
                closed = True
                continue
            if any(f'"{_SERVICE_USER}"' in self._text(rule) for rule in rules):
                return True
        return None if closed else False

    @staticmethod
    def _text(path: Path) -> str:
        try:
            with path.open("rb") as file:
                return file.read(_LONGEST).decode(errors="replace").strip()
        except OSError:
            return ""


def _open_files(process: Path) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for entry in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                yield str(entry.readlink())
