"""The example configuration: every key, commented out, with its help and its default."""

from __future__ import annotations

import json
from dataclasses import fields
from decimal import Decimal
from textwrap import wrap
from typing import Final

from sensed.config.schema import SECTIONS

_HEAD: Final = """\
# Configuration of sensed; sensed.toml(5) explains it.
#
# A line that begins with # and a key shows the default. Remove the # to set a key here:
# it then cannot be changed from a phone. Afterwards:
#
#     sensed run --check-config && systemctl reload sensed
"""


def example_settings() -> str:
    """Return the example as TOML text; as it stands it sets nothing."""
    lines = [_HEAD.rstrip("\n")]
    for section, holder in SECTIONS.items():
        lines += ["", f"# {(holder.__doc__ or '').strip()}", f"[{section}]"]
        for item in fields(holder):
            lines += [f"# {line}" for line in wrap(item.metadata["help"], 92)]
            lines += [f"#{item.name} = {toml_value(item.default)}"]
    return "\n".join(lines) + "\n"


def toml_value(value: object) -> str:
    """Return a setting's default as TOML; not set is the empty string."""
    if value is None:
        return '""'
    if isinstance(value, str | bool | int | float):
        return json.dumps(str(value) if isinstance(value, str) else value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, tuple | list):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    raise TypeError(f"no TOML for {value!r}")
