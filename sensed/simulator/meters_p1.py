"""Simulated meters that send P1 readouts, as data."""

from __future__ import annotations

from functools import partial

from sensed.simulator import p1
from sensed.simulator.model import ListSpec, MeterModel, Wrapping

_LINE = "115200 8N1"


def _p1(
    name: str,
    maker: str,
    about: str,
    readout: p1.Readout,
    *,
    every_s: float = 10.0,
    security: int | None = None,
) -> MeterModel:
    return MeterModel(
        name=name,
        maker=maker,
        description=f"{maker}, P1, {about}",
        serial=_LINE,
        lists=(ListSpec("readout", every_s, partial(p1.p1_readout, readout)),),
        wrapping=Wrapping(lambda text: text, date="none", security=security),
        meter_type="",
        id_prefix="E220600",
        solar_peak_w=3600,
    )


P1 = (
    _p1("p1-se", "Landis+Gyr E360", "Sweden, every 10 s, solar", p1.SWEDEN_E360),
    _p1("p1-se-aidon", "Aidon RJ12", "Sweden, every 10 s, solar", p1.SWEDEN_AIDON),
    _p1("p1-se-kamstrup", "Kamstrup Omnia", "Sweden, every 10 s, solar", p1.SWEDEN_KAMSTRUP),
    _p1("p1-nes", "NES", "Denmark, dates with a space, every 10 s, solar", p1.DENMARK_NES),
    _p1("p1-dsmr5", "Iskraemeco", "DSMR 5, every second, solar", p1.DSMR5, every_s=1.0),
    _p1("p1-nocrc", "Xemex", "DSMR without check value, every 10 s", p1.DSMR4_NO_CRC),
    _p1(
        "p1-lu", "Sagemcom", "Luxembourg, authenticated and encrypted", p1.LUXEMBOURG, security=0x30
    ),
)
