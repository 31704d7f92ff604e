"""A-XDR as a meter writes it: small functions from a value to its octets (IEC 62056-6-2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

NULL = 0x00
UINT32 = 0x06
OCTET_STRING = 0x09
VISIBLE_STRING = 0x0A
INT16 = 0x10
UINT16 = 0x12
UINT64 = 0x15
ENUM = 0x16

_SHORT_LENGTH_MAX = 0x7F
_LONG_LENGTH = 0x80
_ARRAY = 0x01
_STRUCTURE = 0x02
_INTEGER = 0x0F
_NUMBERS = {
    UINT32: (4, False),
    INT16: (2, True),
    UINT16: (2, False),
    UINT64: (8, False),
    ENUM: (1, False),
}

UNIT_W, UNIT_VAR, UNIT_WH, UNIT_VARH = 0x1B, 0x1D, 0x1E, 0x20
UNIT_A, UNIT_V, UNIT_NONE = 0x21, 0x23, 0xFF

UNSPECIFIED_DEVIATION = -0x8000


def length(count: int) -> bytes:
    """Return a length or count: one octet below 128, else the 81/82 form."""
    if count <= _SHORT_LENGTH_MAX:
        return bytes((count,))
    size = (count.bit_length() + 7) // 8
    return bytes((_LONG_LENGTH | size,)) + count.to_bytes(size, "big")


def number(tag: int, value: int) -> bytes:
    """Return a tagged big-endian number; OverflowError when it does not fit."""
    size, signed = _NUMBERS[tag]
    return bytes((tag,)) + value.to_bytes(size, "big", signed=signed)


def capacity(tag: int) -> tuple[int, int]:
    """Return the lowest and highest value that fit behind ``tag``."""
    size, signed = _NUMBERS[tag]
    span = 1 << (8 * size)
    return (-span // 2, span // 2 - 1) if signed else (0, span - 1)


def text(tag: int, value: str) -> bytes:
    """Return text as an octet-string or visible-string."""
    raw = value.encode("ascii")
    return bytes((tag,)) + length(len(raw)) + raw


def octets(value: bytes) -> bytes:
    """Return an octet-string."""
    return bytes((OCTET_STRING,)) + length(len(value)) + value


def structure(elements: Sequence[bytes], *, count: int | None = None) -> bytes:
    """Return a structure; ``count`` says how many elements the pieces hold when not one each."""
    return bytes((_STRUCTURE,)) + _counted(elements, count)


def array(elements: Sequence[bytes]) -> bytes:
    """Return an array."""
    return bytes((_ARRAY,)) + _counted(elements, None)


def scaler_unit(scaler: int, unit: int) -> bytes:
    """Return the structure of power of ten and unit."""
    return structure((integer(scaler), bytes((ENUM, unit))))


def integer(value: int) -> bytes:
    """Return an 8-bit signed integer."""
    return bytes((_INTEGER,)) + value.to_bytes(1, "big", signed=True)


def obis(code: str) -> bytes:
    """Return the six octets of a code such as ``1-0:1.7.0``; F is 255 unless written."""
    media, _, rest = code.partition(":")
    groups = [int(part) for part in (*media.split("-"), *rest.split("."))]
    return bytes((*groups, 255)[:6])


def date_time(
    moment: datetime,
    *,
    deviation_min: int = UNSPECIFIED_DEVIATION,
    status: int = 0,
    hundredths: int = 0xFF,
) -> bytes:
    """Return the twelve octets of a COSEM date-time; ``deviation_min`` is UTC minus local."""
    return (
        moment.year.to_bytes(2, "big")
        + bytes((moment.month, moment.day, moment.isoweekday()))
        + bytes((moment.hour, moment.minute, moment.second, hundredths))
        + deviation_min.to_bytes(2, "big", signed=True)
        + bytes((status,))
    )


def _counted(elements: Sequence[bytes], count: int | None) -> bytes:
    return length(len(elements) if count is None else count) + b"".join(elements)
