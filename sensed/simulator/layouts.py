"""How each maker writes down a list: items as data, and the forms of body.

An :class:`Item` names a key of the reading, its OBIS code, its A-XDR type and the
power of ten of one step on the wire. A body is octets together with the fields that
a correct decoder must get out of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial

from sensed.han.reading import Quantity
from sensed.simulator import axdr
from sensed.simulator.household import Values

Fields = dict[str, str | Quantity]
"""Keys of the reading to exact values."""


@dataclass(frozen=True, slots=True)
class Nameplate:
    """What is printed on one meter and never changes."""

    texts: Mapping[str, str]
    serial_number: int
    system_title: bytes


@dataclass(frozen=True, slots=True)
class ClockStyle:
    """How a maker fills the parts of a date-time that nobody agrees on."""

    deviation_min: int = axdr.UNSPECIFIED_DEVIATION
    status: int = 0
    hundredths: int = 0xFF
    whole_hour: bool = False

    def octets(self, moment: datetime) -> bytes:
        """Return the twelve octets of this clock at ``moment``, local time."""
        return axdr.date_time(
            self._shown(moment),
            deviation_min=self.deviation_min,
            status=self.status,
            hundredths=self.hundredths,
        )

    def iso(self, moment: datetime) -> str:
        """Return the same moment as a reading's ``meter_clock``."""
        text = self._shown(moment).isoformat(timespec="seconds")
        if self.deviation_min == axdr.UNSPECIFIED_DEVIATION:
            return text
        sign = "-" if self.deviation_min > 0 else "+"
        hours, minutes = divmod(abs(self.deviation_min), 60)
        return f"{text}{sign}{hours:02}:{minutes:02}"

    def _shown(self, moment: datetime) -> datetime:
        if self.whole_hour:
            return moment.replace(minute=0, second=0, microsecond=0)
        return moment.replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class Moment:
    """Everything a meter knows when it writes a list."""

    values: Values
    clock: datetime
    style: ClockStyle
    plate: Nameplate


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a list.

    ``key`` is a reading's key, or empty for an entry that carries no reading;
    ``scaler`` the power of ten of one step on the wire, in SI units; ``text`` what a text
    always says, where the nameplate does not tell.
    """

    key: str
    obis: str
    tag: int
    scaler: int = 0
    unit: int = axdr.UNIT_NONE
    text: str = ""


Body = tuple[bytes, Fields]
BodyForm = Callable[[Sequence[Item], Moment], Body]


def writer(form: BodyForm, items: Sequence[Item]) -> Callable[[Moment], Body]:
    """Return what writes ``items`` down in this form."""
    return partial(form, items)


def exact(steps: int, scaler: int) -> Quantity:
    """Return ``steps`` times ten to the ``scaler`` without binary rounding."""
    return Decimal(steps).scaleb(scaler) if scaler < 0 else steps * 10**scaler


def to_steps(item: Item, value: float) -> int:
    """Return an SI value in the item's steps, kept inside its type; registers never round up."""
    lowest, highest = axdr.capacity(item.tag)
    scaled = value / 10**item.scaler
    steps = int(scaled) if "energy" in item.key else round(scaled)
    return min(highest, max(lowest, steps if lowest < 0 else abs(steps)))


def item_value(item: Item, moment: Moment) -> tuple[bytes, str | Quantity | None]:
    """Return one item's value on the wire and in the reading."""
    if item.tag == axdr.NULL:
        return b"\x00", None
    if item.key == "meter_clock":
        return axdr.octets(moment.style.octets(moment.clock)), moment.style.iso(moment.clock)
    if item.tag in _TEXT_TAGS:
        value = item.text or moment.plate.texts[item.key]
        return axdr.text(item.tag, value), value
    if item.key == "meter_id":
        serial_number = moment.plate.serial_number
        return axdr.number(item.tag, serial_number), str(serial_number)
    if not item.key:
        return axdr.number(item.tag, 0), None
    steps = to_steps(item, moment.values[item.key])
    return axdr.number(item.tag, steps), exact(steps, item.scaler)


def aidon_array(items: Sequence[Item], moment: Moment) -> Body:
    """Array of structures {code, value} or {code, value, {scaler, unit}} (Aidon)."""
    return _body(
        items, moment, lambda item, value: axdr.structure(_coded(item, value)), wrap=axdr.array
    )


def flat_triples(items: Sequence[Item], moment: Moment) -> Body:
    """One structure: clock, then code, value, {scaler, unit} in a row, then the number."""
    pieces: list[bytes] = []
    fields: Fields = {}
    for item in items:
        value, shown = item_value(item, moment)
        _note(fields, item, shown)
        pieces += _coded(item, value) if item.obis else [value]
    return axdr.structure(pieces), fields


def pairs(items: Sequence[Item], moment: Moment) -> Body:
    """One structure of code, value in a row; an item without a code stands alone."""
    pieces: list[bytes] = []
    fields: Fields = {}
    for item in items:
        value, shown = item_value(item, moment)
        _note(fields, item, shown)
        if item.tag == axdr.NULL:
            pieces += [b"\x00", b"\x00"]
        elif item.obis:
            pieces += [axdr.octets(axdr.obis(item.obis)), value]
        else:
            pieces.append(value)
    return axdr.structure(pieces), fields


def positional(items: Sequence[Item], moment: Moment) -> Body:
    """One structure of bare values (Kaifa Norway, Iskraemeco)."""
    return _body(items, moment, lambda _, value: value, wrap=axdr.structure)


def mixed(items: Sequence[Item], moment: Moment) -> Body:
    """One structure: the clock as code, value, then structures of the others (Kaifa MA309)."""
    pieces: list[bytes] = []
    fields: Fields = {}
    for item in items:
        value, shown = item_value(item, moment)
        _note(fields, item, shown)
        coded = _coded(item, value)
        pieces += coded if item.key == "meter_clock" else [axdr.structure(coded)]
    return axdr.structure(pieces), fields


def push_objects(items: Sequence[Item], moment: Moment, *, setup: str, twice: bool = False) -> Body:
    """Push object list first, describing itself as entry 1, then the values.

    With ``twice`` the name of the push ``setup`` is entry 2, and the first value.
    """
    entries = [_push_entry(_CLASS_PUSH_SETUP, setup, 2)]
    values = []
    if twice:
        entries.append(_push_entry(_CLASS_PUSH_SETUP, setup, 1))
        values.append(axdr.octets(axdr.obis(setup)))
    fields: Fields = {}
    for item in items:
        value, shown = item_value(item, moment)
        _note(fields, item, shown)
        values.append(value)
        entries.append(_push_entry(_interface_class(item), item.obis, 2))
    return axdr.structure((axdr.array(entries), *values)), fields


_TEXT_TAGS = (axdr.OCTET_STRING, axdr.VISIBLE_STRING)
_CLASS_DATA, _CLASS_REGISTER, _CLASS_CLOCK, _CLASS_PUSH_SETUP = 1, 3, 8, 40


def _body(
    items: Sequence[Item],
    moment: Moment,
    piece: Callable[[Item, bytes], bytes],
    *,
    wrap: Callable[[Sequence[bytes]], bytes],
) -> Body:
    pieces: list[bytes] = []
    fields: Fields = {}
    for item in items:
        value, shown = item_value(item, moment)
        _note(fields, item, shown)
        pieces.append(piece(item, value))
    return wrap(pieces), fields


def _note(fields: Fields, item: Item, shown: str | Quantity | None) -> None:
    if item.key and shown is not None:
        fields[item.key] = shown


def _coded(item: Item, value: bytes) -> list[bytes]:
    code = axdr.octets(axdr.obis(item.obis))
    if item.unit == axdr.UNIT_NONE and item.key not in _UNITLESS_NUMBERS:
        return [code, value]
    return [code, value, axdr.scaler_unit(item.scaler, item.unit)]


_UNITLESS_NUMBERS = ("power_factor", "power_factor_l1", "power_factor_l2", "power_factor_l3")


def _interface_class(item: Item) -> int:
    if item.key == "meter_clock":
        return _CLASS_CLOCK
    return _CLASS_DATA if item.tag in _TEXT_TAGS else _CLASS_REGISTER


def _push_entry(interface_class: int, code: str, attribute: int) -> bytes:
    return axdr.structure(
        (
            axdr.number(axdr.UINT16, interface_class),
            axdr.octets(axdr.obis(code)),
            axdr.integer(attribute),
            axdr.number(axdr.UINT16, 0),
        )
    )
