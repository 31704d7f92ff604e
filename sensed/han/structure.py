"""An unknown list's shape as one readable line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensed.han.axdr import Node, Tag

if TYPE_CHECKING:
    from sensed.han.apdu import Notification

MAX_LENGTH = 2000

_OBIS_SIZE = 6
_NAMES = {
    Tag.NULL: "null",
    Tag.BOOLEAN: "boolean",
    Tag.BIT_STRING: "bits",
    Tag.INT32: "i32",
    Tag.UINT32: "u32",
    Tag.OCTET_STRING: "octets",
    Tag.VISIBLE_STRING: "text",
    Tag.UTF8_STRING: "utf8",
    Tag.BCD: "bcd",
    Tag.INT8: "i8",
    Tag.INT16: "i16",
    Tag.UINT8: "u8",
    Tag.UINT16: "u16",
    Tag.COMPACT_ARRAY: "compact-array",
    Tag.INT64: "i64",
    Tag.UINT64: "u64",
    Tag.ENUM: "enum",
    Tag.FLOAT32: "f32",
    Tag.FLOAT64: "f64",
    Tag.DATE_TIME: "date-time",
    Tag.DATE: "date",
    Tag.TIME: "time",
}


def describe(notification: Notification) -> str:
    """Return types, sizes, OBIS codes and texts of a list, at most 2000 characters."""
    text = f"date-time {notification.date_form}: {_shape(notification.body)}"
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"


def _shape(node: Node) -> str:
    if node.tag in (Tag.ARRAY, Tag.STRUCTURE):
        name = "array" if node.tag == Tag.ARRAY else "structure"
        return f"{name}({', '.join(_shape(child) for child in node.children)})"
    name = _NAMES[Tag(node.tag)]
    if not isinstance(node.value, bytes):
        return name
    if node.tag == Tag.OCTET_STRING and len(node.value) == _OBIS_SIZE:
        a, b, c, d, e, f = node.value
        return f"obis {a}-{b}:{c}.{d}.{e}.{f}"
    if node.tag in (Tag.VISIBLE_STRING, Tag.UTF8_STRING) or _printable(node.value):
        return f"{name}[{len(node.value)}] {node.value.decode('latin-1')!a}"
    return f"{name}[{len(node.value)}]"


def _printable(octets: bytes) -> bool:
    return bool(octets) and octets.isascii() and octets.decode("ascii").isprintable()
