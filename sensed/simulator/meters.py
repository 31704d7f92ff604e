"""Every simulated meter type as data."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sensed.simulator import framing, lists
from sensed.simulator.layouts import ClockStyle, aidon_array, pairs, positional, writer
from sensed.simulator.meters_central import CENTRAL_EUROPE
from sensed.simulator.meters_p1 import P1
from sensed.simulator.model import UNSPECIFIED, ListSpec, MeterModel, Wrapping, hdlc_transport

_HOUR_S = 3600.0
_NORWEGIAN = "2400 8E1"
_KAMSTRUP_LINE = "2400 8N1"


# -- Aidon -----------------------------------------------------------------------

_AIDON = Wrapping(hdlc_transport(framing.Link(b"\x41", b"\x08\x83", 0x13)))
_AIDON_CLOCK = ClockStyle(deviation_min=0)


def _aidon(
    name: str, meter_type: str, about: str, *, currents: str, phases: str = "123", sun: float = 0
) -> MeterModel:
    list2 = lists.aidon_list2(phases, currents)
    list3 = (*list2, *lists.AIDON_HOURLY)
    return MeterModel(
        name=name,
        maker="Aidon",
        description=f"Aidon {meter_type}, Norway, {about}",
        serial=_NORWEGIAN,
        lists=(
            ListSpec("list1", 2.5, writer(aidon_array, lists.AIDON_LIST1), group=1),
            ListSpec("list2", 10.0, writer(aidon_array, list2), group=2),
            ListSpec(
                "list3",
                _HOUR_S,
                writer(aidon_array, list3),
                offsets_s=(10.0,),
                group=2,
                style=ClockStyle(deviation_min=0, whole_hour=True),
            ),
        ),
        wrapping=_AIDON,
        meter_type=meter_type,
        id_prefix="7359992",
        list_version="AIDON_V0001",
        style=_AIDON_CLOCK,
        phases=len(phases),
        net="IT" if len(currents) == len("13") else "TN",
        solar_peak_w=sun,
    )


_AIDON_SWEDEN = MeterModel(
    name="aidon-se",
    maker="Aidon",
    description="Aidon, Sweden, 27 items every 10 s, solar",
    serial=_NORWEGIAN,
    lists=(ListSpec("list", 10.0, writer(aidon_array, lists.AIDON_SWEDEN)),),
    wrapping=_AIDON,
    meter_type="6534",
    id_prefix="7359992",
    style=ClockStyle(status=0xFF),
    solar_peak_w=6500,
)

# -- Kaifa -----------------------------------------------------------------------

_KAIFA_NORWAY = Wrapping(hdlc_transport(framing.Link(b"\x01", b"\x02\x01", 0x10)), date="tagged")
_KAIFA_SWEDEN_LINK = framing.Link(b"\x01", b"\x00\x01", 0x10)


def _kaifa_norway(
    name: str, meter_type: str, about: str, *, phases: str = "123", sun: float = 0
) -> MeterModel:
    it_net = meter_type in ("MA304H3E", "MA304T3")
    hourly = lists.KAIFA_HOURLY_U64 if meter_type == "MA304T4" else lists.kaifa_hourly()
    list2 = lists.kaifa_list2(phases, filler_u2=it_net)
    return MeterModel(
        name=name,
        maker="Kaifa",
        description=f"Kaifa {meter_type}, Norway, {about}",
        serial=_NORWEGIAN,
        lists=(
            ListSpec("list1", 2.0, writer(positional, lists.KAIFA_LIST1)),
            ListSpec("list2", 10.0, writer(positional, list2)),
            ListSpec("list3", _HOUR_S, writer(positional, (*list2, *hourly)), offsets_s=(10.0,)),
        ),
        wrapping=_KAIFA_NORWAY,
        meter_type=meter_type,
        id_prefix="6970631",
        list_version="KFM_001",
        style=UNSPECIFIED,
        phases=len(phases),
        net="IT" if it_net else "TN",
        solar_peak_w=sun,
    )


def _kaifa_sweden(name: str, meter_type: str, *, phases: str = "123") -> MeterModel:
    items = (*lists.kaifa_list2(phases), *lists.kaifa_hourly())
    return MeterModel(
        name=name,
        maker="Kaifa",
        description=f"Kaifa {meter_type}, Sweden, positional, every 15 s",
        serial=_NORWEGIAN,
        lists=(ListSpec("list3", 15.0, writer(positional, items)),),
        wrapping=Wrapping(hdlc_transport(_KAIFA_SWEDEN_LINK), date="tagged"),
        meter_type=meter_type,
        id_prefix="7340734",
        list_version="KFM_001",
        style=UNSPECIFIED,
        phases=len(phases),
    )


_KAIFA_SWEDEN_36 = MeterModel(
    name="kaifa-se-ma304h4",
    maker="Kaifa",
    description="Kaifa MA304H4, Sweden, 36 items every 10 s, solar",
    serial=_NORWEGIAN,
    lists=(ListSpec("list", 10.0, writer(pairs, lists.KAIFA_SWEDEN)),),
    wrapping=Wrapping(hdlc_transport(_KAIFA_SWEDEN_LINK)),
    meter_type="MA304H4",
    id_prefix="7340734",
    list_version="KFM_001",
    style=ClockStyle(deviation_min=-60),
    solar_peak_w=5200,
)

# -- Kamstrup --------------------------------------------------------------------

_KAMSTRUP = Wrapping(
    hdlc_transport(framing.Link(b"\x2b", b"\x21", 0x13)), date="standard", invoke_id=0
)
_KAMSTRUP_SECONDS = (5.0, 25.0, 35.0, 55.0)


def _kamstrup(  # one row of the table below
    name: str,
    meter_type: str,
    about: str,
    list1: lists.Items,
    hourly: lists.Items = lists.KAMSTRUP_HOURLY,
    *,
    phases: int = 3,
    sun: float = 0,
) -> MeterModel:
    return MeterModel(
        name=name,
        maker="Kamstrup",
        description=f"Kamstrup {meter_type}, {about}",
        serial=_KAMSTRUP_LINE,
        lists=(
            ListSpec("list1", 10.0, writer(pairs, list1), group=1),
            ListSpec(
                "list2",
                _HOUR_S,
                writer(pairs, (*list1, *hourly)),
                offsets_s=_KAMSTRUP_SECONDS,
                group=2,
            ),
        ),
        wrapping=_KAMSTRUP,
        meter_type=meter_type,
        id_prefix="5706567",
        list_version="Kamstrup_V0001",
        style=UNSPECIFIED,
        phases=phases,
        solar_peak_w=sun,
    )


def _kamstrup_denmark(name: str, about: str, items: lists.Items, *, phases: int = 3) -> MeterModel:
    return MeterModel(
        name=name,
        maker="Kamstrup",
        description=f"Kamstrup Omnipower, Denmark, {about}",
        serial=_KAMSTRUP_LINE,
        lists=(ListSpec("list", 10.0, writer(pairs, items)),),
        wrapping=Wrapping(
            hdlc_transport(framing.Link(b"\x41", b"\x03", 0x13)),
            date="standard",
            invoke_id=0,
            security=0x30,
        ),
        meter_type="",
        id_prefix="5706567",
        list_version="Kamstrup_V0001",
        style=UNSPECIFIED,
        phases=phases,
        solar_peak_w=4000,
    )


_ALL = (
    _aidon("aidon-3ph-tn", "6534", "three-phase TN, solar", currents="123", sun=6000),
    _aidon("aidon-3ph-it", "6525", "three-phase IT, solar", currents="13", sun=4500),
    _aidon("aidon-1ph", "6515", "single-phase", currents="1", phases="1"),
    _aidon("aidon-ct", "6550", "three-phase TN behind current transformers", currents="123"),
    _AIDON_SWEDEN,
    _kaifa_norway("kaifa-3ph", "MA304H4", "three-phase TN, solar", sun=5500),
    _kaifa_norway("kaifa-3ph-it", "MA304H3E", "three-phase IT"),
    _kaifa_norway("kaifa-1ph", "MA105H2E", "single-phase", phases="1"),
    _kaifa_norway("kaifa-ct-it", "MA304T3", "three-phase IT behind current transformers"),
    _kaifa_norway("kaifa-ct", "MA304T4", "current transformers, 64-bit registers"),
    _KAIFA_SWEDEN_36,
    _kaifa_sweden("kaifa-se-ma304h4d", "MA304H4D"),
    _kaifa_sweden("kaifa-se-ma105h2e", "MA105H2E", phases="1"),
    _kamstrup(
        "kamstrup-3ph",
        "6841138BN245101090",
        "Norway and Sweden, three-phase, solar",
        lists.kamstrup_list1("123"),
        sun=5000,
    ),
    _kamstrup(
        "kamstrup-1ph",
        "6861111BN242101040",
        "Norway and Sweden, single-phase with null fillers",
        lists.kamstrup_list1("1"),
        phases=1,
    ),
    _kamstrup(
        "kamstrup-1ph-1q",
        "6861111BN142101040",
        "Norway, single-phase, one quadrant",
        lists.KAMSTRUP_ONE_QUADRANT,
        lists.KAMSTRUP_ONE_QUADRANT_HOURLY,
        phases=1,
    ),
    _kamstrup(
        "kamstrup-ct",
        "6851138BN245101090",
        "Norway, three-phase behind current transformers",
        lists.kamstrup_list1("123", current_scaler=-3),
    ),
    _kamstrup(
        "kamstrup-fine-volts",
        "6841138BN243101010",
        "Denmark, not encrypted, voltages in steps of 0.01 V",
        lists.kamstrup_list1("123", voltage_scaler=-2),
    ),
    _kamstrup_denmark(
        "kamstrup-dk",
        "65 items every 10 s, authenticated and encrypted",
        lists.KAMSTRUP_DENMARK,
    ),
    _kamstrup_denmark(
        "kamstrup-dk-1ph",
        "single-phase, authenticated and encrypted",
        lists.KAMSTRUP_DENMARK_SINGLE_PHASE,
        phases=1,
    ),
    *CENTRAL_EUROPE,
    *P1,
)

METERS: Mapping[str, MeterModel] = MappingProxyType({model.name: model for model in _ALL})
"""Every meter that can be simulated, by name."""
