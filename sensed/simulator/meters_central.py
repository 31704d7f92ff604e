"""Simulated meters of Central Europe, as data: Landis+Gyr, Iskraemeco, Kaifa MA309, Sagemcom."""

from __future__ import annotations

from functools import partial

from sensed.simulator import framing, lists
from sensed.simulator.layouts import (
    BodyForm,
    ClockStyle,
    flat_triples,
    mixed,
    positional,
    push_objects,
    writer,
)
from sensed.simulator.model import ListSpec, MeterModel, Transport, Wrapping, hdlc_transport

_M_BUS_LINE = "2400 8E1"
_M_BUS_LINE_NO_PARITY = "2400 8N1"
_E360_LINE = "9600 8N1"
_P1_LINE = "115200 8N1"
_QUARTER_S = 900.0

_CLOCK = ClockStyle(deviation_min=-60, hundredths=0)

# -- Landis+Gyr ----------------------------------------------------------------------

_E450_LINK = framing.Link(b"\xce\xff", b"\x03", 0x13)
_E450_SETUP = partial(push_objects, setup="0-8:25.9.0", twice=True)
_E450_BLOCKS: Transport = partial(framing.block_transfer, link=_E450_LINK, block_octets=112)


def _e450(
    name: str,
    about: str,
    transport: Transport,
    *,
    id_prefix: str,
    security: int | None = None,
    form: BodyForm = _E450_SETUP,
    items: lists.Items = lists.LANDISGYR,
    layout: tuple[str, ...] = (),
) -> MeterModel:
    return MeterModel(
        name=name,
        maker="Landis+Gyr",
        description=f"Landis+Gyr E450, {about}",
        serial=_M_BUS_LINE,
        lists=(ListSpec("list", 5.0, writer(form, items)),),
        wrapping=Wrapping(transport, date="standard", invoke_id=0, security=security),
        meter_type="E450",
        id_prefix=id_prefix,
        style=_CLOCK,
        layout=layout,
    )


_E360 = MeterModel(
    name="landisgyr-e360",
    maker="Landis+Gyr",
    description="Landis+Gyr E360, Switzerland, push object list, voltages in steps of 0.1 V",
    serial=_E360_LINE,
    lists=(
        ListSpec(
            "list",
            5.0,
            writer(partial(push_objects, setup="0-6:25.9.0"), lists.LANDISGYR_E360),
        ),
    ),
    wrapping=Wrapping(
        hdlc_transport(framing.Link(b"\xcf", b"\x03", 0x13)), date="standard", invoke_id=0
    ),
    meter_type="E360",
    id_prefix="LGZ1030",
    style=_CLOCK,
)

# -- Iskraemeco ----------------------------------------------------------------------


def _am550(
    name: str,
    about: str,
    specs: tuple[ListSpec, ...],
    *,
    segment_octets: int,
    layout: tuple[str, ...] = (),
) -> MeterModel:
    link = framing.Link(b"\xcf", b"\x02\x23", 0x13)
    return MeterModel(
        name=name,
        maker="Iskraemeco",
        description=f"Iskraemeco AM550, {about}",
        serial=_P1_LINE,
        lists=specs,
        wrapping=Wrapping(
            lambda apdu: framing.segmented_hdlc(
                framing.LLC + apdu, link, segment_octets=segment_octets
            ),
            date="standard",
            invoke_id=0,
        ),
        meter_type="AM550",
        id_prefix="ISK1030",
        style=ClockStyle(deviation_min=-60, status=0x80, hundredths=0),
        layout=layout,
    )


# -- Kaifa MA309, Sagemcom: M-Bus ------------------------------------------------------


def _austria(
    name: str,
    maker: str,
    about: str,
    *,
    security: int,
    serial: str,
    spec: ListSpec,
    id_prefix: str = "1812200",
) -> MeterModel:
    return MeterModel(
        name=name,
        maker=maker,
        description=f"{maker} {about}, Austria, M-Bus, security {security:02X}",
        serial=serial,
        lists=(spec,),
        wrapping=Wrapping(framing.mbus, date="standard", invoke_id=0, security=security),
        meter_type="",
        id_prefix=id_prefix,
        style=_CLOCK,
    )


_AUSTRIA = ListSpec("list", 5.0, writer(flat_triples, lists.AUSTRIA))

CENTRAL_EUROPE = (
    _e450(
        "landisgyr-e450",
        "Switzerland, push object list, a bare number for a name",
        hdlc_transport(_E450_LINK),
        id_prefix="6331",
    ),
    _e450(
        "landisgyr-e450-gbt",
        "Switzerland, push object list in general block transfer",
        _E450_BLOCKS,
        id_prefix="LGZ1030",
    ),
    _e450(
        "landisgyr-e450-glo",
        "Switzerland, the same authenticated and encrypted",
        _E450_BLOCKS,
        id_prefix="6331",
        security=0x30,
    ),
    _e450(
        "landisgyr-e450-bare",
        "Austria, 14 bare values, authenticated and encrypted, order not stated",
        hdlc_transport(_E450_LINK),
        id_prefix="3017",
        security=0x30,
        form=positional,
        items=lists.LANDISGYR_BARE,
        layout=tuple(item.key or "-" for item in lists.LANDISGYR_BARE),
    ),
    _E360,
    _am550(
        "iskraemeco-am550",
        "positional list in segments, order not stated",
        (ListSpec("list", 5.0, writer(positional, lists.ISKRAEMECO)),),
        segment_octets=64,
        layout=tuple(item.key or "-" for item in lists.ISKRAEMECO),
    ),
    _am550(
        "iskraemeco-am550-si",
        "Slovenia, two positional lists that have a name",
        (
            ListSpec("list", 5.0, writer(positional, lists.ISKRAEMECO_SLOVENIA), group=1),
            ListSpec(
                "registers",
                _QUARTER_S,
                writer(positional, lists.ISKRAEMECO_SLOVENIA_REGISTERS),
                group=2,
            ),
        ),
        segment_octets=154,
    ),
    _am550(
        "iskraemeco-am550-ch",
        "Switzerland, push object list in segments",
        (
            ListSpec(
                "list",
                5.0,
                writer(partial(push_objects, setup="0-6:25.9.0"), lists.ISKRAEMECO_PUSH),
            ),
        ),
        segment_octets=154,
    ),
    _austria("kaifa-ma309", "Kaifa", "MA309", security=0x20, serial=_M_BUS_LINE, spec=_AUSTRIA),
    _austria(
        "kaifa-ma309-vbg",
        "Kaifa",
        "MA309 of Vorarlberg",
        security=0x21,
        serial=_M_BUS_LINE,
        spec=ListSpec("list", 5.0, writer(mixed, lists.VORARLBERG)),
        id_prefix="1KFM020",
    ),
    _austria(
        "sagemcom-t210d",
        "Sagemcom",
        "T210-D",
        security=0x21,
        serial=_M_BUS_LINE_NO_PARITY,
        spec=_AUSTRIA,
    ),
)
