"""COSEM date-time to ISO 8601 (IEC 62056-6-2, 4.1.6.1)."""

from __future__ import annotations

import struct

SIZE = 12
"""Octets of a COSEM date-time."""

_FIELDS = struct.Struct(">HBBxBBBBhx")
_TWO_DIGITS = tuple(f"{octet:02}" for octet in range(256))
_LAST_YEAR = 9999
_LAST_MONTH = 12
_LAST_DAY = 31
_LAST_HOUR = 23
_LAST_OF_SIXTY = 59
_LAST_HUNDREDTH = 99
_NOT_SPECIFIED = 0xFF
_MAX_DEVIATION = 14 * 60


def iso_clock(octets: bytes) -> str | None:
    """Return the date-time as sent, or None where its date or time is not specified.

    An offset is appended only when a deviation is stated; it is minus the deviation.
    Seconds and hundredths that are not specified are left out.
    """
    year, month, day, hour, minute, second, hundredths, deviation = _FIELDS.unpack(octets)
    if not (1 <= month <= _LAST_MONTH and 1 <= day <= _LAST_DAY and year <= _LAST_YEAR):
        return None
    if hour > _LAST_HOUR or minute > _LAST_OF_SIXTY:
        return None
    two = _TWO_DIGITS
    text = f"{year:04}-{two[month]}-{two[day]}T{two[hour]}:{two[minute]}"
    if second <= _LAST_OF_SIXTY:
        text += ":" + two[second]
        if 0 < hundredths <= _LAST_HUNDREDTH:
            text += "." + two[hundredths]
    elif second != _NOT_SPECIFIED:
        return None
    if -_MAX_DEVIATION <= deviation <= _MAX_DEVIATION:
        hours, minutes = divmod(abs(deviation), 60)
        text += f"{'-' if deviation > 0 else '+'}{two[hours]}:{two[minutes]}"
    return text
