"""A plan, made from a list read before, reads as the generic path does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sensed.errors import WireError
from sensed.han import apdu as application
from sensed.han.layouts import match
from sensed.han.lists import MAX_PLANS, Decoded, ListReader, read_generic
from tests.han.encode import (
    LLC,
    notification,
    structure,
    text,
    u32,
)
from tests.han.examples import examples
from tests.han.simulated import telegrams

SHAPES = (
    "aidon-3ph-it",
    "aidon-se",
    "kaifa-3ph",
    "kaifa-3ph-it",
    "kaifa-ct",
    "kaifa-se-ma304h4",
    "kamstrup-1ph",
    "kamstrup-3ph",
    "landisgyr-e450",
)


def payload(wire: bytes) -> bytes:
    return wire[wire.index(LLC) + len(LLC) : -3]


@examples(40)
@given(st.sampled_from(SHAPES), st.data())
def test_a_plan_reads_what_the_generic_path_reads(name: str, data: st.DataObject) -> None:
    """Octets of a telegram are changed at will: both paths agree, or both refuse."""
    sent = telegrams(name)
    reader = ListReader()
    for telegram_ in sent:
        reader.read(payload(telegram_.wire))
    changed = bytearray(payload(data.draw(st.sampled_from(sent)).wire))
    for _ in range(data.draw(st.integers(0, 6))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    by_plan = outcome(reader, bytes(changed))
    assert by_plan == outcome(ListReader(), bytes(changed))
    assert by_plan == generic(bytes(changed))


def outcome(reader: ListReader, octets: bytes) -> object:
    try:
        found = reader.read(octets)
    except WireError:
        return "malformed"
    return "unknown" if isinstance(found, str) else found


def generic(octets: bytes) -> object:
    try:
        parsed = application.notification(octets)
    except WireError:
        return "malformed"
    found = match(parsed)
    return Decoded(*found[:2], read_generic(parsed, found)) if found else "unknown"


def test_plans_are_bounded() -> None:
    reader = ListReader()
    for size in range(1, 60):
        names = (text("KFM_001", 9), text("9" * size, 9), text("MA105H2E", 9))
        reader.read(notification(structure(*names, *[u32(0)] * 6)))
        assert len(reader._plans) <= MAX_PLANS
