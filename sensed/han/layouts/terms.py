"""The vocabulary of layouts: what an OBIS code means and how its value is read.

Codes follow IEC 62056-6-1; ``A:C.D.E`` here, since B is 0 or 1 for the same
quantity and F is always 255.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import TYPE_CHECKING, NamedTuple

from sensed.han.axdr import INTEGERS, Node, Tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Unit(IntEnum):
    """Units of COSEM scaler_unit (IEC 62056-6-2, table 4)."""

    W = 0x1B
    VA = 0x1C
    VAR = 0x1D
    WH = 0x1E
    VAH = 0x1F
    VARH = 0x20
    A = 0x21
    V = 0x23
    NONE = 0xFF


class Kind(Enum):
    """How the value of a term becomes a value of the reading."""

    NUMBER = "number"
    FILLED = "number, zero being a filler"
    TEXT = "text"
    CLOCK = "clock"
    SERIAL = "number that is a name"
    SKIP = "known, not reported"


NUMBERS = frozenset({Kind.NUMBER, Kind.FILLED})
"""Kinds that are measured."""


class Term(NamedTuple):
    """One quantity of a list; ``exponent`` None means that the frame states the scaler."""

    key: str
    kind: Kind
    tags: frozenset[int]
    exponent: int | None = None
    unit: Unit = Unit.NONE


class Binding(NamedTuple):
    """A term tied to the value that carries it, its power of ten settled."""

    key: str
    kind: Kind
    node: Node
    exponent: int = 0


class Match(NamedTuple):
    """The layout that a body fits, and where its values are.

    ``in_fractions`` tells, for meters that send voltages in volts or in fractions of one
    without saying which, which this body has; None for all others.
    """

    layout: str
    maker: str
    bindings: tuple[Binding, ...]
    in_fractions: bool | None = None


HIGHEST_VOLTAGE_V = 1000
"""What no voltage of a low-voltage grid reaches (IEC 60038)."""


class Quirk(NamedTuple):
    """What meters whose type starts with one of ``types`` do differently for ``keys``."""

    types: tuple[bytes, ...]
    keys: frozenset[str]
    kind: Kind = Kind.NUMBER
    exponent: int | None = None


INTEGER_TAGS = frozenset(INTEGERS) - {Tag.BOOLEAN, Tag.ENUM}
TEXT_TAGS = frozenset({Tag.OCTET_STRING, Tag.VISIBLE_STRING, Tag.UTF8_STRING})
CLOCK_TAGS = frozenset({Tag.OCTET_STRING, Tag.DATE_TIME})
U16 = frozenset({Tag.UINT16})
U32 = frozenset({Tag.UINT32})
U32_U64 = frozenset({Tag.UINT32, Tag.UINT64})

METER_ID = Term("meter_id", Kind.TEXT, TEXT_TAGS)
METER_TYPE = Term("meter_type", Kind.TEXT, TEXT_TAGS)
LIST_VERSION = Term("list_version", Kind.TEXT, TEXT_TAGS)
METER_CLOCK = Term("meter_clock", Kind.CLOCK, CLOCK_TAGS)

QUANTITIES: dict[str, tuple[str, Unit]] = {
    "1:1.7.0": ("power_import_w", Unit.W),
    "1:2.7.0": ("power_export_w", Unit.W),
    "1:3.7.0": ("reactive_power_import_var", Unit.VAR),
    "1:4.7.0": ("reactive_power_export_var", Unit.VAR),
    "1:31.7.0": ("current_l1_a", Unit.A),
    "1:51.7.0": ("current_l2_a", Unit.A),
    "1:71.7.0": ("current_l3_a", Unit.A),
    "1:32.7.0": ("voltage_l1_v", Unit.V),
    "1:52.7.0": ("voltage_l2_v", Unit.V),
    "1:72.7.0": ("voltage_l3_v", Unit.V),
    "1:21.7.0": ("power_import_l1_w", Unit.W),
    "1:41.7.0": ("power_import_l2_w", Unit.W),
    "1:61.7.0": ("power_import_l3_w", Unit.W),
    "1:22.7.0": ("power_export_l1_w", Unit.W),
    "1:42.7.0": ("power_export_l2_w", Unit.W),
    "1:62.7.0": ("power_export_l3_w", Unit.W),
    "1:23.7.0": ("reactive_power_import_l1_var", Unit.VAR),
    "1:43.7.0": ("reactive_power_import_l2_var", Unit.VAR),
    "1:63.7.0": ("reactive_power_import_l3_var", Unit.VAR),
    "1:24.7.0": ("reactive_power_export_l1_var", Unit.VAR),
    "1:44.7.0": ("reactive_power_export_l2_var", Unit.VAR),
    "1:64.7.0": ("reactive_power_export_l3_var", Unit.VAR),
    "1:13.7.0": ("power_factor", Unit.NONE),
    "1:33.7.0": ("power_factor_l1", Unit.NONE),
    "1:53.7.0": ("power_factor_l2", Unit.NONE),
    "1:73.7.0": ("power_factor_l3", Unit.NONE),
    "1:1.8.0": ("energy_import_wh", Unit.WH),
    "1:2.8.0": ("energy_export_wh", Unit.WH),
    "1:3.8.0": ("reactive_energy_import_varh", Unit.VARH),
    "1:4.8.0": ("reactive_energy_export_varh", Unit.VARH),
    "1:21.8.0": ("energy_import_l1_wh", Unit.WH),
    "1:41.8.0": ("energy_import_l2_wh", Unit.WH),
    "1:61.8.0": ("energy_import_l3_wh", Unit.WH),
    "1:22.8.0": ("energy_export_l1_wh", Unit.WH),
    "1:42.8.0": ("energy_export_l2_wh", Unit.WH),
    "1:62.8.0": ("energy_export_l3_wh", Unit.WH),
}
"""Every measured quantity with its key in a reading and the unit of that key."""

POWER = ("1:1.7.0", "1:2.7.0", "1:3.7.0", "1:4.7.0")
CURRENT = ("1:31.7.0", "1:51.7.0", "1:71.7.0")
VOLTAGE = ("1:32.7.0", "1:52.7.0", "1:72.7.0")
ENERGY = ("1:1.8.0", "1:2.8.0", "1:3.8.0", "1:4.8.0")


def measured(
    codes: Iterable[str],
    tags: Mapping[Unit, frozenset[int]] | None = None,
    exponents: Mapping[Unit, int] | None = None,
) -> dict[str, Term]:
    """Return terms for the measured ``codes``.

    ``tags`` gives the types allowed for each unit (any integer where left out),
    ``exponents`` the fixed power of ten (stated in the frame where left out).
    """
    terms = {}
    for code in codes:
        key, unit = QUANTITIES[code]
        terms[code] = Term(
            key,
            Kind.NUMBER,
            tags[unit] if tags else INTEGER_TAGS,
            exponents[unit] if exponents else None,
            unit,
        )
    return terms
