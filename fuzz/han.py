"""Any octets from the meter give the same events however they are cut, or a WireError inside.

A list that is read by its plan gives what the generic reader gives, and no more than one
buffer is ever held. The first octet of an input sets how the rest is cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from sensed.errors import WireError
from sensed.han import HanDecoder, MeterKeys, apdu, axdr
from sensed.han.crc import x25
from sensed.han.layouts import match
from sensed.han.lists import ListReader, read_generic
from sensed.han.splitter import BUFFER_SIZE
from sensed.simulator import METERS, TEST_AUTHENTICATION_KEY, TEST_KEY, MeterSimulator

INCLUDE = ("sensed.han",)
_KEYS = MeterKeys(TEST_KEY, TEST_AUTHENTICATION_KEY)
_LAYOUT = METERS["iskraemeco-am550"].layout
_HEADER = b"\x41\x08\x83\x13"
_LONGEST_FRAME = 0x7FF


def one_input(data: bytes) -> None:
    """Check what must hold of any octets; an exception is a finding."""
    if not data:
        return
    size, octets = data[0] + 1, data[1:]
    check_stream(octets, size)
    check_stream(framed(octets), size)
    check_content(octets)


def check_stream(octets: bytes, size: int) -> None:
    """Any stream gives events, the same ones however chunked."""
    whole, pieces = HanDecoder(keys=_KEYS, layout=_LAYOUT), HanDecoder(keys=_KEYS, layout=_LAYOUT)
    expected = whole.receive(octets) + whole.silence()
    found = []
    for at in range(0, len(octets), size):
        found += pieces.receive(octets[at : at + size])
        if len(pieces._splitter._buffer) > BUFFER_SIZE:
            raise AssertionError("more than one buffer is held")
    found += pieces.silence()
    if found != expected or pieces.counters != whole.counters:
        raise AssertionError(f"chunks of {size} octets give other events")


def check_content(octets: bytes) -> None:
    """Any content gives a list or the package's own error; a plan reads what it was made from."""
    for parse in (axdr.decode, apdu.envelope, apdu.block):
        try:
            parse(octets)
        except WireError:
            continue
    reader = ListReader(layout=_LAYOUT)
    try:
        first = reader.read(octets)
        again = reader.read(octets)
    except WireError:
        return
    notification = apdu.notification(octets)
    found = match(notification, configured=_LAYOUT)
    generic = None if found is None else read_generic(notification, found)
    if first != again or (not isinstance(first, str) and first.reading != generic):
        raise AssertionError("plan and generic path differ")


def framed(octets: bytes) -> bytes:
    """Return the octets as the information of a good frame, so that fuzzing passes the checks."""
    length = 2 + len(_HEADER) + 2 + len(octets) + 2
    if not octets or length > _LONGEST_FRAME:
        return b""
    head = (0xA000 | length).to_bytes(2, "big") + _HEADER
    head += x25(head).to_bytes(2, "little") + octets
    return b"\x7e" + head + x25(head).to_bytes(2, "little") + b"\x7e"


def corpus() -> Iterator[bytes]:
    """Yield the wire of each kind of list of every simulated meter, and its content."""
    for model in METERS.values():
        kinds = {}
        for telegram in islice(MeterSimulator(model).telegrams(), 60):
            kinds.setdefault(telegram.kind, telegram.wire)
        for wire in kinds.values():
            yield b"\x40" + wire
            start = wire.find(b"\x0f", 8)
            if wire[:1] == b"\x7e" and start > 0:
                yield b"\x40" + wire[start:-3]
