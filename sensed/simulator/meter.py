"""The simulated meter: an endless, deterministic sequence of telegrams at the true cadence."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sensed.han.reading import Reading
from sensed.simulator.household import Household
from sensed.simulator.layouts import Fields, Moment, Nameplate
from sensed.simulator.model import Keys, ListSpec, MeterModel

DEFAULT_START = datetime.fromisoformat("2025-04-15T11:59:00")
"""Meter time at which a simulation begins: a minute before an hourly list, with some sun."""

_ID_DIGITS = 16
_SERIAL_NUMBERS = (10_000_000, 40_000_000)


@dataclass(frozen=True, slots=True)
class Telegram:
    """One list on the wire.

    ``at_s`` is when its first octet leaves the meter, in seconds from the start;
    ``reading`` what a correct decoder, given the model's keys and layout, must make of
    ``wire``. ``hit`` is set once a fault has changed
    ``wire``: then it may be lost, but must not give any other reading.
    """

    at_s: float
    wire: bytes
    reading: Reading
    kind: str
    hit: bool = False


class MeterSimulator:
    """One meter of a model: same seed, same start, same octets. No I/O, no clock."""

    def __init__(
        self,
        model: MeterModel,
        *,
        seed: int = 0,
        start: datetime | None = None,
        keys: Keys | None = None,
    ) -> None:
        self.model = model
        self._seed = seed
        self._start = (start or DEFAULT_START).replace(tzinfo=None)
        self._keys = keys or Keys()
        self._plate = _nameplate(model, seed)

    def telegrams(self) -> Iterator[Telegram]:
        """Yield telegrams in order of time for ever; each call starts again from the start."""
        house = Household(
            seed=self._seed,
            start=self._start,
            phases=self.model.phases,
            net=self.model.net,
            solar_peak_w=self.model.solar_peak_w,
        )
        line_free_s = 0.0
        for counter, (due_s, spec) in enumerate(self._due(), start=1):
            telegram = self._telegram(max(due_s, line_free_s), due_s, spec, house, counter)
            line_free_s = telegram.at_s + len(telegram.wire) / self.model.octets_per_s
            yield telegram

    def _telegram(
        self, at_s: float, due_s: float, spec: ListSpec, house: Household, counter: int
    ) -> Telegram:
        moment = Moment(
            values=_Measured(house.at(due_s)),
            clock=self._start + timedelta(seconds=due_s),
            style=spec.style or self.model.style,
            plate=self._plate,
        )
        body, fields = spec.write(moment)
        wire = self.model.wrapping.wrap(body, moment, counter, self._keys)
        return Telegram(at_s, wire, self._reading(fields, moment), spec.kind)

    def _reading(self, fields: Fields, moment: Moment) -> Reading:
        if "meter_clock" not in fields and self.model.wrapping.date in ("standard", "tagged"):
            fields["meter_clock"] = moment.style.iso(moment.clock)
        return Reading(**fields)  # type: ignore[arg-type]  # text keys hold text by construction

    def _due(self) -> Iterator[tuple[float, ListSpec]]:
        """Yield the instants of the lists, in seconds from the start."""
        midnight = self._start.replace(hour=0, minute=0, second=0, microsecond=0)
        into_day_s = (self._start - midnight).total_seconds()
        choose = random.Random(f"cadence/{self._seed}")  # noqa: S311 - a model, not a secret
        offsets_s = [choose.choice(spec.offsets_s) for spec in self.model.lists]
        ticks = [
            math.ceil((into_day_s - offset_s) / spec.every_s)
            for spec, offset_s in zip(self.model.lists, offsets_s, strict=True)
        ]
        while True:
            due_s = [
                offset_s + tick * spec.every_s - into_day_s
                for spec, offset_s, tick in zip(self.model.lists, offsets_s, ticks, strict=True)
            ]
            now_s = min(due_s)
            chosen: dict[int, ListSpec] = {}
            for index, spec in enumerate(self.model.lists):
                if due_s[index] == now_s:
                    ticks[index] += 1
                    chosen[spec.group] = spec
            for group in sorted(chosen):
                yield now_s, chosen[group]


class _Measured(dict[str, float]):
    """Values of the house; what it does not have (a phase, a tariff) measures zero."""

    def __missing__(self, key: str) -> float:
        return 0.0


def _nameplate(model: MeterModel, seed: int) -> Nameplate:
    digits = random.Random(f"nameplate/{model.name}/{seed}")  # noqa: S311 - not a secret
    missing = _ID_DIGITS - len(model.id_prefix)
    number = "".join(digits.choice("0123456789") for _ in range(missing))
    serial_number = digits.randrange(*_SERIAL_NUMBERS)
    texts: Mapping[str, str] = {
        "list_version": model.list_version,
        "meter_id": model.id_prefix + number,
        "meter_type": model.meter_type,
    }
    system_title = model.flag_code + serial_number.to_bytes(5, "big")
    return Nameplate(texts, serial_number, system_title)
