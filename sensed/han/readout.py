"""P1 readout text to a reading (IEC 62056-21 data lines, DSMR 5.0.2 P1).

Decimal arithmetic throughout. Lines of other channels (gas, water) and of past
values are passed over.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

from sensed.errors import WireError
from sensed.han.layouts.tables import MAKERS
from sensed.han.layouts.terms import QUANTITIES, Unit
from sensed.han.lists import BEHIND_TRANSFORMER, Decoded
from sensed.han.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensed.han.reading import Quantity

LAYOUT = "p1"

_EXACT = Context(prec=40)
_LINE = re.compile(r"(\d{1,3})-(\d{1,3}):(\d{1,3}\.\d{1,3}\.\d{1,3})(?:\*255)?((?:\([^()]*\))+)")
# Values behind a code, whole or reduced; DSMR 4 prints one with a colon in the place of a point.
_CODE = re.compile(r"(?:\d{1,3}-\d{1,3}:)?\d{1,3}[.:]\d{1,3}\.\d{1,3}(?:\*\d{1,3})?\(.*\)")
_CONTINUED = re.compile(r"(?:\([^()]*\))+")
_NUMBER = re.compile(r"([+-]?\d{1,20}(?:\.\d{1,20})?)(?:\*(\w+))?")
_CLOCK = re.compile(r"(\d{12})[A-Za-z]?|(\d{8} \d\d:\d\d:\d\d)")
_UNITS: dict[str, tuple[Unit, int]] = {
    "w": (Unit.W, 0),
    "kw": (Unit.W, 3),
    "var": (Unit.VAR, 0),
    "kvar": (Unit.VAR, 3),
    "wh": (Unit.WH, 0),
    "kwh": (Unit.WH, 3),
    "varh": (Unit.VARH, 0),
    "kvarh": (Unit.VARH, 3),
    "a": (Unit.A, 0),
    "v": (Unit.V, 0),
    "": (Unit.NONE, 0),
}
_IDENTIFIERS = ("0-0:96.1.1", "0-0:96.1.0", "0-0:42.0.0")
_CLOCKS = ("0-0:1.0.0", "0-1:1.0.0")
_CHANNELS = ("0", "1")
_LONGEST_SHAPE = 2000


def read_readout(octets: bytes, *, checked: bool, ct_ratio: Quantity = 1) -> Decoded | str:
    """Return the reading of a readout, or its codes where it measures nothing known.

    Raises:
        WireError: a line whose code is malformed; without a check sum, also a line that is
            no data line, or a measured value sent twice.

    """
    head, *lines = octets.decode("latin-1").split("\n")
    values = dict(_data(lines, checked=checked))
    fields: dict[str, Any] = {}
    texts = {"": head.strip()}
    for code, (key, unit) in QUANTITIES.items():
        group = code[2:]
        sent = (values.get(f"1-{channel}:{group}") for channel in _CHANNELS)
        text = next((value for value in sent if value is not None), None)
        if text is None or (quantity := _quantity(text, unit)) is None:
            continue
        texts[code] = text
        fields[key] = _times(quantity, ct_ratio) if key in BEHIND_TRANSFORMER else quantity
    if not fields:
        return f"P1 readout: {', '.join(values)}"[:_LONGEST_SHAPE]
    fields["meter_id"] = _identifier(values)
    fields["meter_clock"] = next((_clock(values[code]) for code in _CLOCKS if code in values), None)
    flag = head[1:4]
    maker = MAKERS.get(flag.upper(), flag)
    return Decoded(LAYOUT, maker, Reading(**fields), None if checked else texts)


def _data(lines: list[str], *, checked: bool) -> Iterator[tuple[str, str]]:
    """Yield code and first value of each data line; of a code sent twice the first counts."""
    seen: set[str] = set()
    for line in (raw.strip() for raw in lines):
        found = _LINE.fullmatch(line)
        if found:
            a, b, group, rest = found.groups()
            code = f"{a}-{b}:{group}"
            if code not in seen:
                seen.add(code)
                yield code, rest[1 : rest.index(")")]
            elif not checked and f"{a}:{group}" in QUANTITIES:
                raise WireError(f"{code} is there twice")
        elif not _passed_over(line, checked=checked):
            raise WireError(f"no data line: {line[:40]!a}")


def _passed_over(line: str, *, checked: bool) -> bool:
    """Tell whether a line that is no data line may stand in a readout."""
    if not line or line[0] == "!" or _CONTINUED.fullmatch(line):
        return True
    return checked and (not line[0].isdecimal() or _CODE.fullmatch(line) is not None)


def _quantity(text: str, unit: Unit) -> Quantity | None:
    found = _NUMBER.fullmatch(text)
    if not found:
        return None
    number, name = found.groups()
    stated, exponent = _UNITS.get((name or "").lower(), (None, 0))
    return _whole(_EXACT.scaleb(Decimal(number), exponent)) if stated == unit else None


def _whole(number: Decimal) -> Quantity:
    """Return an int where no decimals are stated."""
    exponent = number.as_tuple().exponent
    return int(number) if isinstance(exponent, int) and exponent >= 0 else number


def _times(quantity: Quantity, ratio: Quantity) -> Quantity:
    if isinstance(quantity, int) and isinstance(ratio, int):
        return quantity * ratio
    return _EXACT.multiply(quantity, ratio)


def _identifier(values: dict[str, str]) -> str | None:
    """Return the electricity meter's own number; hex-coded ASCII is decoded."""
    text = next((values[code] for code in _IDENTIFIERS if values.get(code)), None)
    if text is None:
        return None
    try:
        plain = bytes.fromhex(text).decode("ascii")
    except ValueError:
        return text
    return plain if plain.isprintable() else text


def _clock(text: str) -> str | None:
    """Return the clock as ISO 8601 without zone; the season letter is left out."""
    found = _CLOCK.fullmatch(text)
    if not found:
        return None
    short, long = found.groups()
    try:
        if short:
            moment = datetime.strptime(f"20{short}", "%Y%m%d%H%M%S")  # noqa: DTZ007 - the zone is not stated
        else:
            moment = datetime.strptime(long, "%Y%m%d %H:%M:%S")  # noqa: DTZ007 - the zone is not stated
    except ValueError:
        return None
    return moment.isoformat()
