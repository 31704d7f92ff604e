from __future__ import annotations

import cmath
import math
import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensed.han.reading import Reading
from sensed.simulator import METERS, MeterSimulator
from sensed.uplink import SafetySettings
from sensed.uplink.currents import ESTIMATE_MARGIN_A, CurrentL2, phase_currents

AUTO = SafetySettings()
ESTIMATING = SafetySettings(estimate_l2=True)


def currents(*amperes: str | None) -> Reading:
    one, two, three = (None if ampere is None else Decimal(ampere) for ampere in amperes)
    return Reading(current_l1_a=one, current_l2_a=two, current_l3_a=three)


MEASURED, BOUND = CurrentL2.MEASURED, CurrentL2.BOUND


@pytest.mark.parametrize(
    ("settings", "reading", "expected"),
    [
        (AUTO, currents("1", "-2.5", "3"), (("1", "2.5", "3"), "TN", MEASURED)),
        (AUTO, currents("-1", None, "3"), (("1", "4", "3"), "IT", BOUND)),
        (AUTO, currents("7", None, None), (("7",), "TN", MEASURED)),
        (AUTO, currents(None, "1", "2"), None),
        (AUTO, currents(None, None, None), None),
        (AUTO, currents("1", "0", "3"), (("1", "4", "3"), "IT", BOUND)),
        (AUTO, currents("0", "0", "0"), (("0", "0", "0"), "TN", MEASURED)),
        (SafetySettings(net="TN"), currents("1", "0", "3"), (("1", "0", "3"), "TN", MEASURED)),
        (SafetySettings(net="IT"), currents("1", "0", "3"), (("1", "4", "3"), "IT", BOUND)),
        (SafetySettings(net="TT"), currents("1", None, "3"), (("1", "4", "3"), "TT", BOUND)),
        (SafetySettings(net="TT"), currents("1", "2", "3"), (("1", "2", "3"), "TT", MEASURED)),
        (SafetySettings(net="TN"), currents("1", None, "3"), None),
        (SafetySettings(phases=3), currents("1", None, None), None),
        (SafetySettings(phases=1), currents("1", None, None), (("1",), "TN", MEASURED)),
        (ESTIMATING, currents("1", None, "3"), (("1", "4", "3"), "IT", BOUND)),
    ],
)
def test_every_phase_has_a_safe_magnitude_or_none_has(
    settings: SafetySettings,
    reading: Reading,
    expected: tuple[tuple[str, ...], str, CurrentL2] | None,
) -> None:
    found = phase_currents(reading, settings)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        amperes, net, source = expected
        assert found.amperes == tuple(map(Decimal, amperes))
        assert (found.net, found.current_l2) == (net, source)


def delta_house(loads: list[complex]) -> tuple[Reading, float]:
    """What a meter with two elements shows of loads between lines 1-2, 2-3, 3-1, and true I2."""
    u12, u23, u31 = (cmath.rect(230, angle) for angle in (0, -2.0944, 2.0944))
    a, b, c = ((load / u).conjugate() for load, u in zip(loads, (u12, u23, u31), strict=True))
    i1, i2, i3 = a - c, b - a, c - b
    total = sum(loads)
    power, reactive = round(total.real), round(total.imag)
    reading = Reading(
        power_import_w=max(0, power),
        power_export_w=max(0, -power),
        reactive_power_import_var=max(0, reactive),
        reactive_power_export_var=max(0, -reactive),
        current_l1_a=Decimal(round(abs(i1) * 10)) / 10,
        current_l3_a=Decimal(round(abs(i3) * 10)) / 10,
        voltage_l1_v=230,
        voltage_l3_v=230,
    )
    return reading, abs(i2)


def test_the_reconstruction_is_safe_for_99_houses_in_100() -> None:
    rng = random.Random(1)
    missing = []
    for _ in range(4000):
        loads = [cmath.rect(rng.uniform(0, 6000), math.acos(rng.uniform(0.9, 1))) for _ in range(3)]
        reading, true_a = delta_house(loads)
        found = phase_currents(reading, ESTIMATING)
        assert found is not None
        missing.append(true_a - float(found.amperes[1]))
    missing.sort()
    assert missing[len(missing) // 2] < -1
    assert missing[-len(missing) // 100] <= 0.1


def test_resistive_loads_are_reconstructed_to_the_rounding() -> None:
    rng = random.Random(2)
    errors = []
    for _ in range(2000):
        reading, true_a = delta_house([complex(rng.uniform(100, 6000)) for _ in range(3)])
        found = phase_currents(reading, ESTIMATING)
        assert found is not None
        if found.current_l2 is CurrentL2.ESTIMATED:
            errors.append(abs(float(found.amperes[1] - ESTIMATE_MARGIN_A) - true_a))
    assert len(errors) == 2000
    assert sorted(errors)[1000] < 0.15


@given(st.lists(st.complex_numbers(max_magnitude=8000), min_size=3, max_size=3))
def test_the_bound_holds_for_any_load(loads: list[complex]) -> None:
    reading, true_a = delta_house(loads)
    found = phase_currents(reading, AUTO)
    assert found is not None
    assert float(found.amperes[1]) >= true_a - 0.11
    estimated = phase_currents(reading, ESTIMATING)
    assert estimated is not None
    assert estimated.amperes[1] <= found.amperes[1]


@pytest.mark.parametrize("missing", ["voltage_l1_v", "reactive_power_import_var"])
def test_a_list_that_lacks_a_part_gives_the_bound(missing: str) -> None:
    reading, _ = delta_house([1000, 2000, 3000])
    incomplete = Reading(**{**reading.present(), missing: None})  # type: ignore[arg-type]  # keys of a reading
    found = phase_currents(incomplete, ESTIMATING)
    assert found is not None
    assert found.current_l2 is CurrentL2.BOUND


def test_powers_that_do_not_fit_the_currents_give_the_bound() -> None:
    reading, _ = delta_house([1000, 2000, 3000])
    wrong = Reading(**{**reading.present(), "power_import_w": 60_000})  # type: ignore[arg-type]  # keys of a reading
    found = phase_currents(wrong, ESTIMATING)
    assert found is not None
    assert found.current_l2 is CurrentL2.BOUND


def test_an_it_meter_of_the_simulator_is_seen_as_it() -> None:
    lists = MeterSimulator(METERS["aidon-3ph-it"], seed=3).telegrams()
    readings = (next(lists).reading for _ in range(40))
    found = [phase_currents(reading, ESTIMATING) for reading in readings if reading]
    assert {item.net for item in found if item} == {"IT"}
    assert CurrentL2.ESTIMATED in {item.current_l2 for item in found if item}
