"""The encrypted service's identifiers and what is said in clear. Sans-IO.

docs/setup-protocol.md, sections 1 and 2.
"""

from __future__ import annotations

import json
from enum import IntEnum
from typing import Final

from sensed.provisioning.encrypted.frames import frame_room
from sensed.provisioning.encrypted.session import VERSIONS

_UUID: Final = "e11e{:04x}-deca-47b1-8ff5-e6e0c62470de"
SERVICE_UUID: Final = _UUID.format(0)

_LONGEST_NAME: Final = 64


class Endpoint(IntEnum):
    """The three characteristics; the value is what distinguishes their UUIDs."""

    INFO = 1
    RX = 2
    TX = 3

    @property
    def uuid(self) -> str:
        """The characteristic's UUID."""
        return _UUID.format(self.value)


def info(*, name: str, mtu: int | None, busy: bool, locked_s: float) -> bytes:
    """Return what anybody may read: hints for the person, and how long a frame may be."""
    told = {
        "v": list(VERSIONS),
        "name": name[:_LONGEST_NAME],
        "frame": frame_room(mtu),
        "busy": busy,
        "locked_s": int(locked_s + 0.999),
    }
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()
