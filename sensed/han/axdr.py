"""Bounded A-XDR decoding (IEC 62056-6-2 data types).

Every count is checked against the octets left and nesting is limited, so cost is
linear in the input whatever it holds.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from sensed.errors import WireError

MAX_DEPTH = 8

_LONG_LENGTH = 0x80
_LENGTH_OCTETS = 4


class Tag(IntEnum):
    """Type tags of COSEM data."""

    NULL = 0x00
    ARRAY = 0x01
    STRUCTURE = 0x02
    BOOLEAN = 0x03
    BIT_STRING = 0x04
    INT32 = 0x05
    UINT32 = 0x06
    OCTET_STRING = 0x09
    VISIBLE_STRING = 0x0A
    UTF8_STRING = 0x0C
    BCD = 0x0D
    INT8 = 0x0F
    INT16 = 0x10
    UINT8 = 0x11
    UINT16 = 0x12
    COMPACT_ARRAY = 0x13
    INT64 = 0x14
    UINT64 = 0x15
    ENUM = 0x16
    FLOAT32 = 0x17
    FLOAT64 = 0x18
    DATE_TIME = 0x19
    DATE = 0x1A
    TIME = 0x1B


class Node(NamedTuple):
    """One decoded value: where its value octets lie, and what they say.

    ``value`` is an int for numbers (None for those that are not exact integers),
    bytes for strings and dates, None for null-data and constructed types.
    """

    tag: int
    start: int
    end: int
    value: int | bytes | None
    children: tuple[Node, ...] = ()


class Truncated(WireError):  # noqa: N818 - a state of the input rather than a failure
    """The octets end before the value does; ``needed`` is a lower bound of its end."""

    def __init__(self, needed: int) -> None:
        """Remember how many octets the value needs at least."""
        super().__init__(f"value cut short: at least {needed} octets needed")
        self.needed = needed


INTEGERS: dict[int, str] = {
    Tag.INT32: "i",
    Tag.UINT32: "I",
    Tag.INT8: "b",
    Tag.INT16: "h",
    Tag.UINT8: "B",
    Tag.UINT16: "H",
    Tag.INT64: "q",
    Tag.UINT64: "Q",
    Tag.ENUM: "B",
    Tag.BOOLEAN: "B",
}
"""Integer types with their :mod:`struct` code."""

_SIZES: dict[int, int] = {tag: struct.calcsize(">" + code) for tag, code in INTEGERS.items()}
_SIGNED = frozenset(tag for tag, code in INTEGERS.items() if code.islower())
_OPAQUE: dict[int, int] = {
    Tag.NULL: 0,
    Tag.BCD: 1,
    Tag.FLOAT32: 4,
    Tag.FLOAT64: 8,
}
_DATES: dict[int, int] = {Tag.DATE_TIME: 12, Tag.DATE: 5, Tag.TIME: 4}
_STRINGS = frozenset({Tag.OCTET_STRING, Tag.VISIBLE_STRING, Tag.UTF8_STRING})
_CONSTRUCTED = frozenset({Tag.ARRAY, Tag.STRUCTURE})


def decode(data: bytes, at: int = 0) -> Node:
    """Decode the value whose type tag is at ``at``.

    Raises:
        WireError: unknown type, impossible count, too deep; Truncated where octets lack.

    """
    return _decode(data, at, MAX_DEPTH)


def length(data: bytes, at: int) -> tuple[int, int]:
    """Return a length or count at ``at`` and where it ends (IEC 61334-6 variable length).

    Raises:
        WireError: the length has more than four octets; Truncated where octets lack.

    """
    _require(data, at + 1)
    first = data[at]
    if first < _LONG_LENGTH:
        return first, at + 1
    octets = first - _LONG_LENGTH
    if not 1 <= octets <= _LENGTH_OCTETS:
        raise WireError(f"length of {octets} octets")
    _require(data, at + 1 + octets)
    return int.from_bytes(data[at + 1 : at + 1 + octets]), at + 1 + octets


def _require(data: bytes, end: int) -> None:
    if len(data) < end:
        raise Truncated(end)


def _decode(data: bytes, at: int, depth: int) -> Node:
    _require(data, at + 1)
    tag = data[at]
    start = at + 1
    if (size := _SIZES.get(tag)) is not None:
        _require(data, end := start + size)
        return Node(tag, start, end, int.from_bytes(data[start:end], signed=tag in _SIGNED))
    if tag in _STRINGS:
        count, start = length(data, start)
        _require(data, end := start + count)
        return Node(tag, start, end, data[start:end])
    if tag in _CONSTRUCTED:
        return _decode_items(data, start, tag, depth)
    if (size := _OPAQUE.get(tag)) is not None:
        _require(data, end := start + size)
        return Node(tag, start, end, None)
    if (size := _DATES.get(tag)) is not None:
        _require(data, end := start + size)
        return Node(tag, start, end, data[start:end])
    return _decode_rare(data, start, tag, depth)


def _decode_items(data: bytes, start: int, tag: int, depth: int) -> Node:
    if not depth:
        raise WireError("nested too deeply")
    count, at = length(data, start)
    _require(data, at + count)
    children = []
    for left in range(count, 0, -1):
        try:
            child = _decode(data, at, depth - 1)
        except Truncated as short:
            raise Truncated(short.needed + left - 1) from None
        children.append(child)
        at = child.end
    return Node(tag, start, at, None, tuple(children))


def _decode_rare(data: bytes, start: int, tag: int, depth: int) -> Node:
    if tag == Tag.BIT_STRING:
        bits, start = length(data, start)
        _require(data, end := start + (bits + 7) // 8)
        return Node(tag, start, end, None)
    if tag == Tag.COMPACT_ARRAY:
        count, start = length(data, _skip_description(data, start, depth))
        _require(data, end := start + count)
        return Node(tag, start, end, None)
    raise WireError(f"unknown type tag {tag:#04x}")


def _skip_description(data: bytes, at: int, depth: int) -> int:
    """Return where the type description of a compact array ends; its contents stay opaque."""
    if not depth:
        raise WireError("nested too deeply")
    _require(data, at + 1)
    if data[at] == Tag.ARRAY:
        return _skip_description(data, at + 3, depth - 1)
    if data[at] != Tag.STRUCTURE:
        return at + 1
    count, at = length(data, at + 1)
    _require(data, at + count)
    for _ in range(count):
        at = _skip_description(data, at, depth - 1)
    return at
