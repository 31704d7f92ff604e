"""A plausible house behind the meter: appliances, phases, sun and registers.

Deterministic by seed. Powers hold from one sample to the next and the registers
are their integral, so that what a meter shows always adds up.
"""

from __future__ import annotations

import cmath
import math
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Net = Literal["TN", "IT"]
Values = dict[str, float]
"""Reading keys to SI values (W, var, A, V, Wh, varh)."""

_PHASES = (1, 2, 3)
_SECONDS_PER_HOUR = 3600.0
_NOMINAL_V = 230.0
_SOURCE_OHM = 0.12
_DAWN_H, _DUSK_H = 6.0, 20.0
_TURN = cmath.exp(-2j * math.pi / 3)


@dataclass(frozen=True, slots=True)
class Appliance:
    """A load that switches: power per branch, branches used, mean times on and off."""

    power_w: float
    branches: tuple[int, ...]
    reactive_ratio: float
    mean_on_s: float
    mean_off_s: float


APPLIANCES = (
    Appliance(2050, (0,), 0.0, 150, 1800),  # kettle
    Appliance(95, (0,), 0.45, 600, 900),  # refrigerator
    Appliance(1900, (1,), 0.02, 420, 1500),  # water heater
    Appliance(1350, (1,), 0.25, 1500, 1800),  # heat pump
    Appliance(2100, (2,), 0.05, 900, 4000),  # oven
    Appliance(240, (2,), -0.6, 3000, 900),  # electronics, capacitive
    Appliance(2280, (0, 1, 2), 0.03, 5400, 16000),  # car, 10 A on three phases
)


class Household:
    """The house: ask it for values at growing times."""

    def __init__(
        self, *, seed: int, start: datetime, phases: int, net: Net = "TN", solar_peak_w: float = 0
    ) -> None:
        self._random = random.Random(f"household/{seed}")  # noqa: S311 - a model, not a secret
        self._start = start
        self._net = net
        self._branches = phases
        self._solar_peak_w = solar_peak_w
        self._cloud = 1.0
        self._source_v = [_NOMINAL_V + self._random.uniform(-1, 3) for _ in _PHASES]
        self._on = [
            self._random.random() < a.mean_on_s / (a.mean_on_s + a.mean_off_s) for a in APPLIANCES
        ]
        self._toggle_s = [self._random.expovariate(1 / a.mean_on_s) for a in APPLIANCES]
        self._held: Values = {}
        self._registers = self._first_registers()
        self._feeds = {register: _power_behind(register) for register in self._registers}
        self._last_s = 0.0

    def at(self, time_s: float) -> Values:
        """Return what the meter measures ``time_s`` after the start; times must not fall."""
        self._integrate(time_s - self._last_s)
        self._last_s = time_s
        self._switch(time_s)
        branches = self._branch_powers(time_s)
        values = self._line_values(branches) if self._net == "IT" else self._phase_values(branches)
        self._held = values
        return values | self._registers

    def _first_registers(self) -> Values:
        total_wh = self._random.uniform(8e6, 60e6)
        exported_wh = self._random.uniform(0.5e6, 4e6) if self._solar_peak_w else 0.0
        registers = {
            "energy_import_wh": total_wh,
            "energy_export_wh": exported_wh,
            "reactive_energy_import_varh": total_wh * 0.02,
            "reactive_energy_export_varh": total_wh * 0.07,
        }
        for phase in _PHASES[: self._branches]:
            registers[f"energy_import_l{phase}_wh"] = total_wh / self._branches
            registers[f"energy_export_l{phase}_wh"] = exported_wh / self._branches
        return registers

    def _integrate(self, elapsed_s: float) -> None:
        hours = elapsed_s / _SECONDS_PER_HOUR
        for register, power in self._feeds.items():
            self._registers[register] += self._held.get(power, 0.0) * hours

    def _switch(self, time_s: float) -> None:
        for index, appliance in enumerate(APPLIANCES):
            while self._toggle_s[index] <= time_s:
                self._on[index] = not self._on[index]
                mean_s = appliance.mean_on_s if self._on[index] else appliance.mean_off_s
                self._toggle_s[index] += self._random.expovariate(1 / mean_s)

    def _branch_powers(self, time_s: float) -> list[complex]:
        noise = self._random.gauss
        loads = [complex(70 + noise(0, 4), -18 + noise(0, 2)) for _ in range(self._branches)]
        for appliance, on in zip(APPLIANCES, self._on, strict=True):
            if on:
                for branch in appliance.branches[: self._branches]:
                    power_w = appliance.power_w * (1 + noise(0, 0.004))
                    reactive_var = power_w * appliance.reactive_ratio
                    loads[branch % self._branches] += complex(power_w, reactive_var)
        loads[0] -= self._solar_w(time_s)
        return loads

    def _solar_w(self, time_s: float) -> float:
        if not self._solar_peak_w:
            return 0.0
        moment = self._start + timedelta(seconds=time_s)
        hour = moment.hour + moment.minute / 60 + moment.second / _SECONDS_PER_HOUR
        height = math.sin(math.pi * (hour - _DAWN_H) / (_DUSK_H - _DAWN_H))
        self._cloud = min(1.0, max(0.15, self._cloud + self._random.gauss(0, 0.02)))
        return self._solar_peak_w * max(0.0, height) * self._cloud

    def _voltage(self, branch: int, power_w: float) -> float:
        drift_v = self._source_v[branch] + self._random.gauss(0, 0.15)
        self._source_v[branch] = min(236.0, max(226.0, drift_v))
        return self._source_v[branch] - _SOURCE_OHM * power_w / _NOMINAL_V

    def _phase_values(self, branches: list[complex]) -> Values:
        """Measure loads between each phase and neutral."""
        values: Values = {}
        for phase, load in enumerate(branches, start=1):
            power_w, reactive_var = round(load.real), round(load.imag)
            voltage_v = self._voltage(phase - 1, power_w)
            apparent_va = math.hypot(power_w, reactive_var)
            values[f"voltage_l{phase}_v"] = voltage_v
            values[f"current_l{phase}_a"] = math.copysign(apparent_va / voltage_v, power_w)
            values[f"power_factor_l{phase}"] = abs(power_w) / apparent_va if apparent_va else 1.0
            _split(values, "power", f"_l{phase}_w", power_w)
            _split(values, "reactive_power", f"_l{phase}_var", reactive_var)
        _totals(values, sum(round(b.real) for b in branches), sum(round(b.imag) for b in branches))
        return values

    def _line_values(self, branches: list[complex]) -> Values:
        """Measure loads between lines 1-2, 2-3, 3-1 as the elements of lines 1 and 3 do."""
        line_v = [self._voltage(index, load.real) for index, load in enumerate(branches)]
        angle = [_TURN**index for index in range(3)]
        through = [
            (load / volts).conjugate() * turn
            for load, volts, turn in zip(branches, line_v, angle, strict=True)
        ]
        lines = [through[index] - through[index - 1] for index in range(3)]
        reference = (angle[0], angle[1], -angle[1])
        values: Values = {}
        for phase, (current, against) in enumerate(zip(lines, reference, strict=True), start=1):
            element_w = (against * current.conjugate()).real
            values[f"current_l{phase}_a"] = math.copysign(abs(current), element_w)
            values[f"voltage_l{phase}_v"] = line_v[phase - 1]
        total = sum(branches)
        _totals(values, round(total.real), round(total.imag))
        return values


def _power_behind(register: str) -> str:
    """Return the key of the power that a register integrates."""
    return register.replace("energy", "power").removesuffix("h")


def _split(values: Values, quantity: str, suffix: str, net: float) -> None:
    values[f"{quantity}_import{suffix}"] = max(0.0, net)
    values[f"{quantity}_export{suffix}"] = max(0.0, -net)


def _totals(values: Values, power_w: float, reactive_var: float) -> None:
    _split(values, "power", "_w", power_w)
    _split(values, "reactive_power", "_var", reactive_var)
    apparent_va = math.hypot(power_w, reactive_var)
    values["power_factor"] = abs(power_w) / apparent_va if apparent_va else 1.0
