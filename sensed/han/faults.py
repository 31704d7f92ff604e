"""Why octets that looked like a frame are none."""

from __future__ import annotations

from enum import StrEnum

Octets = bytes | bytearray


class Fault(StrEnum):
    """What ruled a frame out."""

    LENGTH = "implausible length"
    HCS = "bad header check"
    FCS = "bad frame check"
    CHECKSUM = "bad checksum"
    TEXT = "malformed text"
    NO_CRC = "checksum missing"
    CUT = "cut short"
