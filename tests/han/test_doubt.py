"""What nothing on the wire protects is compared with what its meter said before."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensed.han import HanDecoder, ListDecoded, ListEncrypted, ListMalformed, Reading, Sealed
from sensed.han.doubt import Doubt
from sensed.simulator import METERS, MeterSimulator
from tests.han.encode import CLOCK, mbus, notification, structure, text, u32
from tests.han.examples import examples
from tests.han.frames import readings
from tests.han.simulated import KEYS, telegrams
from tests.han.test_ciphering import seal

UNPROTECTED = ("p1-nocrc", "kaifa-ma309", "kaifa-ma309-vbg", "sagemcom-t210d")
SOURCE = b"meter"
START = datetime.fromisoformat("2025-10-26T02:59:50")


def reading(energy_wh: int, seconds: float = 0, **more: int | Decimal) -> Reading:
    clock = (START + timedelta(seconds=seconds)).isoformat()
    return Reading(meter_clock=clock, energy_import_wh=energy_wh, **more)  # type: ignore[arg-type]


def believed(*said: Reading) -> list[bool]:
    doubt = Doubt()
    return [doubt.believes(SOURCE, one) for one in said]


@pytest.mark.parametrize("name", UNPROTECTED)
def test_nothing_true_is_ever_doubted(name: str) -> None:
    model = METERS[name]
    for seed, start in enumerate(("2024-12-31T23:59:00", "2025-06-01T11:30:00")):
        decoder = HanDecoder(keys=KEYS)
        stream = MeterSimulator(model, seed=seed, start=datetime.fromisoformat(start)).telegrams()
        for telegram in islice(stream, 0, 300 if seed == 0 else 1500, 1 + 37 * seed):
            events = decoder.receive(telegram.wire) + decoder.silence()
            assert readings(events) == [telegram.reading]


@examples(60)
@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=12), st.integers(0, 2**32))
def test_registers_that_rise_as_a_grid_connection_allows_are_believed(
    steps_w: list[int], first_wh: int
) -> None:
    said, total_wh = [], Decimal(first_wh)
    for index, power_kw in enumerate(steps_w):
        total_wh += Decimal(power_kw) * 1000 * 10 / 3600
        said.append(reading(int(total_wh), 10 * index))
    assert all(believed(*said))


def test_a_register_that_falls_or_leaps_must_say_so_twice() -> None:
    assert believed(reading(10_000), reading(9_999, 10), reading(10_001, 20)) == [True, False, True]
    leap = 10_000 + (1 << 17)
    assert believed(reading(10_000), reading(leap, 5), reading(10_001, 10)) == [True, False, True]
    assert believed(reading(10_000), reading(500, 5), reading(501, 10)) == [True, False, True]


def test_time_that_passed_unheard_lets_registers_rise() -> None:
    assert believed(reading(10_000), reading(10_000 + 900_000, 86_400)) == [True, True]
    assert believed(reading(10_000), reading(10_001, -3590), reading(10_002, -3580)) == [True] * 3


def test_a_leap_too_small_to_be_seen_costs_no_true_reading_after_it() -> None:
    assert believed(reading(10_000), reading(10_800, 5), reading(10_001, 10)) == [True] * 3


@pytest.mark.parametrize(
    "values",
    [
        {"voltage_l1_v": Decimal("1000.1")},
        {"current_l2_a": -20_001},
        {"power_import_w": 10_000_001},
        {"reactive_power_export_var": 4_294_967_295},
    ],
)
def test_values_that_no_low_voltage_grid_has_must_come_twice(values: dict[str, int]) -> None:
    good = reading(5, **dict.fromkeys(values, 1))
    assert believed(good, reading(5, **values), good) == [True, False, True]
    assert believed(reading(5, **values), reading(5, **values)) == [False, True]


def test_a_clock_that_is_no_date_must_come_twice() -> None:
    dateless = Reading(energy_import_wh=5)
    assert believed(reading(5), dateless, reading(5)) == [True, False, True]
    assert believed(reading(5), dateless, dateless) == [True, False, True]
    no_day = Reading(meter_clock="2025-02-30T00:00:00", energy_import_wh=5)
    assert believed(no_day, no_day) == [True, True]


def test_sources_are_apart_and_their_number_is_bounded() -> None:
    doubt = Doubt()
    for number in range(50):
        assert doubt.believes(b"%d" % number, reading(1000 - number))
    assert len(doubt._believed) <= 8


# -- P1 without a check value --------------------------------------------------------


def outcome(decoder: HanDecoder, wire: bytes) -> list[type]:
    return [type(event) for event in decoder.receive(wire) + decoder.silence()]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"1-0:32.7.0(", b"1-0:33.7.0("),
        (b"1-0:1.7.0(0", b"1-0:1.7.0("),
        (b"1-0:1.7.0(0", b"1-0:1.7.0(00"),
        (b"1-0:1.8.1(0", b"1-0:1.8.1()(0"),
        (b"0-0:96.1.1(45", b"0-0:96.1.1(46"),
        (b"/XMX5L", b"/XMX5M"),
        (b"*V)", b"*A)"),
    ],
)
def test_a_readout_in_another_form_must_come_twice(old: bytes, new: bytes) -> None:
    first, second, third = (telegram.wire for telegram in telegrams("p1-nocrc")[:3])
    assert old in second
    spoilt = second.replace(old, new, 1)
    decoder = HanDecoder()
    assert outcome(decoder, first) == [ListDecoded]
    tolerated = [ListDecoded] if b"1.8.1" in old else [ListMalformed]
    assert outcome(decoder, spoilt) == tolerated
    assert outcome(decoder, third) == [ListDecoded]


def test_a_line_that_is_gone_for_good_is_missed_once() -> None:
    decoder = HanDecoder()
    wires = [telegram.wire for telegram in telegrams("p1-nocrc")[:6]]
    for wire, kind in zip(wires, [ListDecoded, ListMalformed, *[ListDecoded] * 4], strict=True):
        lines = wire.split(b"\r\n")
        kept = lines if wire is wires[0] else [line for line in lines if b":52.7.0" not in line]
        assert outcome(decoder, b"\r\n".join(kept)) == [kind]


def test_numbers_without_zeros_before_them_may_grow() -> None:
    decoder = HanDecoder()
    for number in ("0.5", "9.9", "10.25", "-3.1", "120"):
        wire = f"/XYZ5meter\r\n\r\n1-0:1.7.0({number}*kW)\r\n!\r\n".encode()
        assert outcome(decoder, wire) == [ListDecoded]


# -- M-Bus and bare telegrams ---------------------------------------------------------


def described(energy_wh: int) -> bytes:
    code = b"\x09\x06\x01\x00\x01\x08\x00\xff"
    scale = b"\x02\x02\x0f\x00\x16\x1e"
    items = (b"\x09\x0c" + CLOCK, code, u32(energy_wh), scale, text("7", 9))
    return notification(structure(*items))


def test_a_list_without_a_tag_whose_register_leaps_is_damaged() -> None:
    decoder = HanDecoder(keys=KEYS)
    causes = []
    for counter, energy_wh in enumerate((5000, 5001, 5001 + (1 << 30), 5002, 5003), start=1):
        plain = described(energy_wh)
        (event,) = decoder.receive(mbus(seal(plain, security=0x20, counter=counter)))
        causes.append(event.cause if isinstance(event, ListEncrypted) else None)
    assert causes == [None, None, Sealed.DAMAGED, None, None]


def test_a_bare_list_whose_register_leaps_is_not_believed() -> None:
    decoder = HanDecoder()
    kinds = [ListDecoded, ListDecoded, ListMalformed, ListDecoded]
    for energy_wh, kind in zip((5000, 5001, 77, 5002), kinds, strict=True):
        assert outcome(decoder, described(energy_wh)) == [kind]


def test_a_checked_list_is_never_doubted() -> None:
    decoder = HanDecoder(keys=KEYS)
    for counter, energy_wh in enumerate((5000, 77, 1 << 31), start=1):
        sealed = seal(described(energy_wh), security=0x30, counter=counter)
        assert outcome(decoder, mbus(sealed)) == [ListDecoded]
