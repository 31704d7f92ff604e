"""The lists of every maker, item by item, in wire order."""

from __future__ import annotations

from dataclasses import replace

from sensed.simulator.axdr import (
    ENUM,
    INT16,
    NULL,
    OCTET_STRING,
    UINT16,
    UINT32,
    UINT64,
    UNIT_A,
    UNIT_NONE,
    UNIT_V,
    UNIT_VAR,
    UNIT_VARH,
    UNIT_W,
    UNIT_WH,
    VISIBLE_STRING,
)
from sensed.simulator.layouts import Item

Items = tuple[Item, ...]

_POWER_KEYS = (
    ("power_import_w", 1, UNIT_W),
    ("power_export_w", 2, UNIT_W),
    ("reactive_power_import_var", 3, UNIT_VAR),
    ("reactive_power_export_var", 4, UNIT_VAR),
)
_ENERGY_KEYS = (
    ("energy_import_wh", 1, UNIT_WH),
    ("energy_export_wh", 2, UNIT_WH),
    ("reactive_energy_import_varh", 3, UNIT_VARH),
    ("reactive_energy_export_varh", 4, UNIT_VARH),
)


def _powers(media: str = "1-0") -> Items:
    return tuple(Item(key, f"{media}:{c}.7.0", UINT32, 0, unit) for key, c, unit in _POWER_KEYS)


def _currents(tag: int, scaler: int, *, media: str = "1-0", phases: str = "123") -> Items:
    return tuple(
        Item(f"current_l{phase}_a", f"{media}:{11 + 20 * int(phase)}.7.0", tag, scaler, UNIT_A)
        for phase in phases
    )


def _voltages(tag: int, scaler: int, *, media: str = "1-0", phases: str = "123") -> Items:
    return tuple(
        Item(f"voltage_l{phase}_v", f"{media}:{12 + 20 * int(phase)}.7.0", tag, scaler, UNIT_V)
        for phase in phases
    )


def _energies(scaler: int, *, media: str = "1-0", tag: int = UINT32) -> Items:
    return tuple(Item(key, f"{media}:{c}.8.0", tag, scaler, unit) for key, c, unit in _ENERGY_KEYS)


def _phase_powers() -> Items:
    return tuple(
        Item(key.replace(suffix, f"_l{phase}{suffix}"), f"1-0:{c + 20 * phase}.7.0", UINT32, 0, u)
        for phase in (1, 2, 3)
        for key, c, u in _POWER_KEYS
        for suffix in (key[key.rindex("_") :],)
    )


def _clock(code: str) -> Item:
    return Item("meter_clock", code, OCTET_STRING)


# -- Aidon -----------------------------------------------------------------------

AIDON_LIST1: Items = _powers()[:1]


def aidon_list2(phases: str, current_phases: str) -> Items:
    """Return the Norwegian list 2; three-phase IT meters have no current of L2."""
    return (
        Item("list_version", "1-1:0.2.129", VISIBLE_STRING),
        Item("meter_id", "0-0:96.1.0", VISIBLE_STRING),
        Item("meter_type", "0-0:96.1.7", VISIBLE_STRING),
        *_powers(),
        *_currents(INT16, -1, phases=current_phases),
        *_voltages(UINT16, -1, phases=phases),
    )


AIDON_HOURLY: Items = (_clock("0-0:1.0.0"), *_energies(1))
AIDON_SWEDEN: Items = (
    _clock("0-0:1.0.0"),
    *_powers(),
    *_currents(INT16, -1),
    *_voltages(UINT16, -1),
    *_phase_powers(),
    *_energies(0),
)

# -- Kaifa -----------------------------------------------------------------------

KAIFA_LIST1: Items = _powers()[:1]
_KAIFA_IDENTITY: Items = (
    Item("list_version", "1-0:0.2.129", OCTET_STRING),
    Item("meter_id", "0-0:96.1.0", OCTET_STRING),
    Item("meter_type", "0-0:96.1.7", OCTET_STRING),
)


def kaifa_list2(phases: str, *, filler_u2: bool = False) -> Items:
    """Return the Norwegian list 2; IT meters fill U2 with zero."""
    voltages = _voltages(UINT32, -1, phases=phases)
    if filler_u2:
        voltages = (voltages[0], replace(voltages[1], key=""), voltages[2])
    return (*_KAIFA_IDENTITY, *_powers(), *_currents(UINT32, -3, phases=phases), *voltages)


def kaifa_hourly(tag: int = UINT32) -> Items:
    """Return what list 3 adds; meters behind transformers use 64-bit registers."""
    return (_clock("0-0:1.0.0"), *_energies(0, tag=tag))


KAIFA_HOURLY_U64: Items = kaifa_hourly(UINT64)
KAIFA_SWEDEN: Items = (*kaifa_list2("123"), *kaifa_hourly())

# -- Kamstrup --------------------------------------------------------------------

_KAMSTRUP_VERSION = Item("list_version", "", VISIBLE_STRING)
_KAMSTRUP_IDENTITY: Items = (
    _KAMSTRUP_VERSION,
    Item("meter_id", "1-1:0.0.5", VISIBLE_STRING),
    Item("meter_type", "1-1:96.1.1", VISIBLE_STRING),
)
_FILLER = Item("", "", NULL)


def kamstrup_list1(phases: str, *, current_scaler: int = -2, voltage_scaler: int = 0) -> Items:
    """Return the ten-second list; places of missing phases hold null-data."""
    missing = (_FILLER,) * (3 - len(phases))
    return (
        *_KAMSTRUP_IDENTITY,
        *_powers("1-1"),
        *_currents(UINT32, current_scaler, media="1-1", phases=phases),
        *missing,
        *_voltages(UINT16, voltage_scaler, media="1-1", phases=phases),
        *missing,
    )


KAMSTRUP_HOURLY: Items = (_clock("0-1:1.0.0"), *_energies(1, media="1-1"))
KAMSTRUP_ONE_QUADRANT: Items = (
    *_KAMSTRUP_IDENTITY,
    *_powers("1-1")[:1],
    *_currents(UINT32, -2, media="1-1", phases="1"),
    *_voltages(UINT16, 0, media="1-1", phases="1"),
)
KAMSTRUP_ONE_QUADRANT_HOURLY: Items = (
    _clock("0-1:1.0.0"),
    *_energies(1, media="1-1")[:1],
)


def _kamstrup_phases(template: str, c: int, d: int, scaler: int) -> Items:
    return tuple(
        Item(template.format(phase), f"1-1:{c + 20 * phase}.{d}.0", UINT32, scaler)
        for phase in (1, 2, 3)
    )


KAMSTRUP_DENMARK: Items = (
    _KAMSTRUP_VERSION,
    *_energies(1, media="1-1"),
    Item("meter_id", "1-1:0.0.1", UINT32),
    *_powers("1-1"),
    _clock("0-1:1.0.0"),
    *_voltages(UINT16, 0, media="1-1"),
    *_currents(UINT32, -2, media="1-1"),
    *_kamstrup_phases("power_import_l{}_w", 1, 7, 0),
    *(
        Item(f"power_factor_l{phase}", f"1-1:{13 + 20 * phase}.7.0", UINT16, -2)
        for phase in (1, 2, 3)
    ),
    Item("power_factor", "1-1:13.7.0", UINT16, -2),
    *_kamstrup_phases("power_export_l{}_w", 2, 7, 0),
    *_kamstrup_phases("energy_export_l{}_wh", 2, 8, 1),
    *_kamstrup_phases("energy_import_l{}_wh", 1, 8, 1),
)

_OF_OTHER_PHASES = ("41", "42", "51", "52", "53", "61", "62", "71", "72", "73")
KAMSTRUP_DENMARK_SINGLE_PHASE: Items = tuple(
    item
    for item in KAMSTRUP_DENMARK
    if item.obis.partition(":")[2].split(".")[0] not in _OF_OTHER_PHASES
)

# -- Landis+Gyr -------------------------------------------------------------------

LANDISGYR: Items = (
    Item("meter_id", "0-0:96.1.0", OCTET_STRING),
    _clock("0-0:1.0.0"),
    *_voltages(UINT16, 0),
    *_currents(UINT16, -2),
    *_powers(),
    *_energies(0),
)
LANDISGYR_E360: Items = (
    Item("meter_id", "0-0:42.0.0", OCTET_STRING),
    *_energies(0, media="1-1"),
    *_powers()[:2],
    *_voltages(UINT16, -1),
    *_currents(UINT16, -2),
)
LANDISGYR_BARE: Items = (
    *_voltages(UINT16, 0),
    *_currents(UINT16, -2),
    *_powers()[:2],
    *_energies(0)[:2],
    *(Item("", "", UINT16) for _ in range(3)),
    Item("meter_id", "", OCTET_STRING),
)

# -- Iskraemeco -------------------------------------------------------------------

ISKRAEMECO: Items = (
    _clock("0-0:1.0.0"),
    Item("meter_id", "0-0:96.1.0", OCTET_STRING),
    *_powers()[:2],
    *_voltages(UINT16, -1),
    *_currents(UINT16, -2),
    *_energies(0)[:2],
)
ISKRAEMECO_PUSH: Items = (
    Item("meter_id", "0-0:42.0.0", OCTET_STRING),
    *_energies(0, media="1-1"),
    *_powers("1-1")[:2],
    *_voltages(UINT16, -1),
    *_currents(UINT16, -2),
)


def _slovenian(name: str) -> Items:
    return (Item("meter_id", "", OCTET_STRING), Item("list_version", "", OCTET_STRING, text=name))


ISKRAEMECO_SLOVENIA: Items = (
    *_slovenian("16820005"),
    *_powers(),
    *_voltages(UINT16, -1),
    *_currents(UINT16, -2),
    *(
        Item(f"power_{direction}_l{phase}_w", "", UINT32)
        for direction in ("import", "export")
        for phase in (1, 2, 3)
    ),
)
_TARIFFS: Items = (Item("", "", UINT32),) * 2
ISKRAEMECO_SLOVENIA_REGISTERS: Items = (
    *_slovenian("16820006"),
    Item("", "", ENUM),
    Item("", "", OCTET_STRING, text="\x00\x01"),
    _energies(0)[0],
    *_TARIFFS,
    _energies(0)[1],
    *_TARIFFS,
    *_energies(0)[2:],
)

# -- Sagemcom, Kaifa MA309 -----------------------------------------------------------

AUSTRIA: Items = (
    _clock(""),
    *_energies(0)[:2],
    *_powers()[:2],
    *_voltages(UINT16, -1),
    *_currents(UINT16, -2),
    Item("power_factor", "1-0:13.7.0", INT16, -3, UNIT_NONE),
    Item("meter_id", "", OCTET_STRING),
)
VORARLBERG: Items = (
    _clock("0-0:1.0.0"),
    Item("meter_id", "0-0:96.1.0", OCTET_STRING),
    Item("", "0-0:42.0.0", OCTET_STRING, text="KFM1200200000000"),
    *_voltages(UINT16, -1),
    *_currents(UINT16, -2),
    *_powers()[:2],
    *_energies(0),
)
