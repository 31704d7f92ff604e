"""Reading configuration files: /etc over what the phone set over defaults.

Errors are one sentence that names the file, the key and the remedy.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from sensed.config.schema import SECTIONS, Config
from sensed.errors import ConfigError

ETC_PATH: Final = Path("/etc/sensed/sensed.toml")
"""The administrator's file; the daemon never writes it."""

STATE_PATH: Final = Path(os.environ.get("STATE_DIRECTORY", "/var/lib/sensed")) / "settings.toml"
"""What the phone set."""

_LARGEST_FILE: Final = 64 * 1024


def load_config(etc: Path | None = None, state: Path | None = STATE_PATH) -> Config:
    """Return the configuration.

    ``etc`` is the administrator's file; ``None`` means the usual place, where its
    absence is no error. ``state`` may be absent. Raises ConfigError.
    """
    merged: dict[str, dict[str, object]] = {}
    if state is not None:
        _merge(merged, _read(state, required=False))
    _merge(merged, _read(etc or ETC_PATH, required=etc is not None))
    return Config(**{name: SECTIONS[name](**values) for name, values in merged.items()})


def _merge(into: dict[str, dict[str, object]], more: Iterator[tuple[str, str, object]]) -> None:
    for section, key, value in more:
        into.setdefault(section, {})[key] = value


def _read(path: Path, *, required: bool) -> Iterator[tuple[str, str, object]]:
    """Yield (section, key, checked value) of one file."""
    for section, table in _parse(path, required=required).items():
        if section not in SECTIONS:
            raise ConfigError(f"{path}: unknown section [{section}]{_nearest(section, SECTIONS)}.")
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: {section} must be a section, written as [{section}].")
        known = {item.name: item for item in fields(SECTIONS[section])}
        for key, value in table.items():
            if key not in known:
                raise ConfigError(
                    f"{path}: unknown key {section}.{key}{_nearest(key, known)} "
                    "(sensed.toml(5) lists them all)."
                )
            try:
                yield section, key, known[key].metadata["check"](value)
            except ValueError as error:
                raise ConfigError(f"{path}: {section}.{key} {error}.") from None


def _parse(path: Path, *, required: bool) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except (FileNotFoundError, PermissionError) as error:
        # What the phone set is the daemon's alone: others see the administrator's part.
        if not required and (path == STATE_PATH or isinstance(error, FileNotFoundError)):
            return {}
        if isinstance(error, PermissionError):
            raise _unreadable(path, error) from None
        raise ConfigError(
            f"{path}: no such file; name an existing file with --config, or leave the option out."
        ) from None
    except OSError as error:
        raise _unreadable(path, error) from None
    if len(data) > _LARGEST_FILE:
        raise ConfigError(f"{path}: larger than {_LARGEST_FILE} octets; is it the right file?")
    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text; save it as UTF-8.") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}.") from None


def _unreadable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"{path}: cannot be read ({error.strerror}); make it readable for this user."
    )


def _nearest(word: str, known: Mapping[str, object]) -> str:
    match = get_close_matches(word, known, n=1)
    return f"; write {match[0]}" if match else ""
