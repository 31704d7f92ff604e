"""P1 readouts as text (IEC 62056-21 mode D, DSMR 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sensed.simulator.crc import crc_arc
from sensed.simulator.layouts import Fields, Moment, exact

_SUMMER_MONTHS = range(4, 11)


@dataclass(frozen=True, slots=True)
class Line:
    """One numeric line, ``decimals`` digits after the point; one ``unit`` is ten to ``power``.

    A key ``tariff:...`` is a register per tariff, which is no key of a reading.
    """

    key: str
    code: str
    unit: str
    power: int
    digits: int
    decimals: int


@dataclass(frozen=True, slots=True)
class Readout:
    """One maker's readout: identification, lines before and after the numbers, check value.

    ``name_code`` is the code of the meter's number, in hex, empty where it is not sent;
    ``clock`` how the date is written.
    """

    identification: str
    lines: tuple[Line, ...]
    head: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()
    name_code: str = ""
    clock: str = "%y%m%d%H%M%S{season}"
    crc: bool = True


def p1_readout(readout: Readout, moment: Moment) -> tuple[bytes, Fields]:
    """Return the readout's octets and what a decoder must get out of them."""
    clock = moment.clock.replace(microsecond=0)
    fields: Fields = {"meter_clock": clock.isoformat(timespec="seconds")}
    season = "S" if clock.month in _SUMMER_MONTHS else "W"
    stamp = clock.strftime(readout.clock).format(season=season)
    rows = [f"/{readout.identification}", "", *readout.head, f"0-0:1.0.0({stamp})"]
    if readout.name_code:
        meter_id = moment.plate.texts["meter_id"]
        fields["meter_id"] = meter_id
        rows.append(f"{readout.name_code}({meter_id.encode('ascii').hex().upper()})")
    rows += [_row(line, moment, fields) for line in readout.lines]
    text = "\r\n".join((*rows, *readout.tail, "!")).encode("ascii")
    check = f"{crc_arc(text):04X}".encode("ascii") if readout.crc else b""
    return text + check + b"\r\n", fields


def _row(line: Line, moment: Moment, fields: Fields) -> str:
    scaler = line.power - line.decimals
    value = abs(moment.values[line.key.removeprefix("tariff:")]) / 10.0**scaler
    steps = int(value) if "energy" in line.key else round(value)
    if not line.key.startswith("tariff:"):
        fields[line.key] = exact(steps, scaler)
    whole, part = divmod(steps, 10**line.decimals)
    digits = f"{whole:0{line.digits}}" + (f".{part:0{line.decimals}}" if line.decimals else "")
    return f"{line.code}({digits}*{line.unit})"


def _quadrants(
    template: str, codes: Sequence[int], suffix: str, units: tuple[str, str]
) -> tuple[Line, ...]:
    lines = []
    digits, d = (8, 8) if suffix == "_wh" else (4, 7)
    for quadrant, code in enumerate(codes):
        reactive, export = divmod(quadrant, 2)
        key = ("reactive_" if reactive else "") + template.format("export" if export else "import")
        unit_name = suffix.replace("w", "var") if reactive else suffix
        unit = units[reactive]
        lines.append(Line(key + unit_name, f"1-0:{code}.{d}.0", unit, 3, digits, 3))
    return tuple(lines)


_SWEDEN_UNITS = ("kW", "kVAr")
_SWEDEN_LINES: tuple[Line, ...] = (
    *_quadrants("energy_{}", (1, 2, 3, 4), "_wh", ("kWh", "kVArh")),
    *_quadrants("power_{}", (1, 2, 3, 4), "_w", _SWEDEN_UNITS),
    *_quadrants("power_{}_l1", (21, 22, 23, 24), "_w", _SWEDEN_UNITS),
    *_quadrants("power_{}_l2", (41, 42, 43, 44), "_w", _SWEDEN_UNITS),
    *_quadrants("power_{}_l3", (61, 62, 63, 64), "_w", _SWEDEN_UNITS),
    *(Line(f"voltage_l{n}_v", f"1-0:{12 + 20 * n}.7.0", "V", 0, 3, 1) for n in (1, 2, 3)),
    *(Line(f"current_l{n}_a", f"1-0:{11 + 20 * n}.7.0", "A", 0, 3, 1) for n in (1, 2, 3)),
)
_DSMR_LINES: tuple[Line, ...] = (
    Line("tariff:energy_import_wh", "1-0:1.8.1", "kWh", 3, 6, 3),
    Line("tariff:energy_import_wh", "1-0:1.8.2", "kWh", 3, 6, 3),
    Line("tariff:energy_export_wh", "1-0:2.8.1", "kWh", 3, 6, 3),
    Line("tariff:energy_export_wh", "1-0:2.8.2", "kWh", 3, 6, 3),
    Line("power_import_w", "1-0:1.7.0", "kW", 3, 2, 3),
    Line("power_export_w", "1-0:2.7.0", "kW", 3, 2, 3),
    *(Line(f"voltage_l{n}_v", f"1-0:{12 + 20 * n}.7.0", "V", 0, 3, 1) for n in (1, 2, 3)),
    *(Line(f"current_l{n}_a", f"1-0:{11 + 20 * n}.7.0", "A", 0, 3, 0) for n in (1, 2, 3)),
    *(Line(f"power_import_l{n}_w", f"1-0:{1 + 20 * n}.7.0", "kW", 3, 2, 3) for n in (1, 2, 3)),
    *(Line(f"power_export_l{n}_w", f"1-0:{2 + 20 * n}.7.0", "kW", 3, 2, 3) for n in (1, 2, 3)),
)

SWEDEN_E360 = Readout("LGF5E360", _SWEDEN_LINES)
SWEDEN_AIDON = Readout("ADN9 6534", _SWEDEN_LINES)
DSMR5 = Readout(
    "ISK5\\2M550T-1012",
    _DSMR_LINES,
    head=("1-3:0.2.8(50)",),
    tail=(
        "0-0:96.14.0(0002)",
        "1-0:99.97.0(1)(0-0:96.7.19)(170520130938W)(0000005627*s)",
        "0-0:96.13.0()",
        "0-1:24.1.0(003)",
        "0-1:96.1.0(4731303138333430313538383732343334)",
        "0-1:24.2.1(250415110000W)(04890.857*m3)",
    ),
    name_code="0-0:96.1.1",
)
DSMR4_NO_CRC = Readout(
    "XMX5LGBBFFB231314239",
    _DSMR_LINES,
    head=("1-3:0.2.8(42)",),
    name_code="0-0:96.1.1",
    crc=False,
)
SWEDEN_KAMSTRUP = Readout("KAM5", _SWEDEN_LINES)
DENMARK_NES = Readout("NES5:83335-3E", _SWEDEN_LINES, clock="%Y%m%d %H:%M:%S")
LUXEMBOURG = Readout(
    "SAG5\\253769653_A", _SWEDEN_LINES, head=("1-3:0.2.8(42)",), name_code="0-0:42.0.0"
)
