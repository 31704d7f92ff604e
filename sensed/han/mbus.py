"""M-Bus long frames that carry a DLMS telegram in parts (EN 13757-2, EN 13757-1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sensed.han.faults import Fault

if TYPE_CHECKING:
    from sensed.han.faults import Octets

START = 0x68

_STOP = 0x16
_HEADER = 4  # start, L, L, start
_TRAILER = 2  # checksum, stop
_LINK = 5  # C, A, CI, STSAP, DTSAP
_WRAP = 256
_LAST_PART = 0x10


class MbusFrame(NamedTuple):
    """One long frame with a good checksum; ``part`` counts from 0."""

    octets: bytes
    part: int
    last: bool
    dlms: bool
    data: bytes


def probe(buffer: Octets, at: int) -> MbusFrame | int | Fault | None:
    """Look for a long frame that starts at ``at``; answers as :func:`sensed.han.hdlc.probe`.

    Some meters let L overflow on telegrams above 255 octets: 256 more are tried
    where the frame does not end at the length announced.
    """
    have = len(buffer) - at
    if have < _HEADER:
        return _HEADER
    length = buffer[at + 1]
    if buffer[at + 2] != length or buffer[at + 3] != START:
        return None
    for size in (length, length + _WRAP):
        if size < _LINK:
            continue
        whole = _HEADER + size + _TRAILER
        if have < whole:
            return whole
        if buffer[at + whole - 1] == _STOP and _sum_good(buffer, at, size):
            return _frame(bytes(buffer[at : at + whole]))
    return Fault.CHECKSUM


def _sum_good(buffer: Octets, at: int, size: int) -> bool:
    end = at + _HEADER + size
    return sum(buffer[at + _HEADER : end]) & 0xFF == buffer[end]


def _frame(octets: bytes) -> MbusFrame:
    control_information = octets[_HEADER + 2]
    return MbusFrame(
        octets,
        control_information & 0x0F,
        bool(control_information & _LAST_PART),
        control_information <= (_LAST_PART | 0x0F),
        octets[_HEADER + _LINK : -_TRAILER],
    )
