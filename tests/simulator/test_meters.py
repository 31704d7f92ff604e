"""Cadence, sizes, physics and octets of the simulated meters."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sensed.han.reading import READING_KEYS, Quantity, Reading
from sensed.simulator import METERS, Keys, MeterModel, MeterSimulator, Telegram
from sensed.simulator.crc import crc_arc, crc_x25
from sensed.simulator.household import Household
from sensed.simulator.layouts import Moment, Nameplate
from tests.han import frames

BEFORE_THE_HOUR = datetime.fromisoformat("2025-01-01T09:59:00")

# Octets on the wire of each kind of list, as real meters send them.
TRUE_SIZES = {
    "aidon-3ph-it": {"list1": 44, "list2": 269, "list3": 377},
    "aidon-3ph-tn": {"list1": 44, "list3": 396},
    "aidon-se": {"list": 581},
    "kaifa-3ph-it": {"list1": 41, "list2": 123, "list3": 157},
    "kaifa-se-ma304h4": {"list": 287},
    "kaifa-se-ma304h4d": {"list3": 157},
    "kaifa-se-ma105h2e": {"list3": 137},
    "kamstrup-3ph": {"list1": 228, "list2": 302},
    "kamstrup-1ph": {"list1": 188, "list2": 262},
    "kamstrup-fine-volts": {"list1": 228},
    "kamstrup-dk": {"list": 491},
    "kamstrup-dk-1ph": {"list": 317},
    "landisgyr-e360": {"list": 354},
    "iskraemeco-am550-si": {"list": 131, "registers": 109},
    "iskraemeco-am550-ch": {"list": 379},
    "p1-se": {"readout": 704},
    "p1-se-kamstrup": {"readout": 700},
}


def first(model: MeterModel, count: int, *, seed: int = 0, **options: Any) -> list[Telegram]:
    simulator = MeterSimulator(model, seed=seed, **options)
    return list(itertools.islice(simulator.telegrams(), count))


def during(name: str, seconds: float, **options: Any) -> list[Telegram]:
    stream = MeterSimulator(METERS[name], **options).telegrams()
    return list(itertools.takewhile(lambda telegram: telegram.at_s < seconds, stream))


def starts(telegrams: list[Telegram], kind: str) -> list[float]:
    return [telegram.at_s for telegram in telegrams if telegram.kind == kind]


def test_check_values_of_both_crcs() -> None:
    assert crc_x25(b"123456789") == bytes.fromhex("6e90")
    assert crc_arc(b"123456789") == 0xBB3D


@pytest.mark.parametrize("name", METERS)
def test_same_seed_same_octets_and_other_seed_other_meter(name: str) -> None:
    model = METERS[name]
    assert first(model, 8, seed=7) == first(model, 8, seed=7)
    assert first(model, 8, seed=7) != first(model, 8, seed=8)


def test_telegrams_of_one_simulator_start_again_from_the_start() -> None:
    simulator = MeterSimulator(METERS["kaifa-3ph"], seed=3)
    runs = [list(itertools.islice(simulator.telegrams(), 10)) for _ in range(2)]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("name", TRUE_SIZES)
def test_lists_have_the_size_that_real_ones_have(name: str) -> None:
    sizes = {telegram.kind: len(telegram.wire) for telegram in first(METERS[name], 60)}
    assert sizes.items() >= TRUE_SIZES[name].items()


# -- octet for octet -----------------------------------------------------------------

REAL_FRAMES = {
    "aidon_no_list1": ("aidon-3ph-it", "list1"),
    "aidon_no_list2_3ph_it": ("aidon-3ph-it", "list2"),
    "aidon_no_list3_3ph_it": ("aidon-3ph-it", "list3"),
    "aidon_se_27_items": ("aidon-se", "list"),
    "kaifa_no_list1": ("kaifa-3ph-it", "list1"),
    "kaifa_no_list2_3ph_it": ("kaifa-3ph-it", "list2"),
    "kaifa_no_list3_3ph_it": ("kaifa-3ph-it", "list3"),
    "kaifa_se_ma304h4_36_items": ("kaifa-se-ma304h4", "list"),
    "kamstrup_no_list1_1ph_null_fillers": ("kamstrup-1ph", "list1"),
    "kamstrup_se_list1_3ph": ("kamstrup-3ph", "list1"),
}


@frames.needs_frames
@pytest.mark.parametrize("frame", REAL_FRAMES)
def test_with_a_real_meters_values_the_real_frame_comes_out(frame: str) -> None:
    name, kind = REAL_FRAMES[frame]
    model = METERS[name]
    (spec,) = (spec for spec in model.lists if spec.kind == kind)
    (entry,) = (entry for entry in frames.entries() if entry["name"] == frame)
    expected = entry["expected"]
    clock = datetime.fromisoformat(expected.get("meter_clock", "2020-01-01")).replace(tzinfo=None)
    moment = Moment(
        values={k: float(v) for k, v in expected.items() if k not in READING_KEYS[:4]},
        clock=clock,
        style=spec.style or model.style,
        plate=Nameplate({key: expected.get(key, "") for key in READING_KEYS[:3]}, 0, bytes(8)),
    )
    body, _ = spec.write(moment)
    assert model.wrapping.wrap(body, moment, 1, Keys()).hex() == frames.wire(entry).hex()


# -- cadence -------------------------------------------------------------------------


def test_aidon_sends_power_every_2_5_s_and_the_hourly_list_in_place_of_a_list_2() -> None:
    telegrams = during("aidon-3ph-tn", 121, start=BEFORE_THE_HOUR)
    assert starts(telegrams, "list1") == [2.5 * tick for tick in range(49)]
    after_list1_s = 44 * 11 / 2400
    list2 = [pytest.approx(10 * tick + after_list1_s) for tick in range(13) if tick != 7]
    assert starts(telegrams, "list2") == list2
    assert starts(telegrams, "list3") == [pytest.approx(70 + after_list1_s)]
    (hourly,) = (telegram for telegram in telegrams if telegram.kind == "list3")
    assert hourly.reading is not None
    assert hourly.reading.meter_clock == "2025-01-01T10:00:00+00:00"


def test_kaifa_skips_list_1_for_a_longer_list() -> None:
    telegrams = during("kaifa-3ph", 121, start=BEFORE_THE_HOUR)
    assert starts(telegrams, "list1") == [t for t in range(0, 121, 2) if t % 10]
    assert starts(telegrams, "list2") == [t for t in range(0, 121, 10) if t != 70]
    assert starts(telegrams, "list3") == [70]


def test_kamstrup_has_an_hourly_second_of_its_own() -> None:
    seconds = Counter[float]()
    for seed in range(40):
        telegrams = during("kamstrup-3ph", 121, seed=seed, start=BEFORE_THE_HOUR)
        assert starts(telegrams, "list1") == list(range(0, 121, 10))
        (hourly_s,) = starts(telegrams, "list2")
        seconds[hourly_s - 60] += 1
    assert set(seconds) == {5, 25, 35, 55}


@pytest.mark.parametrize("name", ["kaifa-se-ma304h4d", "kaifa-se-ma105h2e"])
def test_swedish_positional_kaifa_sends_every_15_s(name: str) -> None:
    assert starts(during(name, 61), "list3") == [0, 15, 30, 45, 60]


def test_slovenian_meters_send_their_registers_beside_the_other_list() -> None:
    telegrams = during("iskraemeco-am550-si", 121, start=BEFORE_THE_HOUR)
    assert starts(telegrams, "list") == list(range(0, 121, 5))
    (registers_s,) = starts(telegrams, "registers")
    assert 60 < registers_s < 61


@pytest.mark.parametrize("name", METERS)
def test_telegrams_never_overlap_on_the_line(name: str) -> None:
    model = METERS[name]
    free_s = 0.0
    for telegram in first(model, 45):
        assert telegram.at_s >= free_s
        free_s = telegram.at_s + len(telegram.wire) / model.octets_per_s


def test_the_line_carries_start_parity_and_stop_bits() -> None:
    assert METERS["aidon-3ph-tn"].octets_per_s == pytest.approx(218.18, abs=0.01)
    assert METERS["kamstrup-3ph"].octets_per_s == 240
    assert METERS["p1-dsmr5"].octets_per_s == 11520


# -- what the meter measures ----------------------------------------------------------


def numbers(reading: Reading) -> dict[str, Quantity]:
    return {k: v for k, v in reading.present().items() if not isinstance(v, str)}


def readings(name: str, hours: float, **options: Any) -> list[tuple[float, Reading]]:
    return [
        (telegram.at_s, telegram.reading)
        for telegram in during(name, hours * 3600, **options)
        if telegram.reading is not None
    ]


@pytest.mark.parametrize("name", METERS)
def test_values_are_exact_and_plausible(name: str) -> None:
    for telegram in first(METERS[name], 40):
        assert telegram.reading is not None
        texts = [v for v in telegram.reading.present().values() if isinstance(v, str)]
        assert all(texts)
        for key, value in numbers(telegram.reading).items():
            assert isinstance(value, int | Decimal)
            low, high = {"v": (210, 245), "a": (-63, 63), "w": (0, 20_000)}.get(
                key.rpartition("_")[2], (0, math.inf)
            )
            assert low <= value <= high, key


@pytest.mark.parametrize("name", ["aidon-se", "p1-se"])
def test_totals_are_the_net_of_the_phases(name: str) -> None:
    for _, reading in readings(name, 0.5):
        shown = numbers(reading)
        net = shown["power_import_w"] - shown["power_export_w"]
        phases = sum(
            shown[f"power_import_l{n}_w"] - shown[f"power_export_l{n}_w"] for n in (1, 2, 3)
        )
        assert net == phases
        assert 0 in (shown["power_import_w"], shown["power_export_w"])


def test_currents_of_a_phase_follow_its_power_with_its_sign() -> None:
    signs = set()
    for _, reading in readings("aidon-se", 1):
        shown = numbers(reading)
        for n in (1, 2, 3):
            active = shown[f"power_import_l{n}_w"] - shown[f"power_export_l{n}_w"]
            reactive = (
                shown[f"reactive_power_import_l{n}_var"] - shown[f"reactive_power_export_l{n}_var"]
            )
            current = shown[f"current_l{n}_a"]
            apparent = abs(float(current) * float(shown[f"voltage_l{n}_v"]))
            assert apparent == pytest.approx(math.hypot(active, reactive), abs=13)
            if not -1 <= current <= 1:
                assert (current > 0) == (active > 0)
                signs.add(current > 0)
    assert signs == {True, False}


def test_three_wire_currents_of_an_it_net_add_up_to_zero() -> None:
    house = Household(
        seed=4,
        start=datetime.fromisoformat("2025-04-15T09:00"),
        phases=3,
        net="IT",
        solar_peak_w=4000,
    )
    for tick in range(500):
        values = house.at(10.0 * tick)
        one, two, three = (abs(values[f"current_l{n}_a"]) for n in (1, 2, 3))
        assert abs(one - three) - 1e-9 <= two <= one + three + 1e-9


def test_it_meters_lack_what_real_ones_lack() -> None:
    aidon = {key for _, reading in readings("aidon-3ph-it", 0.1) for key in reading.present()}
    assert "current_l2_a" not in aidon
    assert {"current_l1_a", "current_l3_a", "voltage_l2_v"} <= aidon
    kaifa = {key for _, reading in readings("kaifa-3ph-it", 0.1) for key in reading.present()}
    assert "voltage_l2_v" not in kaifa
    assert "current_l2_a" in kaifa


@pytest.mark.parametrize("name", ["aidon-se", "kaifa-se-ma304h4", "kamstrup-dk", "p1-se"])
def test_registers_never_fall_and_add_up_the_power_shown(name: str) -> None:
    every_reading = readings(name, 0.4)
    imported = exported = Decimal(0)
    for (at_s, earlier), (then_s, later) in itertools.pairwise(every_reading):
        hours = Decimal(round(then_s - at_s)) / 3600
        imported += (earlier.power_import_w or 0) * hours
        exported += (earlier.power_export_w or 0) * hours
        assert (later.energy_import_wh or 0) >= (earlier.energy_import_wh or 0)
        assert (later.energy_export_wh or 0) >= (earlier.energy_export_wh or 0)
    first_shown, last_shown = every_reading[0][1], every_reading[-1][1]
    step = 11
    for total, key in ((imported, "energy_import_wh"), (exported, "energy_export_wh")):
        grown = getattr(last_shown, key) - getattr(first_shown, key)
        assert abs(grown - total) <= step
    assert imported + exported > 100


def test_the_meters_clock_follows_the_start() -> None:
    start = datetime.fromisoformat("2024-02-28T23:59:50")
    for telegram in first(METERS["kamstrup-3ph"], 5, start=start):
        assert telegram.reading is not None
        shown = datetime.fromisoformat(telegram.reading.meter_clock or "")
        assert shown == (start + timedelta(seconds=telegram.at_s)).replace(microsecond=0)


def test_keys_are_never_shown() -> None:
    keys = Keys(encryption=b"\xaa" * 16, authentication=b"\xbb" * 16)
    assert "aa" not in repr(keys)
    assert "\\xaa" not in repr(keys)


def test_a_meter_that_does_not_tell_the_order_of_its_values_documents_it() -> None:
    model = METERS["iskraemeco-am550"]
    for telegram in first(model, 3):
        assert set(model.layout) - {"-"} == set(telegram.reading.present())
        assert telegram.wire.count(b"\xcf\x02\x23\x13") > 1
        texts = telegram.wire.count(b"\x09\x10ISK")
        assert texts == 1


def test_system_titles_start_with_the_makers_flag_code() -> None:
    for name, letters in (("kaifa-ma309", b"KFM"), ("sagemcom-t210d", b"SAG")):
        for telegram in first(METERS[name], 3):
            assert telegram.wire.count(b"\xdb\x08" + letters) == 1
    assert {len(model.flag_code) for model in METERS.values()} == {3}
