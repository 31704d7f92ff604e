"""Lists that do not tell their order are read in the one that is configured, never guessed."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from sensed.config import load_config
from sensed.errors import ConfigError
from sensed.han import HanDecoder, ListDecoded, ListUnknown
from sensed.han import apdu as application
from sensed.han.layouts import match
from sensed.han.lists import read_generic
from tests.han.encode import (
    CLOCK,
    TAGGED,
    array,
    notification,
    structure,
    telegram,
    text,
    u16,
    u32,
)
from tests.han.frames import decode, one, readings

FIXED = ("-", "voltage_l1_v", "current_l1_a", "power_import_w", "energy_import_wh", "-", "-")


def bare(name: str, *more: bytes) -> bytes:
    tail = more or (u16(9), b"\x00")
    return telegram(structure(text(name, 9), u16(231), u16(312), u32(700), u32(9), *tail))


@pytest.mark.parametrize(
    ("name", "maker", "volts"),
    [
        ("LGZ1030", "Landis+Gyr", Decimal(231)),
        ("LGF1030", "Landis+Gyr", Decimal(231)),
        ("ISK1030", "Iskraemeco", Decimal("23.1")),
    ],
)
def test_the_maker_settles_the_scaling_of_a_configured_list(
    name: str, maker: str, volts: Decimal
) -> None:
    (event,) = decode(bare(name), layout=FIXED)
    assert isinstance(event, ListDecoded)
    assert (event.layout, event.maker) == ("configured", maker)
    assert event.reading.present() == {
        "voltage_l1_v": volts,
        "current_l1_a": Decimal("3.12"),
        "power_import_w": 700,
        "energy_import_wh": 9,
    }


@pytest.mark.parametrize(
    "wire",
    [
        bare("XYZ1030"),
        bare("KFM1030"),
        bare("ISK1030", text("LGZ1030", 9), u16(0)),
        bare("ISK1030", u16(9)),
        telegram(structure(text("ISK1030", 9), array(u16(231)), *[u32(1)] * 5)),
        telegram(structure(*[text("ISK1030", 9)] * 7)),
        telegram(structure(text("ISK1030", 9), *[b"\x00"] * 6)),
        telegram(array(*[text("ISK1030", 9)] * 7)),
    ],
    ids=lambda wire: wire[-24:].hex(),
)
def test_a_configured_layout_serves_no_list_that_contradicts_it(wire: bytes) -> None:
    assert [type(event) for event in decode(wire, layout=FIXED)] == [ListUnknown]


# What else Iskraemeco meters send, by the types of their values: (texts, then numbers).
NAMELESS = {
    8: (1, "4444444"),
    9: (2, "4444244"),
    10: (2, "44442244"),
    12: (2, "2222224444"),
    18: (2, "4444222222444444"),
    28: (3, "4444444444444444222222444"),
    33: (3, "44444444444424444442222224[[[b"),
}


@pytest.mark.parametrize("count", NAMELESS)
def test_every_positional_variant_is_read_as_configured_and_never_guessed(count: int) -> None:
    texts, types = NAMELESS[count]
    makes = {"4": u32(7), "2": u16(2301), "[": array(u16(9400)), "b": b"\x03\x01"}
    body = structure(*[text("ISK1030700000000", 9)] * texts, *(makes[kind] for kind in types))
    assert body[1] == count
    wire = telegram(body, b"\x0c" + CLOCK)
    layout = ["-"] * count
    layout[texts] = "power_import_w"
    assert isinstance(one(wire), ListUnknown)
    (event,) = decode(wire, layout=layout)
    assert isinstance(event, ListDecoded)
    assert event.reading.power_import_w == (7 if types[0] == "4" else 2301)
    for wrong in (layout[1:], [*layout, "-"], ["power_import_w", *["-"] * (count - 1)]):
        assert [type(event) for event in decode(wire, layout=wrong)] == [ListUnknown]


def test_landis_gyr_values_without_a_list_under_a_system_title() -> None:
    """E450 of Burgenland: 14 bare values, the maker known by the title alone."""
    layout = (
        *(f"voltage_l{n}_v" for n in (1, 2, 3)),
        *(f"current_l{n}_a" for n in (1, 2, 3)),
        *("power_import_w", "power_export_w", "energy_import_wh", "energy_export_wh"),
        *("-", "-", "-", "meter_id"),
    )
    body = structure(
        *(u16(n) for n in (236, 235, 234, 0, 46, 26)),
        *(u32(n) for n in (125, 0, 27881149, 7619)),
        *(u16(n) for n in (400, 3, 288)),
        text("30100000", 9),
    )
    found = match(application.notification(notification(body)), b"LGZgr\x01\x02\x03", layout)
    assert found is not None
    shown = read_generic(application.notification(notification(body)), found)
    assert (shown.voltage_l1_v, shown.current_l2_a) == (236, Decimal("0.46"))
    assert (shown.energy_import_wh, shown.meter_id) == (27881149, "30100000")
    assert match(application.notification(notification(body)), b"KFMgr\x01\x02\x03", layout) is None


def test_a_configured_text_must_be_text() -> None:
    layout = ("meter_id", "meter_type", "power_import_w")
    for octets, expected in ((b"\x09\x02AB", ListDecoded), (b"\x09\x02A\x07", ListUnknown)):
        wire = telegram(structure(text("ISK1030", 9), octets, u32(5)))
        assert [type(event) for event in decode(wire, layout=layout)] == [expected]


def test_a_configured_layout_never_replaces_a_known_one() -> None:
    (event,) = decode(telegram(structure(u32(9)), TAGGED), layout=("energy_import_wh",))
    assert isinstance(event, ListDecoded)
    assert event.layout == "kaifa-no-list1"


def test_a_configured_layout_with_external_transformers() -> None:
    (found,) = readings(decode(bare("ISK1030"), layout=FIXED, ct_ratio=10))
    assert (found.power_import_w, found.voltage_l1_v) == (7000, Decimal("23.1"))


@pytest.mark.parametrize(
    ("layout", "says"),
    [
        (("-", "-"), "at least one measured"),
        (("meter_id", "meter_clock"), "at least one measured"),
        (("voltage_l1",), "did you mean voltage_l1_v"),
        (("@",), "'@' is neither\\."),
        (("power_import_w", "power_import_w"), "stands there twice"),
    ],
)
def test_a_layout_that_no_list_can_have_is_refused(layout: tuple[str, ...], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        HanDecoder(layout=layout)


def test_a_layout_may_be_set(tmp_path: Path) -> None:
    file = tmp_path / "sensed.toml"
    file.write_text(f"[meter]\nlayout = {list(FIXED)}\n")
    assert load_config(file, None).meter.layout == FIXED
    file.write_text("[meter]\nlayout = []\n")
    assert load_config(file, None).meter.layout == ()


@pytest.mark.parametrize(
    ("layout", "says"),
    [
        ('"meter_id"', "meter.layout must be a list of reading keys"),
        ("[1]", "meter.layout must be a list of reading keys"),
        ('["power_import"]', "'power_import' is neither, did you mean power_import_w"),
        ('["-"]', "meter.layout must name at least one measured quantity"),
    ],
)
def test_a_wrong_setting_of_the_layout_is_told(tmp_path: Path, layout: str, says: str) -> None:
    file = tmp_path / "sensed.toml"
    file.write_text(f"[meter]\nlayout = {layout}\n")
    with pytest.raises(ConfigError, match=re.escape(says)):
        load_config(file, None)
