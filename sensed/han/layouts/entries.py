"""A telegram's body as a row of entries, whatever nesting its maker chose."""

from __future__ import annotations

from typing import NamedTuple

from sensed.han.axdr import Node, Tag

_OBIS_SIZE = 6
_LAST_GROUP = 0xFF
_CHANNELS = (0, 1)
_CODE_VALUE_SCALE = 3
_PUSH_OBJECT = 4
_VALUE_ATTRIBUTE = 2
_PUSH_SETUP = 40  # class id
_PUSH_OBJECT_LIST = 2  # attribute of a push setup


class Entry(NamedTuple):
    """One value; ``code`` is its OBIS code as "A:C.D.E", None where it has none.

    A code that is foreign to the electricity meter itself (another channel, a
    value of the past) reads "other".
    """

    code: str | None
    value: Node
    scaler: int | None = None
    unit: int | None = None


def structures(body: Node) -> list[Entry] | None:
    """Read an array of {code, value} or {code, value, {scaler, unit}}."""
    if body.tag != Tag.ARRAY:
        return None
    entries = [_structured(item) for item in body.children]
    found = [entry for entry in entries if entry is not None]
    return found if len(found) == len(entries) else None


def _structured(item: Node) -> Entry | None:
    """Read {code, value} or {code, value, {scaler, unit}}."""
    parts = item.children
    if item.tag != Tag.STRUCTURE or not parts or not _is_code(parts[0]):
        return None
    if len(parts) not in (_CODE_VALUE_SCALE - 1, _CODE_VALUE_SCALE):
        return None
    scale = _scaler_unit(parts[-1]) if len(parts) == _CODE_VALUE_SCALE else (None, None)
    if scale is None or parts[1].children:
        return None
    return Entry(obis(parts[0]), parts[1], *scale)


def flat(body: Node) -> list[Entry] | None:
    """Read a structure of code, value and perhaps {scaler, unit} in turn.

    Values without a code and structures of code, value and perhaps {scaler, unit} may stand
    among them; null-data in the place of a pair is skipped.
    """
    if body.tag != Tag.STRUCTURE:
        return None
    entries = []
    parts = list(reversed(body.children))
    while parts:
        node = parts.pop()
        if node.tag == Tag.NULL:
            continue
        code = None
        if parts and _is_code(node):
            code, node = obis(node), parts.pop()
        if node.tag in (Tag.ARRAY, Tag.STRUCTURE):
            entry = None if code else _structured(node)
            if entry is None:
                return None
            entries.append(entry)
            continue
        scale = _scaler_unit(parts[-1]) if code and parts else None
        if scale is None:
            entries.append(Entry(code, node))
        else:
            parts.pop()
            entries.append(Entry(code, node, *scale))
    return entries


def pushed(body: Node) -> list[Entry] | None:
    """Read a structure whose first element lists the objects that the others are values of.

    The object list may name itself as its first object. The name that its push setup sends
    as a value has a code of its own, "A-B:C.D.E".
    """
    if body.tag != Tag.STRUCTURE or not body.children or body.children[0].tag != Tag.ARRAY:
        return None
    objects, *values = body.children
    entries = [_pushed_object(item) for item in objects.children]
    if len(entries) == len(values) + 1 and entries and entries[0] is None:
        del entries[0]
    if len(entries) != len(values) or any(value.children for value in values):
        return None
    codes = [code for code in entries if isinstance(code, str)]
    if len(codes) != len(entries):
        return None
    return [Entry(code, value) for code, value in zip(codes, values, strict=True)]


def positional(body: Node) -> list[Entry] | None:
    """Read a structure of values without codes."""
    if body.tag != Tag.STRUCTURE:
        return None
    return [Entry(None, node) for node in body.children]


def obis(node: Node) -> str:
    """Return the OBIS code as "A:C.D.E", or "other"."""
    octets = node.value
    if not isinstance(octets, bytes) or octets[1] not in _CHANNELS or octets[5] != _LAST_GROUP:
        return "other"
    return f"{octets[0]}:{octets[2]}.{octets[3]}.{octets[4]}"


def _is_code(node: Node) -> bool:
    return node.tag == Tag.OCTET_STRING and node.end - node.start == _OBIS_SIZE


def _scaler_unit(node: Node) -> tuple[int, int] | None:
    if node.tag != Tag.STRUCTURE or [c.tag for c in node.children] != [Tag.INT8, Tag.ENUM]:
        return None
    scaler, unit = node.children
    if not isinstance(scaler.value, int) or not isinstance(unit.value, int):
        return None
    return scaler.value, unit.value


def _pushed_object(item: Node) -> str | None:
    """Return an object's code; None for the push object list itself and for what is no object."""
    parts = item.children
    if item.tag != Tag.STRUCTURE or len(parts) != _PUSH_OBJECT or not _is_code(parts[1]):
        return None
    kind, name, attribute = parts[0].value, parts[1].value, parts[2].value
    if kind == _PUSH_SETUP and isinstance(name, bytes):
        a, b, c, d, e, _ = name
        return None if attribute == _PUSH_OBJECT_LIST else f"{a}-{b}:{c}.{d}.{e}"
    return obis(parts[1]) if attribute == _VALUE_ATTRIBUTE else "other"
