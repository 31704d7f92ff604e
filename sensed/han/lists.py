"""From an APDU to a reading: the generic path, and a bounded cache of compiled plans.

The generic path decodes every octet and matches the layout tables. What it learns
about a telegram's shape is compiled into a plan: as long as all octets that are not
values stay the same, later telegrams of the meter are read with one comparison and
one :func:`struct.unpack`.
"""

from __future__ import annotations

from decimal import Context, Decimal
from functools import partial
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

from sensed.errors import WireError
from sensed.han import apdu
from sensed.han.axdr import INTEGERS, Tag
from sensed.han.clock import SIZE as CLOCK_SIZE
from sensed.han.clock import iso_clock
from sensed.han.layouts import Binding, Kind, Match, in_fractions, match
from sensed.han.reading import READING_KEYS, Reading
from sensed.han.structure import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sensed.han.apdu import Notification
    from sensed.han.axdr import Node

    Convert = Callable[[Any], int | Decimal | str | None]

MAX_PLANS = 16

_EXACT = Context(prec=40)
_PLACE = {key: place for place, key in enumerate(READING_KEYS)}
_SLOTS = tuple(Reading.__dict__[key].__set__ for key in READING_KEYS)
_INVOKE_ID = range(1, 5)
BEHIND_TRANSFORMER = frozenset(
    key
    for key in READING_KEYS
    if key.startswith(("power_import", "power_export", "current", "energy", "reactive"))
)


class DoubtfulError(WireError):
    """A telegram that nothing checks contradicts what its meter always sent."""


class Decoded(NamedTuple):
    """A reading with the layout it came from.

    ``texts`` are its measured values as written, by code, and under "" its identification,
    where nothing protects them.
    """

    layout: str
    maker: str
    reading: Reading
    texts: Mapping[str, str] | None = None


class ListReader:
    """Reads data-notifications; keeps plans for the shapes seen last."""

    def __init__(self, ct_ratio: int | Decimal = 1, layout: Sequence[str] = ()) -> None:
        """Multiply currents, powers and energies by ``ct_ratio``.

        ``layout`` is the order of lists of bare values that no known layout fits.
        """
        self._ct_ratio = ct_ratio
        self._layout = layout
        self._plans: list[Plan] = []
        self._doubted: Plan | None = None

    def read(self, data: bytes, title: bytes = b"", *, sound: bool = True) -> Decoded | str:
        """Return the reading, or the readable structure of a list that fits no layout.

        ``sound`` says that a check of 16 bits or more held. Where none did, damage shows in
        octets that are the same in every list of a meter: a list that differs in them from
        those of its meter and size must come twice.

        Raises:
            WireError: ``data`` is no whole data-notification; DoubtfulError where it is one
                that must come again.

        """
        size = len(data)
        for plan in self._plans:
            if plan.size == size and (reading := plan.read(data, title)) is not None:
                plan.proven = True
                return Decoded(plan.layout, plan.maker, reading)
        notification = apdu.notification(data)
        found = match(notification, title, self._layout)
        if found is None:
            return describe(notification)
        plan = Plan(notification, found, title, self._ct_ratio)
        if not sound:
            self._doubt(plan)
        self._plans.insert(0, plan)
        del self._plans[MAX_PLANS:]
        return Decoded(found.layout, found.maker, read_generic(notification, found, self._ct_ratio))

    def _doubt(self, plan: Plan) -> None:
        """Raise DoubtfulError where ``plan`` contradicts a proven one and is the first to."""
        known = any(old.proven and old.rivals(plan) for old in self._plans)
        if known and not (self._doubted and self._doubted.same(plan)):
            self._doubted = plan
            raise DoubtfulError("differs where its meter's lists never do")
        self._doubted = None


def read_generic(notification: Notification, found: Match, ct_ratio: int | Decimal = 1) -> Reading:
    """Build the reading from decoded values, octet by octet: what plans must agree with."""
    values: list[Any] = [None] * len(READING_KEYS)
    if notification.date is not None:
        values[_PLACE["meter_clock"]] = iso_clock(notification.date)
    for binding in found.bindings:
        if binding.kind is not Kind.SKIP and binding.node.value is not None:
            values[_PLACE[binding.key]] = _converter(binding, ct_ratio)(binding.node.value)
    return _reading(values)


class Plan:
    """How to read every telegram that differs from one seen before in its values only."""

    __slots__ = (
        "_constant",
        "_in_fractions",
        "_mask",
        "_steps",
        "_template",
        "_title",
        "_unpack",
        "_voltages",
        "layout",
        "maker",
        "proven",
        "size",
    )

    def __init__(
        self, notification: Notification, found: Match, title: bytes, ct_ratio: int | Decimal
    ) -> None:
        """Compile the plan for telegrams shaped like ``notification``."""
        data = notification.data
        self.layout, self.maker, self.size = found.layout, found.maker, len(data)
        self.proven = False
        self._title = title
        self._in_fractions = found.in_fractions
        self._template: list[Any] = [None] * len(READING_KEYS)
        mask = bytearray(b"\xff" * len(data))
        fields: list[tuple[int, str, Binding | None]] = []
        if notification.date_form != "none":
            _free(mask, _INVOKE_ID)
        if notification.date is not None:
            fields.append((notification.date_start, f"{CLOCK_SIZE}s", None))
        for binding in found.bindings:
            code = _field(binding.node)
            if binding.kind is Kind.TEXT and binding.node.value is not None:
                text = _converter(binding, ct_ratio)(binding.node.value)
                self._template[_PLACE[binding.key]] = text
            elif code is not None and binding.kind is not Kind.TEXT:
                fields.append((binding.node.start, code, binding))
        self._compile(data, mask, sorted(fields, key=lambda field: field[0]), ct_ratio)

    def _compile(
        self,
        data: bytes,
        mask: bytearray,
        fields: Sequence[tuple[int, str, Binding | None]],
        ct_ratio: int | Decimal,
    ) -> None:
        layout, at = ">", 0
        voltages: list[int] = []
        steps: list[tuple[int, Convert]] = []
        for start, code, binding in fields:
            end = start + Struct(">" + code).size
            _free(mask, range(start, end))
            if binding is not None and binding.kind is Kind.SKIP:
                continue
            layout += f"{start - at}x{code}"
            at = end
            if binding is None:
                steps.append((_PLACE["meter_clock"], iso_clock))
            else:
                if binding.key.startswith("voltage"):
                    voltages.append(len(steps))
                steps.append((_PLACE[binding.key], _converter(binding, ct_ratio)))
        self._voltages = tuple(voltages)
        self._unpack = Struct(f"{layout}{len(data) - at}x").unpack
        self._steps = tuple(steps)
        self._mask = int.from_bytes(mask)
        self._constant = int.from_bytes(data) & self._mask

    def rivals(self, other: Plan) -> bool:
        """Tell whether the plans are for lists of one meter and size."""
        return self.size == other.size and self._title == other._title

    def same(self, other: Plan) -> bool:
        """Tell whether the plans are for the same lists."""
        mine, others = (self._mask, self._constant), (other._mask, other._constant)
        return self.rivals(other) and mine == others

    def read(self, data: bytes, title: bytes) -> Reading | None:
        """Return the reading, or None where ``data``, of the plan's size, is shaped otherwise."""
        if int.from_bytes(data) & self._mask != self._constant or title != self._title:
            return None
        raws = self._unpack(data)
        if (
            self._in_fractions is not None
            and in_fractions(raws[n] for n in self._voltages) != self._in_fractions
        ):
            return None
        values = self._template.copy()
        for (place, convert), raw in zip(self._steps, raws, strict=True):
            values[place] = convert(raw)
        return _reading(values)


def _reading(values: Sequence[Any]) -> Reading:
    """Return a reading of ``values`` in key order.

    Filling the slots directly takes half the time of the frozen class's constructor,
    which is most of what reading a telegram by a plan costs.
    """
    reading = object.__new__(Reading)
    for fill, value in zip(_SLOTS, values, strict=True):
        fill(reading, value)
    return reading


def _free(mask: bytearray, places: range) -> None:
    mask[places.start : places.stop] = bytes(len(places))


def _field(node: Node) -> str | None:
    """Return the struct code of a value whose size never changes, None for all others."""
    if node.tag in INTEGERS:
        return INTEGERS[node.tag]
    if node.tag == Tag.DATE_TIME or (
        node.tag == Tag.OCTET_STRING and node.end - node.start == CLOCK_SIZE
    ):
        return f"{CLOCK_SIZE}s"
    return None


def _text(raw: int | bytes) -> str:
    """Return text as sent; octets beyond ASCII stand for the code point they name.

    Zero octets that fill a text of fixed size up are no part of it.
    """
    return raw.rstrip(b"\0").decode("latin-1") if isinstance(raw, bytes) else str(raw)


def _converter(binding: Binding, ct_ratio: int | Decimal) -> Convert:
    if binding.kind is Kind.CLOCK:
        return iso_clock
    if binding.kind in (Kind.TEXT, Kind.SERIAL):
        return _text
    ratio = ct_ratio if binding.key in BEHIND_TRANSFORMER else 1
    scale = _scaler(ratio, binding.exponent)
    if binding.kind is Kind.FILLED:
        return lambda raw: scale(raw) if raw else None
    return scale


def _scaler(ratio: int | Decimal, exponent: int) -> Convert:
    if exponent >= 0 and isinstance(ratio, int):
        factor = ratio * 10**exponent
        return int if factor == 1 else factor.__mul__
    return partial(_EXACT.multiply, _EXACT.scaleb(Decimal(ratio), exponent))
