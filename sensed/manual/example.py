"""The example configuration: every key, commented out, with its help and its default."""

from __future__ import annotations

from dataclasses import fields
from textwrap import wrap
from typing import Final

from sensed.config.schema import SECTIONS
from sensed.config.toml import toml_value

_HEAD: Final = """\
# Configuration of sensed; sensed.toml(5) explains it.
#
# A line that begins with # and a key shows the default. Remove the # to set a key here:
# it then cannot be changed from a phone. Afterwards:
#
#     sudo sensed run --check-config && sudo systemctl reload sensed
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
