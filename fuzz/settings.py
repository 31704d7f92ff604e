"""Any file gives a configuration or one sentence, and what set-up may set reads back the same.

An input whose first octet is odd is a file, else a JSON object of settings as a client
sends it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from sensed.config import Config, SettingError, SettingsStore, load_config
from sensed.config.schema import SECTIONS
from sensed.config.toml import toml_tables
from sensed.daemon import settings
from sensed.errors import ConfigError
from sensed.secret import Secret

INCLUDE = ("sensed.config", "sensed.han.layouts.configured", "sensed.leds.night", "tomllib")
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own in it
_FOLDER = tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None)
_FILE = Path(_FOLDER.name) / "settings.toml"
_ETC = Path(_FOLDER.name) / "sensed.toml"
_ETC.write_text("")


def one_input(data: bytes) -> None:
    """Check what must hold of any octets; an exception is a finding."""
    if data[:1] and data[0] & 1:
        check_file(data[1:])
    else:
        check_values(data[1:])


def check_file(octets: bytes) -> None:
    """A file is a configuration that the daemon can be made of, or is refused."""
    _FILE.write_bytes(octets)
    for etc, state in ((_FILE, None), (_ETC, _FILE)):
        try:
            config = load_config(etc, state)
            settings.check(config)
        except ConfigError as error:
            check_sentence(error)
            continue
        check_shown(SettingsStore(_ETC, _FILE), config)


def check_values(octets: bytes) -> None:
    """Values are refused, or kept so that they are in force after a restart."""
    _FILE.unlink(missing_ok=True)
    store = SettingsStore(_ETC, _FILE)
    for values in objects(octets):
        try:
            proposal = store.propose(values)
        except SettingError as error:
            check_sentence(error)
            continue
        store.keep(proposal)
        if load_config(_ETC, _FILE) != proposal.config:
            raise AssertionError("what was kept is not what is read")
        check_shown(store, proposal.config)
        try:
            settings.check(proposal.config)
        except ConfigError as error:
            check_sentence(error)


def objects(octets: bytes) -> Iterator[dict[str, object]]:
    """Yield the JSON objects in an input, one a line."""
    for line in octets.split(b"\n")[:20]:
        try:
            values = json.loads(line.decode())
        except (ValueError, RecursionError):
            continue
        if isinstance(values, dict):
            yield values


def check_shown(store: SettingsStore, config: Config) -> None:
    """What a client sees can be sent, and no secret is in it."""
    text = json.dumps(store.shown(config), allow_nan=False, ensure_ascii=False)
    text.encode()
    values = [
        getattr(getattr(config, section), item.name)
        for section in SECTIONS
        for item in fields(SECTIONS[section])
    ]
    # A host that is called as the password is may be shown.
    open_to_all = " ".join(str(value) for value in values if not isinstance(value, Secret))
    for secret in (value.reveal() for value in values if isinstance(value, Secret)):
        if len(secret) > 12 and secret in text and secret not in open_to_all:
            raise AssertionError("a secret is shown")


def check_sentence(error: ConfigError) -> None:
    """An error is told as one line that can be written."""
    text = str(error)
    text.encode()
    if "\n" in text or len(text) > 1000:
        raise AssertionError(f"not a sentence: {text[:80]!r}")


def corpus() -> Iterator[bytes]:
    """Yield every setting with its default as a file, and values that clients set."""
    tables: dict[str, dict[str, Any]] = {}
    for name, holder in SECTIONS.items():
        section = getattr(Config(), name)
        tables[name] = {item.name: _plain(getattr(section, item.name)) for item in fields(holder)}
    yield b"\x01" + toml_tables(tables).encode()
    for name, table in tables.items():
        yield b"\x01" + toml_tables({name: table}).encode()
    yield b'\x01[meter]\nkey = "000102030405060708090a0b0c0d0e0f"\nct_ratio = 40.5\n'
    yield b'\x01[light]\npins = [17, 27, 22]\nnight = "22:00-06:30"\n'
    for values in (
        {"mqtt.host": "broker", "mqtt.port": 8883, "mqtt.tls": True, "mqtt.password": "x" * 20},
        {"fuse.main_a": 25, "fuse.margin_a": 2.5, "fuse.net": "IT", "fuse.failsafe_a": 0},
        {"device.name": "K\u00e5re", "light.night": "22:00-06:30", "meter.key": "00" * 16},
        {"mqtt.host": None, "mqtt.password": None},
    ):
        yield b"\x00" + json.dumps(values).encode() + b"\n{}"


def _plain(value: object) -> object:
    if value is None or isinstance(value, str | bool | int | float | Decimal | tuple | list):
        return value
    return str(value)
