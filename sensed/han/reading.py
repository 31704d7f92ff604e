"""The reading: what one meter list says, in named units.

Keys follow the quantities of IEC 62056-6-1 (OBIS) with their unit in the name.
A quantity that the meter did not send is ``None``, never zero.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal

Quantity = int | Decimal
"""An exact number as the meter sent it, after its scaler: never a binary float."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One meter list, decoded.

    Text is as sent, without zero octets that fill it up. ``meter_clock`` is the meter's own
    clock in ISO 8601, with an offset only when the telegram states a deviation; it is raw
    material, several meters send a misleading one. Currents keep the sign the wire has.
    """

    meter_id: str | None = None
    meter_type: str | None = None
    list_version: str | None = None
    meter_clock: str | None = None

    power_import_w: Quantity | None = None
    power_export_w: Quantity | None = None
    reactive_power_import_var: Quantity | None = None
    reactive_power_export_var: Quantity | None = None

    current_l1_a: Quantity | None = None
    current_l2_a: Quantity | None = None
    current_l3_a: Quantity | None = None
    voltage_l1_v: Quantity | None = None
    voltage_l2_v: Quantity | None = None
    voltage_l3_v: Quantity | None = None

    power_import_l1_w: Quantity | None = None
    power_import_l2_w: Quantity | None = None
    power_import_l3_w: Quantity | None = None
    power_export_l1_w: Quantity | None = None
    power_export_l2_w: Quantity | None = None
    power_export_l3_w: Quantity | None = None
    reactive_power_import_l1_var: Quantity | None = None
    reactive_power_import_l2_var: Quantity | None = None
    reactive_power_import_l3_var: Quantity | None = None
    reactive_power_export_l1_var: Quantity | None = None
    reactive_power_export_l2_var: Quantity | None = None
    reactive_power_export_l3_var: Quantity | None = None

    power_factor: Quantity | None = None
    power_factor_l1: Quantity | None = None
    power_factor_l2: Quantity | None = None
    power_factor_l3: Quantity | None = None

    energy_import_wh: Quantity | None = None
    energy_export_wh: Quantity | None = None
    reactive_energy_import_varh: Quantity | None = None
    reactive_energy_export_varh: Quantity | None = None
    energy_import_l1_wh: Quantity | None = None
    energy_import_l2_wh: Quantity | None = None
    energy_import_l3_wh: Quantity | None = None
    energy_export_l1_wh: Quantity | None = None
    energy_export_l2_wh: Quantity | None = None
    energy_export_l3_wh: Quantity | None = None

    def present(self) -> dict[str, str | Quantity]:
        """Return only what the meter sent, in field order."""
        return {name: value for name in READING_KEYS if (value := getattr(self, name)) is not None}


READING_KEYS: tuple[str, ...] = tuple(field.name for field in fields(Reading))
"""Every key of a reading, in the order they are printed."""
