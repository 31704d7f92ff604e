"""Reading configuration files: /etc over what the phone set over defaults.

Errors are one sentence that names the file, the key and the remedy.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from sensed.config.places import ETC_PATH, STATE_PATH
from sensed.config.schema import SECTIONS, Config
from sensed.errors import ConfigError

_LARGEST_FILE: Final = 64 * 1024

Tables = Mapping[str, Any]
"""What TOML delivers: section to key to value."""


def load_config(etc: Path | None = None, state: Path | None = STATE_PATH) -> Config:
    """Return the configuration.

    ``etc`` is the administrator's file; ``None`` means the usual place, where its
    absence is no error. ``state`` may be absent. Raises ConfigError.
    """
    return compose(etc, {} if state is None else read_state(state), str(state))


def compose(etc: Path | None, state: Tables, source: str = str(STATE_PATH)) -> Config:
    """Return the configuration that ``state``, told as ``source``, would make.

    Raises ConfigError.
    """
    merged: dict[str, dict[str, object]] = {}
    for path, tables in ((source, state), (str(etc or ETC_PATH), _read_etc(etc))):
        for section, key, value in _checked(path, tables):
            merged.setdefault(section, {})[key] = value
    return Config(**{name: SECTIONS[name](**values) for name, values in merged.items()})


def read_state(path: Path) -> Tables:
    """Return what the phone set, unchecked; nothing when there is no file. Raises ConfigError."""
    return _parse(path, required=False)


def fixed_in(etc: Path | None) -> frozenset[str]:
    """Return the settings that the administrator has fixed, as ``mqtt.host``.

    Raises ConfigError.
    """
    path = etc or ETC_PATH
    checked = _checked(str(path), _read_etc(etc))
    return frozenset(f"{section}.{key}" for section, key, _ in checked)


def _read_etc(etc: Path | None) -> Tables:
    return _parse(etc or ETC_PATH, required=etc is not None)


def _checked(source: str, tables: Tables) -> Iterator[tuple[str, str, object]]:
    """Yield (section, key, checked value)."""
    for section, table in tables.items():
        if section not in SECTIONS:
            raise ConfigError(
                f"{source}: unknown section [{section}]{_nearest(section, SECTIONS)}."
            )
        if not isinstance(table, dict):
            raise ConfigError(f"{source}: {section} must be a section, written as [{section}].")
        known = {item.name: item for item in fields(SECTIONS[section])}
        for key, value in table.items():
            if key not in known:
                raise ConfigError(
                    f"{source}: unknown key {section}.{key}{_nearest(key, known)} "
                    "(sensed.toml(5) lists them all)."
                )
            try:
                yield section, key, known[key].metadata["check"](value)
            except ValueError as error:
                raise ConfigError(f"{source}: {section}.{key} {error}.") from None


def _parse(path: Path, *, required: bool) -> Tables:
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
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is the former
        raise ConfigError(f"{path}: not valid TOML: {error}.") from None


def _unreadable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"{path}: cannot be read ({error.strerror}); make it readable for this user."
    )


def _nearest(word: str, known: Mapping[str, object]) -> str:
    from difflib import get_close_matches  # needed for a mistake only

    match = get_close_matches(word, known, n=1)
    return f"; write {match[0]}" if match else ""
