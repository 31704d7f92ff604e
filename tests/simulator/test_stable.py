"""Encoding what was decoded gives the same octets, for every list of every meter."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensed.han import READING_KEYS, HanDecoder, ListDecoded
from sensed.simulator import METERS, Keys, MeterSimulator
from sensed.simulator.layouts import Moment
from tests.han.examples import examples
from tests.han.simulated import KEYS

LISTS = [(name, spec.kind) for name, model in METERS.items() for spec in model.lists]
CLOCKS = st.datetimes(datetime(2001, 1, 1), datetime(2089, 12, 31))  # noqa: DTZ001 - a meter's own
RANGES = {
    "voltage": st.integers(2000, 2500).map(lambda tenths: tenths / 10),
    "current": st.integers(-3000, 3000).map(lambda tenths: tenths / 10),
    "power_factor": st.integers(0, 1000).map(lambda thousandths: thousandths / 1000),
    "power": st.integers(0, 99_999).map(float),
    "reactive_power": st.integers(0, 99_999).map(float),
    "energy": st.integers(0, 999_999_999).map(float),
    "reactive_energy": st.integers(0, 999_999_999).map(float),
}


@st.composite
def measured(draw: st.DrawFn) -> dict[str, float]:
    """Any values that a house can have, related or not."""
    return {
        key: draw(next(range_ for start, range_ in RANGES.items() if key.startswith(start)))
        for key in READING_KEYS[4:]
    }


@pytest.mark.parametrize(("name", "kind"), LISTS)
@examples(4)
@given(measured(), CLOCKS)
def test_encoding_what_was_decoded_gives_the_same_octets(
    name: str, kind: str, values: dict[str, float], clock: datetime
) -> None:
    model = METERS[name]
    (spec,) = (spec for spec in model.lists if spec.kind == kind)
    plate = MeterSimulator(model)._plate

    def encoded(values: dict[str, float], clock: datetime) -> bytes:
        moment = Moment(values, clock, spec.style or model.style, plate)
        return model.wrapping.wrap(spec.write(moment)[0], moment, 7, Keys())

    wire = encoded(values, clock)
    decoder = HanDecoder(keys=KEYS, layout=model.layout)
    (event,) = decoder.receive(wire) + decoder.silence()
    assert isinstance(event, ListDecoded)
    shown = event.reading.present()
    decoded = {key: float(value) for key, value in shown.items() if not isinstance(value, str)}
    said = event.reading.meter_clock
    again = datetime.fromisoformat(said).replace(tzinfo=None) if said else clock
    assert encoded({**values, **decoded}, again) == wire
