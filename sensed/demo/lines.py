"""How the demonstration writes what comes back from the broker: one line per message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

_PHASES: Final = ("l1", "l2", "l3")
_KILO: Final = Decimal(1000)


def line_of(name: str, payload: bytes) -> str | None:
    """Return the line for a message on topic ``name``, ``None`` for those not shown."""
    values = json.loads(payload, parse_float=Decimal)
    writer = _WRITERS.get(name)
    return f"{name:<7} {writer(values)}" if writer else None


def _power(values: Mapping[str, Any]) -> str:
    parts = [f"{values['power_import_w']} W in"]
    if values.get("power_export_w") is not None:
        parts.append(f"{values['power_export_w']} W out")
    return ", ".join(parts)


def _phases(values: Mapping[str, Any]) -> str:
    shown = []
    for phase in _PHASES:
        quantities = [
            f"{values[key]} {unit}"
            for key, unit in ((f"current_{phase}_a", "A"), (f"voltage_{phase}_v", "V"))
            if values.get(key) is not None
        ]
        if quantities:
            shown.append(f"{phase.upper()} {' '.join(quantities)}")
    return " | ".join(shown)


def _energy(values: Mapping[str, Any]) -> str:
    shown = [
        f"{values[key] / _KILO} kWh {direction}"
        for key, direction in (("energy_import_wh", "in"), ("energy_export_wh", "out"))
        if values.get(key) is not None
    ]
    return ", ".join(shown)


def _meter(values: Mapping[str, Any]) -> str:
    told = (values["maker"], values["meter_type"], values["meter_id"])
    return " ".join(str(value) for value in told if value is not None)


_WRITERS: Final = {"power": _power, "phases": _phases, "energy": _energy, "meter": _meter}
