"""What the decoder has to say: frozen events and a snapshot of its counters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sensed.han.faults import Fault
    from sensed.han.reading import Reading


@dataclass(frozen=True, slots=True)
class ListDecoded:
    """A whole, undamaged list of a known layout.

    ``frame`` holds the telegram's octets as received, framing included. ``repeated``
    means that the meter sent the same registers with the same clock before, or the
    same invocation counter: book no energy from it.
    """

    reading: Reading
    layout: str
    maker: str
    frame: bytes
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class FrameRejected:
    """Something began like a frame of ``framing`` and was none."""

    framing: str
    fault: Fault


@dataclass(frozen=True, slots=True)
class OctetsDiscarded:
    """``count`` octets in a row belonged to no frame; idle flags and line ends do not count."""

    count: int


@dataclass(frozen=True, slots=True)
class ListUnknown:
    """An undamaged telegram whose list fits no layout; ``structure`` shows its shape."""

    structure: str
    frame: bytes


@dataclass(frozen=True, slots=True)
class ListMalformed:
    """An undamaged frame whose content breaks the application layer's encoding."""

    detail: str
    frame: bytes


class Sealed(StrEnum):
    """Why an encrypted list could not be read."""

    NO_KEY = "no key"
    WRONG_KEY = "wrong key"
    DAMAGED = "damaged"
    UNSUPPORTED = "unsupported security"


@dataclass(frozen=True, slots=True)
class ListEncrypted:
    """An encrypted list that could not be read, and why.

    ``title`` is the meter's system title in hex (8 octets), ``security`` the
    security control octet, ``counter`` the invocation counter.
    """

    cause: Sealed
    title: str
    security: int
    counter: int


@dataclass(frozen=True, slots=True)
class ReadUnverified:
    """Lists carry a tag that cannot be checked without an authentication key; said once."""

    title: str


@dataclass(frozen=True, slots=True)
class InvocationRepeated:
    """The invocation counter did not increase: a repeated telegram or a restarted meter."""

    title: str
    counter: int
    previous: int


@dataclass(frozen=True, slots=True)
class CarriageReturnsInserted:
    """The adapter or its port settings insert CR before LF; frames are mended. Said once."""


Event = (
    ListDecoded
    | FrameRejected
    | OctetsDiscarded
    | ListUnknown
    | ListMalformed
    | ListEncrypted
    | ReadUnverified
    | InvocationRepeated
    | CarriageReturnsInserted
)


@dataclass(frozen=True, slots=True)
class Counters:
    """Totals since the decoder was made."""

    octets: int = 0
    octets_discarded: int = 0
    frames_good: int = 0
    bad_length: int = 0
    bad_hcs: int = 0
    bad_fcs: int = 0
    bad_checksum: int = 0
    frames_cut: int = 0
    frames_mended: int = 0
    lists_decoded: int = 0
    lists_repeated: int = 0
    lists_unknown: int = 0
    lists_malformed: int = 0
    lists_without_key: int = 0
    lists_wrong_key: int = 0
    assemblies_dropped: int = 0
