"""What set-up may change: checked whole, then written whole.

A change is first proposed, which touches nothing; the caller may try it before it is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from sensed.config.loader import Tables, compose, fixed_in, read_state
from sensed.config.places import STATE_PATH
from sensed.config.schema import SECTIONS, Config, FromPhone
from sensed.config.toml import toml_tables
from sensed.errors import BugError, ConfigError
from sensed.leds.night import NightHours
from sensed.private_file import write_private
from sensed.secret import Secret


@dataclass(frozen=True, slots=True)
class _Settable:
    section: str
    key: str
    check: Any
    is_shown: bool


SETTABLE: Final[Mapping[str, _Settable]] = {
    f"{section}.{item.name}": _Settable(
        section, item.name, item.metadata["check"], item.metadata["phone"] is FromPhone.YES
    )
    for section, holder in SECTIONS.items()
    for item in fields(holder)
    if item.metadata["phone"] is not FromPhone.NO
}
"""Every setting that set-up may change, as ``mqtt.host``."""


class SettingError(ConfigError):
    """A setting cannot be set like this: a stable code, a sentence, and which setting."""

    def __init__(self, code: str, text: str, name: str = "") -> None:
        """``name`` is "" where no single setting is to blame."""
        super().__init__(text)
        self.code = code
        self.name = name


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the settings would be; ``config`` is everything that would be in force."""

    config: Config
    tables: Tables
    names: frozenset[str]

    def __repr__(self) -> str:
        """Show no value."""
        return f"Proposal({', '.join(sorted(self.names))})"


class SettingsStore:
    """The administrator's file, which is read, and the one of set-up, which is written."""

    def __init__(self, etc: Path | None = None, state: Path = STATE_PATH) -> None:
        """``etc`` as in :func:`sensed.config.load_config`."""
        self._etc = etc
        self._state = state

    def shown(self, config: Config) -> dict[str, dict[str, object]]:
        """Return what a client may see of ``config``. Raises ConfigError."""
        fixed = fixed_in(self._etc)
        seen = {}
        for name, setting in SETTABLE.items():
            value = getattr(getattr(config, setting.section), setting.key)
            what = {"value": _plain(value)} if setting.is_shown else {"set": value is not None}
            seen[name] = {**what, "locked": name in fixed}
        return seen

    def propose(self, values: Mapping[str, object]) -> Proposal:
        """Return what ``values`` (``None`` takes one back) would make. Raises SettingError."""
        fixed = fixed_in(self._etc)
        for name, value in values.items():
            _check(name, value, fixed)
        tables = {section: dict(table) for section, table in read_state(self._state).items()}
        for name, value in values.items():
            setting = SETTABLE[name]
            table = tables.setdefault(setting.section, {})
            if value is None:
                table.pop(setting.key, None)
            else:
                table[setting.key] = value
        kept = {section: table for section, table in tables.items() if table}
        config = compose(self._etc, kept, str(self._state))
        return Proposal(config, kept, frozenset(values))

    def keep(self, proposal: Proposal) -> None:
        """Write a proposal down. Raises SettingError."""
        try:
            write_private(self._state, toml_tables(proposal.tables).encode())
        except OSError as error:
            raise SettingError(
                "not-stored", f"The settings could not be stored: {error.strerror}."
            ) from None


def _check(name: str, value: object, fixed: frozenset[str]) -> None:
    setting = SETTABLE.get(name)
    if setting is None:
        raise SettingError("unknown-setting", "There is no such setting in set-up.", name)
    if name in fixed:
        raise SettingError(
            "locked", f"{name} is set in /etc/sensed/sensed.toml and cannot be changed here.", name
        )
    if value is None:
        return
    try:
        if value == "" or not _is_text(value):
            raise ValueError("must be text, or null for none")
        setting.check(value)
    except ValueError as error:
        raise SettingError("invalid", f"{name} {error}.", name) from None


def _is_text(value: object) -> bool:
    """Return whether a value can be written; half a character cannot."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return False
    return True


def _plain(value: object) -> object:
    match value:
        case Decimal():
            return float(value)
        case NightHours():
            return str(value)
        case Secret():
            raise BugError("a secret would be shown")
        case _:
            return value
