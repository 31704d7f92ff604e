"""P1 readouts: finding and checking them in a stream (IEC 62056-21 mode D, DSMR P1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sensed.errors import WireError
from sensed.han.crc import arc, x25
from sensed.han.faults import Fault

if TYPE_CHECKING:
    from sensed.han.faults import Octets

START = 0x2F
MAX_READOUT = 4000
"""Longest readout in octets."""
OVERLAP = 8
"""Octets that are searched again when more have come: an end and its check."""

_IDENTIFICATION = re.compile(rb"/[A-Za-z]{3}[0-9A-I]")
_IDENTIFICATION_SIZE = 5
# The end of the data; a readout that starts anew; an octet that is no text.
_STOP = re.compile(rb"[\r\n][!/]|[^\t\r\n\x20-\x7e]")
_CRC = re.compile(rb"[0-9A-Fa-f]{4}")
_CRC_SIZE = 4


class P1Readout(NamedTuple):
    """One readout from "/" to its "!" or the check after it, ``size`` octets on the wire.

    ``checked`` means that it has a CRC, and a good one.
    """

    octets: bytes
    size: int
    checked: bool
    mended: bool = False


def probe(buffer: Octets, at: int, searched: int) -> P1Readout | int | Fault | None:
    """Look for a readout whose "/" is at ``at``; answers as :func:`sensed.han.hdlc.probe`.

    Octets from ``at`` up to ``searched`` are known to hold no end: up to the number
    of octets last found to be needed, less ``OVERLAP``.
    """
    have = len(buffer) - at
    if have < _IDENTIFICATION_SIZE:
        return have + 1 if _may_begin(bytes(buffer[at:])) else None
    if not _IDENTIFICATION.match(buffer, at):
        return None
    stop = _STOP.search(buffer, max(at + 1, searched - 1))
    if stop is None:
        return have + 1 if have < MAX_READOUT else Fault.LENGTH
    if stop.end() - stop.start() == 1:
        return Fault.TEXT
    end = stop.end()
    if buffer[end - 1] == START:
        return Fault.CUT
    return _check(buffer, at, end)


def bare_end(buffer: Octets, at: int) -> P1Readout | None:
    """Return the readout at ``at`` that ends with the buffer in a "!" without a check."""
    if buffer[-1:] == b"!" and buffer[-2:-1] in (b"\r", b"\n"):
        return P1Readout(bytes(buffer[at:]), len(buffer) - at, checked=False)
    return None


def whole_readout(octets: bytes) -> P1Readout:
    """Return the readout that ``octets`` hold, as deciphered telegrams do.

    Raises:
        WireError: they hold none, or a bad check.

    """
    found = probe(octets, 0, 0)
    if isinstance(found, int):
        found = bare_end(octets, 0)
    if not isinstance(found, P1Readout):
        raise WireError(f"no P1 readout: {found or 'not identified'}")
    return found


def _may_begin(start: bytes) -> bool:
    filled = start + b"/AAA0"[len(start) :]
    return _IDENTIFICATION.match(filled) is not None


def _check(buffer: Octets, at: int, end: int) -> P1Readout | int | Fault:
    """Check the sum that follows the "!" which ends at ``end``."""
    after = bytes(buffer[end : end + _CRC_SIZE])
    if after[:1] in (b"\r", b"\n"):
        return P1Readout(bytes(buffer[at:end]), end - at, checked=False)
    if len(after) < _CRC_SIZE:
        return end - at + (_CRC_SIZE if after else 1)
    if not _CRC.fullmatch(after):
        return Fault.CHECKSUM
    stated = int(after, 16)
    octets = bytes(buffer[at : end + _CRC_SIZE])
    text = octets[:-_CRC_SIZE]
    if stated in (arc(text), x25(text)):
        return P1Readout(octets, len(octets), checked=True)
    original = text.replace(b"\r\n", b"\n")
    if original != text and stated in (arc(original), x25(original)):
        return P1Readout(original + octets[-_CRC_SIZE:], len(octets), checked=True, mended=True)
    return Fault.CHECKSUM
