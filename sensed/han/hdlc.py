"""HDLC frame format type 3 as the meter port uses it (IEC 62056-46), without octet stuffing.

The length field decides where a frame ends; the HCS is checked before the length
is trusted. Addresses and control are not filtered on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sensed.han.crc import x25_good
from sensed.han.faults import Fault

if TYPE_CHECKING:
    from sensed.han.faults import Octets

FLAG = 0x7E

_TYPE_3 = 0xA0
_SEGMENTED = 0x08
_MIN_LENGTH = 7
_LONGEST_HEADER = 14
_LONGEST_ADDRESS = 4
_FORMAT = 3  # flag and frame format
_CHECK = 2
_CR_LF = b"\r\n"


class HdlcFrame(NamedTuple):
    """One undamaged frame.

    ``octets`` are those between the flags, ``information`` those between HCS and FCS;
    ``addresses`` are destination and source as sent; ``mended`` means that carriage
    returns which an adapter had inserted were taken out before the checks held.
    """

    octets: bytes
    addresses: bytes
    segmented: bool
    information: bytes
    mended: bool = False


def probe(buffer: Octets, at: int) -> HdlcFrame | int | Fault | None:
    """Look for a frame whose opening flag is at ``at``.

    Returns the frame; or how many octets from ``at`` on are needed to go on; or the
    fault that rules a frame out; or None where nothing looks like a frame.
    """
    have = len(buffer) - at
    if have < _FORMAT:
        kind = buffer[at + 1] if have > 1 else _TYPE_3
        return have + 1 if kind & 0xF0 == _TYPE_3 else None
    if buffer[at + 1] & 0xF0 != _TYPE_3:
        return None
    length = (buffer[at + 1] & 7) << 8 | buffer[at + 2]
    if have < _LONGEST_HEADER and have <= length:
        return min(_LONGEST_HEADER, length + 1)
    end = at + 1 + length
    body = _end_of_header(buffer, at, end)
    # Without information there is no HCS, the FCS stands in its place.
    if body is None or (body < end and not x25_good(buffer[at + 1 : body])):
        return Fault.LENGTH if body is None else Fault.HCS
    if have <= length:
        return length + 1
    octets = bytes(buffer[at + 1 : end])
    return _frame(octets, body - at - 1) if x25_good(octets) else Fault.FCS


def _frame(octets: bytes, start: int) -> HdlcFrame:
    return HdlcFrame(
        octets,
        octets[_FORMAT - 1 : start - _CHECK - 1],
        bool(octets[0] & _SEGMENTED),
        octets[start:-_CHECK],
    )


def mend(buffer: Octets, at: int, fault: Fault) -> tuple[HdlcFrame, int] | int | None:
    """Look for a frame behind a ``fault`` at ``at``: one in which LF was turned into CR LF.

    Returns the frame and how many octets of the buffer it takes; or how many are
    needed to go on; or None. Both checks must hold, so nothing is ever guessed.
    """
    length = (buffer[at + 1] & 7) << 8 | buffer[at + 2]
    suspect = length + 1 if fault is Fault.FCS else min(_LONGEST_HEADER, length + 1)
    broken = bytes(buffer[at : at + suspect])
    if length < _MIN_LENGTH or not (_CR_LF in broken or broken.endswith(b"\r")):
        return None
    if fault is not Fault.FCS and not _header_mends(bytes(buffer[at : at + 2 * _LONGEST_HEADER])):
        return None
    # An octet becomes two at most, and the length can only have grown (0A to 0D).
    window = bytes(buffer[at : at + 2 * (length + 2)])
    original = window.removesuffix(b"\r").replace(_CR_LF, b"\n")
    found = probe(original, 0)
    if isinstance(found, int):
        return len(window) + max(1, found - len(original))
    if not isinstance(found, HdlcFrame):
        return None
    size = taken = len(found.octets) + 1
    while (short := size - len(window[:taken].replace(_CR_LF, b"\n"))) > 0:
        taken += short
    if window[taken - 1 : taken + 1] == _CR_LF:
        taken += 1
    return found._replace(mended=True), taken


def _header_mends(start: bytes) -> bool:
    """Tell whether a frame may begin with ``start`` once inserted carriage returns are out."""
    found = probe(start.removesuffix(b"\r").replace(_CR_LF, b"\n"), 0)
    return isinstance(found, HdlcFrame | int) or found is Fault.FCS


def _end_of_header(buffer: Octets, at: int, end: int) -> int | None:
    """Return where the first check sequence after addresses and control ends."""
    place = at + _FORMAT
    for _ in range(2):
        last = min(place + _LONGEST_ADDRESS, end)
        while place < last and not buffer[place] & 1:
            place += 1
        if place >= last:
            return None
        place += 1
    body = place + 1 + _CHECK
    if body == end or body + _CHECK <= end:
        return body
    return None
