"""Layouts are chosen by identification and shape; values keep sign, digits and absence."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sensed.han import Event, HanDecoder, ListDecoded, ListUnknown, Reading
from tests.han.encode import (
    CLOCK,
    TAGGED,
    array,
    hdlc,
    obis,
    scaled,
    structure,
    telegram,
    text,
    u16,
    u32,
)
from tests.han.frames import decode, one, reading, readings
from tests.han.simulated import telegrams

W, VAR, WH, A, V = 0x1B, 0x1D, 0x1E, 0x21, 0x23
KAIFA_NAMES = (text("KFM_001", 9), text("6970631400000000", 9))


def aidon(*items: bytes, version: str = "AIDON_V0001") -> bytes:
    return telegram(array(structure(obis(1, 1, 0, 2, 129), text(version)), *items))


def test_aidon_current_is_signed() -> None:
    minus = structure(obis(1, 0, 31, 7, 0), b"\x10" + (-73).to_bytes(2, signed=True), scaled(-1, A))
    assert reading(aidon(minus)).current_l1_a == Decimal("-7.3")


def test_unit_that_contradicts_the_code_makes_the_list_unknown() -> None:
    volts_as_watts = structure(obis(1, 0, 1, 7, 0), u32(230), scaled(0, V))
    assert isinstance(one(aidon(volts_as_watts)), ListUnknown)


def test_quantity_without_scaler_makes_a_self_described_list_unknown() -> None:
    assert isinstance(one(aidon(structure(obis(1, 0, 1, 7, 0), u32(230)))), ListUnknown)


def test_self_described_list_of_an_unknown_version_is_read_as_described() -> None:
    event = one(
        aidon(
            structure(obis(1, 0, 1, 7, 0), u32(230), scaled(0, W)),
            structure(obis(1, 0, 14, 7, 0), u16(4999), scaled(-2, 0x2C)),
            version="AIDON_V0002",
        )
    )
    assert isinstance(event, ListDecoded)
    assert (event.layout, event.maker) == ("described", "Aidon")
    assert event.reading == Reading(list_version="AIDON_V0002", power_import_w=230)


def test_the_same_quantity_twice_makes_the_list_unknown() -> None:
    power = structure(obis(1, 0, 1, 7, 0), u32(1), scaled(0, W))
    assert isinstance(one(aidon(power, power)), ListUnknown)


def test_other_channels_and_past_values_are_not_the_meters_own() -> None:
    event = one(
        aidon(
            structure(obis(1, 0, 1, 7, 0), u32(5), scaled(0, W)),
            structure(obis(1, 4, 2, 7, 0), u32(6), scaled(0, W)),
            structure(obis(1, 0, 2, 7, 0, last=1), u32(7), scaled(0, W)),
        )
    )
    assert isinstance(event, ListDecoded)
    assert event.reading.present() == {"list_version": "AIDON_V0001", "power_import_w": 5}


@pytest.mark.parametrize(
    "body",
    [
        structure(text("KFM_002", 9), *KAIFA_NAMES[1:], text("MA304H4", 9), *[u32(1)] * 10),
        structure(*KAIFA_NAMES, text("MA304H4", 9), *[u32(1)] * 9, u16(1)),
        structure(*KAIFA_NAMES, text("MA304H4", 9), *[u32(1)] * 11),
        structure(*[u32(1)] * 13),
        structure(*[u32(1)] * 9),
        structure(text("Kamstrup_V0002"), obis(1, 1, 1, 7, 0), u32(1)),
        structure(text("Kamstrup_V0001"), obis(1, 1, 1, 7, 0), u16(1)),
        structure(text("Kamstrup_V0001"), obis(1, 1, 9, 7, 0), u32(1)),
        structure(text("Kamstrup_V0001"), obis(1, 1, 0, 0, 5), text("57056")),
        structure(obis(1, 0, 1, 7, 0), u32(1)),
        structure(text("ISK1030775213859"), CLOCK_ITEM := b"\x09\x0c" + CLOCK, *[u32(1)] * 7),
        structure(),
        array(),
        array(u32(1)),
        array(structure(obis(1, 0, 1, 7, 0))),
        array(structure(u32(1), u32(1))),
        array(structure(obis(1, 0, 1, 7, 0), u32(1), u32(0))),
        array(structure(obis(1, 0, 1, 7, 0), structure(u32(1)), scaled(0, W))),
        structure(obis(1, 0, 1, 7, 0), structure(u32(1))),
        structure(array(structure(u16(3), obis(1, 0, 1, 7, 0))), u32(1)),
        structure(array(u16(3)), u32(1)),
        structure(array(u16(3)), structure(u32(1))),
    ],
    ids=lambda body: body[:24].hex(),
)
def test_item_count_alone_never_chooses_a_layout(body: bytes) -> None:
    event = one(telegram(body, TAGGED))
    assert isinstance(event, ListUnknown)
    assert event.structure.startswith("date-time tagged: ")
    assert CLOCK_ITEM


def test_a_single_number_is_kaifas_first_list_only_with_its_date_form() -> None:
    assert reading(telegram(structure(u32(9)), TAGGED)).power_import_w == 9
    assert isinstance(one(telegram(structure(u32(9)))), ListUnknown)
    assert isinstance(one(telegram(structure(u32(9)), b"\x0c" + CLOCK)), ListUnknown)


def test_structure_of_an_unknown_list_is_readable_and_bounded() -> None:
    event = one(telegram(structure(text("ISK1"), obis(0, 0, 1, 0, 0), b"\x00", u16(7))))
    assert isinstance(event, ListUnknown)
    assert event.structure == (
        "date-time empty: structure(text[4] 'ISK1', obis 0-0:1.0.0.255, null, u16)"
    )
    long = one(telegram(structure(*[b"\x0a\x0e" + bytes(14)] * 100)))
    assert isinstance(long, ListUnknown)
    assert len(long.structure) <= 2000


def kaifa_list2(meter_type: str, u2: int) -> Reading:
    numbers = [u32(n) for n in (1, 2, 3, 4, 5000, 6000, 7000, 2301, u2, 2303)]
    return reading(telegram(structure(*KAIFA_NAMES, text(meter_type, 9), *numbers), TAGGED))


def test_kaifa_three_wire_filler_is_absent_and_a_real_zero_is_zero() -> None:
    assert kaifa_list2("MA304H3E", 0).voltage_l2_v is None
    assert kaifa_list2("MA304H3E", 2302).voltage_l2_v == Decimal("230.2")
    assert kaifa_list2("MA304H4", 0).voltage_l2_v == Decimal("0.0")


def test_kaifa_registers_of_64_bits() -> None:
    numbers = [u32(0)] * 10
    registers = [b"\x15" + (2**40 + n).to_bytes(8) for n in range(4)]
    clock = b"\x09\x0c" + CLOCK
    body = structure(*KAIFA_NAMES, text("MA304T4", 9), *numbers, clock, *registers)
    assert reading(telegram(body, TAGGED)).energy_import_wh == 2**40


def kamstrup(meter_type: str, *pairs: bytes) -> Reading:
    names = (obis(1, 1, 0, 0, 5), text("5706"), obis(1, 1, 96, 1, 1), text(meter_type))
    return reading(telegram(structure(text("Kamstrup_V0001"), *names, *pairs), b"\x0c" + CLOCK))


def test_kamstrup_scaling_depends_on_the_type() -> None:
    pairs = (obis(1, 1, 31, 7, 0), u32(1234), obis(1, 1, 32, 7, 0), u16(231))
    assert kamstrup("6841121BN", *pairs).current_l1_a == Decimal("12.34")
    assert kamstrup("6851121BN", *pairs).current_l1_a == Decimal("1.234")


def test_kamstrup_null_in_the_place_of_a_value_is_absent() -> None:
    pairs = (obis(1, 1, 31, 7, 0), u32(1), obis(1, 1, 51, 7, 0), b"\x00", b"\x00", b"\x00")
    found = kamstrup("6861", *pairs)
    assert (found.current_l1_a, found.current_l2_a) == (Decimal("0.01"), None)


def push_object(kind: int, code: bytes, attribute: int = 2) -> bytes:
    return structure(u16(kind), code, b"\x0f" + bytes((attribute,)), u16(0))


def pushed(name: str, *, names_itself: bool, power: bytes = b"") -> bytes:
    own = push_object(40, obis(0, 8, 25, 9, 0))
    objects = [
        push_object(1, obis(0, 0, 42, 0, 0)),
        push_object(8, obis(0, 0, 1, 0, 0)),
        push_object(3, obis(1, 0, 1, 7, 0)),
        push_object(3, obis(1, 0, 31, 7, 0)),
        push_object(3, obis(1, 0, 32, 7, 0)),
        push_object(1, obis(0, 0, 96, 13, 0)),
    ]
    values = [
        text(name, 9),
        b"\x09\x0c" + CLOCK,
        power or u32(700),
        u16(312),
        u16(231),
        text("hello", 9),
    ]
    return structure(array(*([own] if names_itself else []), *objects), *values)


@pytest.mark.parametrize("names_itself", [True, False])
@pytest.mark.parametrize(
    ("name", "maker", "volts"),
    [("LGZ1030", "Landis+Gyr", Decimal(231)), ("ISK1030", "Iskraemeco", Decimal("23.1"))],
)
def test_push_object_list(*, names_itself: bool, name: str, maker: str, volts: Decimal) -> None:
    wire = telegram(pushed(name, names_itself=names_itself), b"\x0c" + CLOCK)
    wire = hdlc(wire[9:-3], header=b"\xce\xff\x03\x13")
    event = one(wire)
    assert isinstance(event, ListDecoded)
    assert event.maker == maker
    assert event.reading.present() == {
        "meter_id": name,
        "meter_clock": "2020-01-25T14:00:10",
        "power_import_w": 700,
        "current_l1_a": Decimal("3.12"),
        "voltage_l1_v": volts,
    }


def test_push_object_list_of_an_unknown_maker_is_unknown() -> None:
    assert isinstance(one(telegram(pushed("XYZ1030", names_itself=True))), ListUnknown)


def pushed_twice_named(meter_id: str, setup: bytes, *values: int) -> bytes:
    """A list whose push setup names itself: its objects as first element, its name as second."""
    codes = [obis(1, 0, group, 7, 0) for group in (1, 32, 52, 72)]
    objects = [
        push_object(40, setup),
        push_object(40, setup, 1),
        push_object(1, obis(0, 0, 96, 1, 0)),
        *(push_object(3, code) for code in codes),
    ]
    items = (u32(values[0]), *(u16(value) for value in values[1:]))
    return telegram(structure(array(*objects), setup, text(meter_id, 9), *items), b"\x0c" + CLOCK)


E450_SETUP = obis(0, 8, 25, 9, 0)


def test_the_name_of_its_push_setup_identifies_a_list_that_names_no_maker() -> None:
    event = one(pushed_twice_named("63312345", E450_SETUP, 700, 231, 0, 0))
    assert isinstance(event, ListDecoded)
    assert (event.layout, event.maker) == ("landis-gyr-push", "Landis+Gyr")
    assert (event.reading.meter_id, event.reading.power_import_w) == ("63312345", 700)
    for meter_id, setup in (("63312345", obis(0, 6, 25, 9, 0)), ("KFM12345", E450_SETUP)):
        assert isinstance(one(pushed_twice_named(meter_id, setup, 700, 231, 0, 0)), ListUnknown)


@pytest.mark.parametrize("steps", [(231, 0, 229), (0, 0, 0), (1000, 1, 2)])
def test_voltages_that_may_be_in_volts_are(steps: tuple[int, int, int]) -> None:
    found = reading(pushed_twice_named("63312345", E450_SETUP, 700, *steps))
    assert (found.voltage_l1_v, found.voltage_l2_v, found.voltage_l3_v) == steps


@pytest.mark.parametrize("steps", [(2357, 0, 0), (9, 2301, 2299), (1001, 523, 0)])
def test_a_voltage_beyond_any_low_voltage_shows_the_finer_step(steps: tuple[int, int, int]) -> None:
    """One phase decides for all: another may be lost and far below."""
    found = reading(pushed_twice_named("63312345", E450_SETUP, 700, *steps))
    shown = (found.voltage_l1_v, found.voltage_l2_v, found.voltage_l3_v)
    assert shown == tuple(Decimal(step).scaleb(-1) for step in steps)


def test_the_step_is_settled_anew_in_every_list() -> None:
    """What was compiled from one list never serves the other step."""
    decoder = HanDecoder()
    for steps, volts in ((231, 231), (2314, Decimal("231.4")), (230, 230), (2300, 230)) * 2:
        events = decoder.receive(pushed_twice_named("63312345", E450_SETUP, 1, steps, 0, 0))
        assert [found.voltage_l1_v for found in readings(events)] == [volts]


def test_kamstrup_voltages_of_five_digits_are_hundredths() -> None:
    pairs = [item for n in (32, 52, 72) for item in (obis(1, 1, n, 7, 0), u16(22199 if n else 0))]
    found = kamstrup("6841138BN243101010", *pairs)
    assert found.voltage_l1_v == found.voltage_l3_v == Decimal("221.99")


def test_scalers_stated_in_the_frame_are_never_doubted() -> None:
    volts = structure(obis(1, 0, 32, 7, 0), u16(11_000), scaled(0, V))
    assert reading(aidon(volts)).voltage_l1_v == 11_000


def test_structures_among_pairs() -> None:
    """Kaifa MA309 of Vorarlberg: the clock as a pair, everything else in structures."""
    body = structure(
        obis(0, 0, 1, 0, 0),
        b"\x09\x0c" + CLOCK,
        structure(obis(0, 0, 96, 1, 0), text("1KFM0200000000", 9)),
        structure(obis(0, 0, 42, 0, 0), text("KFM1200200000000", 9)),
        structure(obis(1, 0, 32, 7, 0), u16(2330), scaled(-1, V)),
        structure(obis(1, 0, 1, 7, 0), u32(24), scaled(0, W)),
    )
    event = one(telegram(body, b"\x0c" + CLOCK))
    assert isinstance(event, ListDecoded)
    assert event.layout == "described"
    assert event.reading.present() == {
        "meter_id": "1KFM0200000000",
        "meter_clock": "2020-01-25T14:00:10",
        "power_import_w": 24,
        "voltage_l1_v": Decimal("233.0"),
    }
    for bad in (structure(u16(1)), array(u16(1)), structure(obis(1, 0, 2, 7, 0), array(u32(1)))):
        wire = telegram(structure(obis(1, 0, 1, 7, 0), u32(1), scaled(0, W), bad))
        assert isinstance(one(wire), ListUnknown)


ISK = text("ISK1030700000000", 9)
ISKRA_LISTS = {
    "iskraemeco-16820005": (
        structure(
            ISK,
            text("16820005", 9),
            *(u32(n) for n in (1393, 0, 1, 738)),
            *(u16(n) for n in (2379, 2378, 2296, 103, 125, 597)),
            *(u32(n) for n in (16, 51, 1325, 7, 8, 9)),
        ),
        {
            "power_import_w": 1393,
            "reactive_power_export_var": 738,
            "voltage_l3_v": Decimal("229.6"),
            "current_l3_a": Decimal("5.97"),
            "power_import_l3_w": 1325,
            "power_export_l1_w": 7,
        },
    ),
    "iskraemeco-16820006": (
        structure(
            ISK,
            text("16820006", 9),
            b"\x16\x01",
            b"\x09\x02\x00\x01",
            *(u32(n) for n in (52837, 13593, 39244, 177927, 78615, 99312, 107882, 43253)),
        ),
        {
            "energy_import_wh": 52837,
            "energy_export_wh": 177927,
            "reactive_energy_import_varh": 107882,
            "reactive_energy_export_varh": 43253,
        },
    ),
    "iskraemeco-up-3f": (
        structure(
            ISK,
            text("UP_3f", 9),
            *(u16(n) for n in (2314, 2303, 2348, 451, 525, 88)),
            *(u32(n) for n in (2399, 0, 4, 264)),
        ),
        {
            "voltage_l1_v": Decimal("231.4"),
            "current_l2_a": Decimal("5.25"),
            "power_import_w": 2399,
            "reactive_power_import_var": 4,
            "reactive_power_export_var": 264,
        },
    ),
}


@pytest.mark.parametrize("name", ISKRA_LISTS)
def test_iskraemeco_lists_that_have_a_name(name: str) -> None:
    body, values = ISKRA_LISTS[name]
    event = one(telegram(body, b"\x0c" + CLOCK))
    assert isinstance(event, ListDecoded)
    assert (event.layout, event.maker) == (name, "Iskraemeco")
    shown = event.reading.present()
    assert shown["meter_id"] == "ISK1030700000000"
    assert shown.items() >= values.items()


@pytest.mark.parametrize("name", ISKRA_LISTS)
@pytest.mark.parametrize("change", ["maker", "name", "type", "short", "long"])
def test_iskraemeco_lists_with_a_name_and_another_shape_are_unknown(name: str, change: str) -> None:
    body, _ = ISKRA_LISTS[name]
    changed = {
        "maker": body.replace(b"ISK", b"XYZ"),
        "name": body.replace(b"1682000", b"1682001").replace(b"UP_3f", b"UP_1f"),
        "type": body[:-5] + b"\x05" + body[-4:],
        "short": bytes((2, body[1] - 1)) + body[2:-5],
        "long": bytes((2, body[1] + 1)) + body[2:] + u32(0),
    }[change]
    assert isinstance(one(telegram(changed, b"\x0c" + CLOCK)), ListUnknown)


def test_push_object_list_with_values_missing_is_unknown() -> None:
    body = pushed("LGZ1030", names_itself=True)
    short = body[:1] + bytes((body[1] - 1,)) + body[2 : -len(text("hello", 9))]
    assert isinstance(one(telegram(short)), ListUnknown)


def test_ct_ratio_multiplies_current_power_and_energy_exactly() -> None:
    sent = telegrams("aidon-ct")
    data = b"".join(telegram.wire for telegram in sent)
    for ratio in (40, Decimal("12.5")):
        for found, telegram_ in zip(readings(decode(data, ct_ratio=ratio)), sent, strict=True):
            assert telegram_.reading is not None
            for key, value in telegram_.reading.present().items():
                multiplied = not isinstance(value, str) and not key.startswith("voltage")
                expected = value * ratio if multiplied else value  # type: ignore[operator]
                assert getattr(found, key) == expected


def test_ct_ratio_applies_to_p1() -> None:
    sent = telegrams("p1-se")[0]
    (found,) = readings(decode(sent.wire, ct_ratio=10))
    assert sent.reading is not None
    assert found.power_import_w == sent.reading.power_import_w * 10  # type: ignore[operator]
    assert found.voltage_l1_v == sent.reading.voltage_l1_v


def test_a_repeated_hour_is_marked() -> None:
    sent = telegrams("aidon-3ph-tn", 30)
    hourly = next(telegram for telegram in sent if telegram.kind == "list3")
    decoder = HanDecoder()
    events: list[Event] = []
    for wire in (hourly.wire, sent[0].wire, hourly.wire, hourly.wire):
        events += decoder.receive(wire)
    assert [event.repeated for event in events if isinstance(event, ListDecoded)] == [
        False,
        False,
        True,
        True,
    ]
    assert decoder.counters.lists_repeated == 2


def test_text_is_exact_whatever_octets_it_holds() -> None:
    body = structure(
        text("KFM_001", 9), b"\x09\x05 \x00\xe6\xff ", text("MA105H2E", 9), *[u32(0)] * 6
    )
    assert reading(telegram(body)).meter_id == " \x00æÿ "


def test_zero_octets_that_fill_a_text_up_are_no_part_of_it() -> None:
    names = (text("KFM_001", 9), b"\x09\x08" + b"13943597"[:5] + bytes(3), text("MA105H2E", 9))
    assert reading(telegram(structure(*names, *[u32(0)] * 6))).meter_id == "13943"
