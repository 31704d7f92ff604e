"""Settings written as TOML, the part of it that settings need."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal

from sensed.errors import BugError


def toml_tables(tables: Mapping[str, Mapping[str, object]]) -> str:
    """Return sections and keys as a TOML document."""
    parts = []
    for section, table in tables.items():
        lines = [f"{key} = {toml_value(value)}\n" for key, value in table.items()]
        parts.append(f"[{section}]\n" + "".join(lines))
    return "\n".join(parts)


def toml_value(value: object) -> str:
    """Return a setting's value as TOML; not set is the empty string."""
    if value is None:
        return '""'
    if isinstance(value, str):
        # JSON's escapes are TOML's, but TOML wants this one control character escaped as well.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool | int | float):
        return json.dumps(value, allow_nan=False)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, tuple | list):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    raise BugError(f"no TOML for a {type(value).__name__}")
