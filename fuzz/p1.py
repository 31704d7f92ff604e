"""Any lines inside a P1 readout with a right check give a list or a fault, however they are cut.

What a list says is numbers that are finite and exact, or text. The first octet of an input
sets how the readout is cut, the second which meter's identification it has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from decimal import Decimal
from itertools import islice

from sensed.han import HanDecoder, ListDecoded
from sensed.han.crc import arc
from sensed.han.events import Event
from sensed.han.reading import Reading
from sensed.simulator import METERS, MeterSimulator

INCLUDE = ("sensed.han",)
_HEADS = (b"/ADN9 6534\r\n\r\n", b"/KFM5KAIFA-METER\r\n\r\n", b"/EST5\\253710000_A\r\n\r\n")


def one_input(data: bytes) -> None:
    """Check what must hold of any octets; an exception is a finding."""
    if len(data) < 3:
        return
    size, lines = data[0] + 1, data[2:]
    text = _HEADS[data[1] % len(_HEADS)] + lines + b"\r\n!"
    for wire in (b"%b%04X\r\n" % (text, arc(text)), text + b"\r\n", lines):
        check(wire, size)


def check(wire: bytes, size: int) -> None:
    """Two readouts in a row give the same events whole and in pieces."""
    whole, pieces = HanDecoder(), HanDecoder()
    expected = whole.receive(wire + wire) + whole.silence()
    found: list[Event] = []
    for at in range(0, 2 * len(wire), size):
        found += pieces.receive((wire + wire)[at : at + size])
    found += pieces.silence()
    if found != expected:
        raise AssertionError(f"pieces of {size} octets give other events")
    for event in expected:
        if isinstance(event, ListDecoded):
            check_reading(event.reading)


def check_reading(reading: Reading) -> None:
    """A quantity is a finite number, or text."""
    for item in fields(reading):
        value = getattr(reading, item.name)
        if isinstance(value, float) or (isinstance(value, Decimal) and not value.is_finite()):
            raise AssertionError(f"{item.name} is {value!r}")


def corpus() -> Iterator[bytes]:
    """Yield the lines of each kind of readout of every simulated meter that sends P1."""
    for model in METERS.values():
        for telegram in islice(MeterSimulator(model).telegrams(), 3):
            if telegram.wire.startswith(b"/"):
                start = telegram.wire.index(b"\r\n\r\n") + 4
                yield b"\x40\x00" + telegram.wire[start : telegram.wire.rindex(b"\r\n!")]
