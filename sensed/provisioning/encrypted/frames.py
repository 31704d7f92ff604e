"""Messages cut into frames that fit a link, and put together again. Sans-IO.

docs/setup-protocol.md, section 3.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from sensed.errors import WireError
from sensed.provisioning.encrypted.noise import HANDSHAKE_OCTETS, TAG_OCTETS

_HEADER: Final = 2
_LAST: Final = 0x80
_KIND_BITS: Final = 0x07
_ATT_HEADER: Final = 3
_SMALLEST_MTU: Final = 23
_NUMBERS: Final = 256

LONGEST_FRAME: Final = 244
"""Well below 512, where Bluetooth stacks differ, and one packet of the link layer."""

LONGEST_TEXT: Final = 4096
"""The plaintext of a transport message."""

SILENCE_S: Final = 5.0
"""A message that is not continued within this ends the session."""


class Kind(IntEnum):
    """What a message is; the value stands in each of its frames."""

    FIRST = 1
    SECOND = 2
    TRANSPORT = 3
    END = 4


LENGTHS: Final = {
    Kind.FIRST: range(1 + HANDSHAKE_OCTETS, 1 + HANDSHAKE_OCTETS + 1),
    Kind.SECOND: range(HANDSHAKE_OCTETS, HANDSHAKE_OCTETS + 1),
    Kind.TRANSPORT: range(TAG_OCTETS + 1, LONGEST_TEXT + TAG_OCTETS + 1),
    Kind.END: range(5, 6),
}
"""How many octets a message of each kind may have."""


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message as it came."""

    kind: Kind
    octets: bytes


def frame_room(mtu: int | None) -> int:
    """Return the longest frame on a link with this ATT MTU."""
    usable = mtu if mtu is not None and mtu >= _SMALLEST_MTU else _SMALLEST_MTU
    return min(usable - _ATT_HEADER, LONGEST_FRAME)


class Cutter:
    """Cuts messages into frames and numbers them, from 0 for each session."""

    def __init__(self) -> None:
        self._number = 0

    def cut(self, message: Message, room: int) -> list[bytes]:
        """Return the frames of a message, none longer than ``room`` octets."""
        piece = room - _HEADER
        octets = message.octets
        frames = []
        for start in range(0, len(octets), piece):
            last = _LAST if start + piece >= len(octets) else 0
            header = bytes((message.kind | last, self._number))
            frames.append(header + octets[start : start + piece])
            self._number = (self._number + 1) % _NUMBERS
        return frames


class Joiner:
    """Puts frames together. Holds at most one message; one that broke a rule is the last."""

    def __init__(self) -> None:
        self._kind: Kind | None = None
        self._octets = bytearray()
        self._number = 0

    def receive(self, frame: bytes, expected: Container[Kind]) -> Message | None:
        """Take a frame of a message of an ``expected`` kind; return what it completes, if any.

        Raises WireError.
        """
        kind, is_last, number, piece = _parts(frame)
        if number != self._number:
            raise WireError(f"frame {number} came instead of {self._number}")
        if kind not in expected:
            raise WireError(f"a message of kind {kind.value} does not belong here")
        if self._kind is None:
            self._kind = kind
        elif kind is not self._kind:
            raise WireError("pieces of two messages are mixed")
        allowed = LENGTHS[kind]
        if len(self._octets) + len(piece) >= allowed.stop:
            raise WireError("a message is too long")
        self._number = (number + 1) % _NUMBERS
        self._octets += piece
        if not is_last:
            return None
        if len(self._octets) not in allowed:
            raise WireError("a message is too short")
        message = Message(kind, bytes(self._octets))
        self._kind = None
        self._octets.clear()
        return message


def begins_session(frame: bytes) -> bool:
    """Return whether a frame from a client is the first one of a new session."""
    return len(frame) > _HEADER and frame[0] & ~_LAST == Kind.FIRST and frame[1] == 0


def answers_session(frame: bytes) -> bool:
    """Return whether a frame from the device is the first one of a new session."""
    return len(frame) > _HEADER and frame[0] & ~_LAST in (Kind.SECOND, Kind.END) and frame[1] == 0


def _parts(frame: bytes) -> tuple[Kind, bool, int, bytes]:
    if not _HEADER < len(frame) <= LONGEST_FRAME:
        raise WireError(f"a frame has {len(frame)} octets")
    flags = frame[0]
    try:
        kind = Kind(flags & _KIND_BITS)
    except ValueError:
        raise WireError("a frame is of no known kind") from None
    if flags & ~(_KIND_BITS | _LAST):
        raise WireError("a frame has unknown flags")
    return kind, bool(flags & _LAST), frame[1], frame[_HEADER:]
