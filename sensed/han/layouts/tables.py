"""The known lists of every maker, and those that describe themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sensed.han.axdr import Tag
from sensed.han.layouts import entries
from sensed.han.layouts.terms import (
    CURRENT,
    ENERGY,
    INTEGER_TAGS,
    LIST_VERSION,
    METER_CLOCK,
    METER_ID,
    METER_TYPE,
    POWER,
    QUANTITIES,
    TEXT_TAGS,
    U16,
    U32,
    U32_U64,
    VOLTAGE,
    Kind,
    Quirk,
    Term,
    Unit,
    measured,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sensed.han.axdr import Node

MAKERS: Mapping[str, str] = {
    "ADN": "Aidon",
    "AID": "Aidon",
    "EGM": "Elgama",
    "EMB": "Landis+Gyr",
    "ISK": "Iskraemeco",
    "KAM": "Kamstrup",
    "KFM": "Kaifa",
    "LGF": "Landis+Gyr",
    "LGZ": "Landis+Gyr",
    "NES": "NES",
    "SAG": "Sagemcom",
    "XMX": "Xemex",
}
"""Makers by the three letters that system titles, P1 readouts and list versions start with."""


@dataclass(frozen=True, slots=True)
class PositionalList:
    """A list whose values are known by their place alone.

    It is identified by its version text at the place ``version_at``, or, where it has none,
    by the form of the notification's date-time. ``named`` are the letters that its first
    value must start with.
    """

    name: str
    maker: str
    terms: tuple[Term, ...]
    version: bytes | None = None
    version_at: int = 0
    named: bytes | None = None
    date_form: str | None = None
    quirks: tuple[Quirk, ...] = ()


@dataclass(frozen=True, slots=True)
class CodedList:
    """A family of lists whose values carry OBIS codes.

    ``version`` is the code (None: a leading value without one) and the text that
    identify the family; ``unversioned`` names the variants that carry none and are
    known by their exact row of codes. Where there are ``maker_codes``, three letters in
    system title or meter number identify the family, and the version only a list that
    names no maker so. ``leading`` and ``trailing`` bind values without a code. With
    ``strict`` a code outside ``terms`` makes the list unknown. ``finer_voltage`` is the
    exponent of voltages that cannot be in volts.
    """

    name: str
    maker: str | None
    form: Callable[[Node], list[entries.Entry] | None]
    terms: Mapping[str, Term]
    version: tuple[str | None, bytes] | None = None
    unversioned: frozenset[str] = frozenset()
    maker_codes: frozenset[str] = frozenset()
    leading: tuple[Term, ...] = ()
    trailing: tuple[Term, ...] = ()
    strict: bool = True
    finer_voltage: int | None = None
    quirks: tuple[Quirk, ...] = ()
    variants: Mapping[tuple[str, ...], str] = field(default_factory=dict)


# -- Aidon: an array of structures, scaler and unit in the frame --------------------

_AIDON_NAMES = ("1:0.2.129", "0:96.1.0", "0:96.1.7")
_CLOCK = ("0:1.0.0",)
_AIDON_PHASES = {
    "1ph": (*POWER, CURRENT[0], VOLTAGE[0]),
    "3ph-it": (*POWER, CURRENT[0], CURRENT[2], *VOLTAGE),
    "3ph-tn": (*POWER, *CURRENT, *VOLTAGE),
}
_AIDON_VARIANTS = {
    (POWER[0],): "aidon-no-list1",
    **{
        (*_AIDON_NAMES, *codes): f"aidon-no-list2-{phases}"
        for phases, codes in _AIDON_PHASES.items()
    },
    **{
        (*_AIDON_NAMES, *codes, *_CLOCK, *ENERGY): f"aidon-no-list3-{phases}"
        for phases, codes in _AIDON_PHASES.items()
    },
    (
        *_CLOCK,
        *POWER,
        *CURRENT,
        *VOLTAGE,
        *(f"1:{group}.7.0" for base in (20, 40, 60) for group in range(base + 1, base + 5)),
        *ENERGY,
    ): "aidon-se-27",
}
_NAMED = {
    "1:0.2.129": LIST_VERSION,
    "0:96.1.0": METER_ID,
    "0:96.1.7": METER_TYPE,
    "0:1.0.0": METER_CLOCK,
}
_DESCRIBED = {**_NAMED, **measured(QUANTITIES)}

AIDON = CodedList(
    "aidon",
    "Aidon",
    entries.structures,
    _DESCRIBED,
    version=("1:0.2.129", b"AIDON_V0001"),
    unversioned=frozenset({"aidon-no-list1", "aidon-se-27"}),
    variants=_AIDON_VARIANTS,
)

# -- lists of any maker that state code, scaler and unit of every quantity ----------

DESCRIBED = CodedList("described", None, entries.structures, _DESCRIBED, strict=False)
DESCRIBED_FLAT = CodedList(
    "described",
    None,
    entries.flat,
    _DESCRIBED,
    leading=(METER_CLOCK,),
    trailing=(METER_ID,),
    strict=False,
)

# -- Kaifa: fixed scaling in mA, 0.1 V, W and Wh ------------------------------------

_KAIFA_VERSION = b"KFM_001"
_KAIFA_EXPONENTS = {Unit.W: 0, Unit.VAR: 0, Unit.A: -3, Unit.V: -1, Unit.WH: 0, Unit.VARH: 0}
_KAIFA_TAGS = {
    **dict.fromkeys((Unit.W, Unit.VAR, Unit.A, Unit.V), U32),
    **dict.fromkeys((Unit.WH, Unit.VARH), U32_U64),
}
_KAIFA_NAMES = (LIST_VERSION, METER_ID, METER_TYPE)
_KAIFA_QUIRKS = (
    # Three-wire meters put 0 in the place of a voltage they do not measure.
    Quirk((b"MA304H3E", b"MA304T3"), frozenset({"voltage_l2_v"}), Kind.FILLED),
)


def _kaifa_terms(*codes: str) -> tuple[Term, ...]:
    return tuple(measured(codes, _KAIFA_TAGS, _KAIFA_EXPONENTS).values())


def _kaifa(name: str, *terms: Term) -> PositionalList:
    return PositionalList(
        name, "Kaifa", (*_KAIFA_NAMES, *terms), _KAIFA_VERSION, quirks=_KAIFA_QUIRKS
    )


_KAIFA_1PH = _kaifa_terms(*POWER, CURRENT[0], VOLTAGE[0])
_KAIFA_3PH = _kaifa_terms(*POWER, *CURRENT, *VOLTAGE)
_KAIFA_HOURLY = (METER_CLOCK, *_kaifa_terms(*ENERGY))

_KAIFA_POSITIONAL = (
    PositionalList("kaifa-no-list1", "Kaifa", _kaifa_terms(POWER[0]), date_form="tagged"),
    _kaifa("kaifa-no-list2-1ph", *_KAIFA_1PH),
    _kaifa("kaifa-no-list2-3ph", *_KAIFA_3PH),
    _kaifa("kaifa-no-list3-1ph", *_KAIFA_1PH, *_KAIFA_HOURLY),
    _kaifa("kaifa-no-list3-3ph", *_KAIFA_3PH, *_KAIFA_HOURLY),
)
_KAIFA_SE_CODES = (*POWER, *CURRENT, *VOLTAGE)
KAIFA_CODED = CodedList(
    "kaifa-se",
    "Kaifa",
    entries.flat,
    {**_NAMED, **measured((*_KAIFA_SE_CODES, *ENERGY), _KAIFA_TAGS, _KAIFA_EXPONENTS)},
    version=("1:0.2.129", _KAIFA_VERSION),
    quirks=_KAIFA_QUIRKS,
    variants={(*_AIDON_NAMES, *_KAIFA_SE_CODES, *_CLOCK, *ENERGY): "kaifa-se-36"},
)

# -- Kamstrup: fixed scaling in 0.01 A, V, W and 10 Wh ------------------------------

_KAMSTRUP_EXPONENTS = {
    Unit.W: 0,
    Unit.VAR: 0,
    Unit.A: -2,
    Unit.V: 0,
    Unit.WH: 1,
    Unit.VARH: 1,
    Unit.NONE: -2,
}
_KAMSTRUP_TAGS = {
    **dict.fromkeys((Unit.W, Unit.VAR, Unit.A, Unit.WH, Unit.VARH), U32),
    Unit.V: U16,
    Unit.NONE: frozenset({Tag.UINT16, Tag.UINT32}),
}
_KAMSTRUP_NAMES = ("1:0.0.5", "1:96.1.1")
_KAMSTRUP_PHASES = {
    "3ph": (POWER, CURRENT, VOLTAGE, ENERGY),
    "1ph": (POWER, CURRENT[:1], VOLTAGE[:1], ENERGY),
    "1ph-import": (POWER[:1], CURRENT[:1], VOLTAGE[:1], ENERGY[:1]),
}


def _groups(groups: tuple[int, ...], register: int) -> tuple[str, ...]:
    return tuple(f"1:{group}.{register}.0" for group in groups)


_DANISH = (
    *ENERGY,
    "1:0.0.1",
    *POWER,
    *_CLOCK,
    *VOLTAGE,
    *CURRENT,
    *_groups((21, 41, 61), 7),
    *_groups((33, 53, 73, 13), 7),
    *_groups((22, 42, 62), 7),
    *_groups((22, 42, 62), 8),
    *_groups((21, 41, 61), 8),
)
_DANISH_1PH = tuple(
    code
    for code in _DANISH
    if code[2:4] not in ("41", "42", "51", "52", "53", "61", "62", "71", "72", "73")
)
_KAMSTRUP_VARIANTS = {
    **{
        (*_KAMSTRUP_NAMES, *power, *current, *voltage): f"kamstrup-list1-{phases}"
        for phases, (power, current, voltage, _) in _KAMSTRUP_PHASES.items()
    },
    **{
        (*_KAMSTRUP_NAMES, *power, *current, *voltage, *_CLOCK, *energy): f"kamstrup-list2-{phases}"
        for phases, (power, current, voltage, energy) in _KAMSTRUP_PHASES.items()
    },
    _DANISH: "kamstrup-dk-3ph",
    _DANISH_1PH: "kamstrup-dk-1ph",
}
KAMSTRUP = CodedList(
    "kamstrup",
    "Kamstrup",
    entries.flat,
    {
        "1:0.0.5": METER_ID,
        "1:0.0.1": Term("meter_id", Kind.SERIAL, U32),
        "1:96.1.1": METER_TYPE,
        "0:1.0.0": METER_CLOCK,
        **measured(
            (code for code in _DANISH if code in QUANTITIES),
            _KAMSTRUP_TAGS,
            _KAMSTRUP_EXPONENTS,
        ),
    },
    version=(None, b"Kamstrup_V0001"),
    leading=(LIST_VERSION,),
    finer_voltage=-2,
    quirks=(
        # Meters behind current transformers resolve 1 mA.
        Quirk((b"685",), frozenset(QUANTITIES[code][0] for code in CURRENT), exponent=-3),
    ),
    variants=_KAMSTRUP_VARIANTS,
)

# -- lists that open with the push object list; scaling fixed per maker -------------

_PUSH_NAMES = {
    "0:42.0.0": METER_ID,
    "0:96.1.0": METER_ID,
    "0:1.0.0": METER_CLOCK,
}
_ANY_INTEGER = dict.fromkeys(Unit, INTEGER_TAGS)
_FIXED_SCALING = {
    "Landis+Gyr": {**dict.fromkeys(Unit, 0), Unit.A: -2, Unit.NONE: -3},
    "Iskraemeco": {**dict.fromkeys(Unit, 0), Unit.A: -2, Unit.V: -1, Unit.NONE: -3},
}
FINER_VOLTAGE = {"Landis+Gyr": -1}
"""Exponent of voltages by makers of which some meters send volts, some such steps."""


def _push_list(name: str, maker: str, version: tuple[str, bytes] | None = None) -> CodedList:
    return CodedList(
        name,
        maker,
        entries.pushed,
        {**_PUSH_NAMES, **measured(QUANTITIES, _ANY_INTEGER, _FIXED_SCALING[maker])},
        version=version,
        maker_codes=frozenset(code for code, name in MAKERS.items() if name == maker),
        strict=False,
        finer_voltage=FINER_VOLTAGE.get(maker),
    )


# Most E450 have a bare number for a name; the push setup, which names itself, is theirs.
LANDIS_GYR = _push_list(
    "landis-gyr-push", "Landis+Gyr", ("0-8:25.9.0", b"\x00\x08\x19\x09\x00\xff")
)
ISKRAEMECO = _push_list("iskraemeco-push", "Iskraemeco")

# -- Iskraemeco AM550, Slovenia: bare values whose list has a name ---------------------

_ISKRA_TAGS = {
    **dict.fromkeys((Unit.W, Unit.VAR, Unit.WH, Unit.VARH), U32),
    **dict.fromkeys((Unit.A, Unit.V), U16),
}


def _iskra_terms(*codes: str) -> tuple[Term, ...]:
    return tuple(measured(codes, _ISKRA_TAGS, _FIXED_SCALING["Iskraemeco"]).values())


def _iskra(name: str, version: bytes, *terms: Term) -> PositionalList:
    return PositionalList(
        name, "Iskraemeco", (METER_ID, LIST_VERSION, *terms), version, 1, named=b"ISK"
    )


_TARIFFS = (Term("", Kind.SKIP, U32),) * 2
_ISKRA_POSITIONAL = (
    _iskra(
        "iskraemeco-16820005",
        b"16820005",
        *_iskra_terms(*POWER, *VOLTAGE, *CURRENT),
        *_iskra_terms(*_groups((21, 41, 61, 22, 42, 62), 7)),
    ),
    _iskra(
        "iskraemeco-16820006",
        b"16820006",
        Term("", Kind.SKIP, frozenset({Tag.ENUM})),
        Term("", Kind.SKIP, TEXT_TAGS),
        *_iskra_terms(ENERGY[0]),
        *_TARIFFS,
        *_iskra_terms(ENERGY[1]),
        *_TARIFFS,
        *_iskra_terms(*ENERGY[2:]),
    ),
    _iskra("iskraemeco-up-3f", b"UP_3f", *_iskra_terms(*VOLTAGE, *CURRENT, *POWER)),
)
POSITIONAL = (*_KAIFA_POSITIONAL, *_ISKRA_POSITIONAL)
"""Every list of bare values that tells its name."""

# -- lists of bare values, their order configured; scaling fixed per maker -------------

_TEXTS = (METER_ID, METER_TYPE, LIST_VERSION, METER_CLOCK)
TEXT_KEYS = frozenset(term.key for term in _TEXTS)
"""Keys of what is not measured."""
SCALED: Mapping[str, Mapping[str, Term]] = {
    maker: {
        term.key: term
        for term in (*_TEXTS, *measured(QUANTITIES, _ANY_INTEGER, exponents).values())
    }
    for maker, exponents in _FIXED_SCALING.items()
}
"""Makers whose bare values are always scaled alike, with the term of every key."""

CODED = (AIDON, KAMSTRUP, KAIFA_CODED, LANDIS_GYR, ISKRAEMECO, DESCRIBED, DESCRIBED_FLAT)
"""Every family with codes, the most particular first."""
