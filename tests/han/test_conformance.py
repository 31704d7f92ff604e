"""Every conformance frame gives its expected values, however the stream is chunked."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from sensed.han import ListDecoded
from tests.han.frames import decode, entries, expected, needs_frames, present, readings, wire

ENTRIES = entries()
BY_NAME = {entry["name"]: entry for entry in ENTRIES}
SINGLE = [entry for entry in ENTRIES if not entry.get("stream")]
STREAMS = [entry for entry in ENTRIES if entry.get("stream")]


def named(pool: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("entry", pool, ids=[entry["name"] for entry in pool])


def chunkings(size: int) -> list[list[int]]:
    dice = random.Random(size)
    return [[size], [1], *([dice.randint(1, 70) for _ in range(40)] for _ in range(5))]


@needs_frames
def test_there_are_frames() -> None:
    assert len(ENTRIES) == 41


@needs_frames
@named(SINGLE)
def test_frame(entry: dict[str, Any]) -> None:
    data = wire(entry)
    for sizes in chunkings(len(data)):
        found = readings(decode(data, sizes))
        if not entry["expected"]:
            assert found == []
            continue
        assert len(found) == 1
        assert present(found[0], entry) == expected(entry)


@needs_frames
@named(SINGLE)
def test_digits_keep_the_resolution_of_the_wire(entry: dict[str, Any]) -> None:
    for reading in readings(decode(wire(entry))):
        shown = {key: str(value) for key, value in present(reading, entry).items()}
        wanted = {
            key: str(Decimal(value)) if isinstance(expected(entry)[key], Decimal) else value
            for key, value in entry["expected"].items()
            if key in shown
        }
        assert shown == wanted


@needs_frames
@named(STREAMS)
def test_stream(entry: dict[str, Any]) -> None:
    data = wire(entry)
    wanted = [expected(BY_NAME[name]) for name in entry["frames"]]
    wanted = [values for values in wanted if values]
    for sizes in chunkings(len(data)):
        found = readings(decode(data, sizes))
        assert [present(reading, entry) for reading in found] == wanted


@needs_frames
@named([entry for entry in SINGLE if entry["kind"] == "apdu"])
def test_bare_apdu(entry: dict[str, Any]) -> None:
    data = bytes.fromhex(entry["hex"])
    for payload in (data, data[3:]):
        for sizes in chunkings(len(payload)):
            found = readings(decode(payload, sizes))
            assert [present(reading, entry) for reading in found] == [expected(entry)]


@needs_frames
def test_all_makers_in_one_stream() -> None:
    good = [entry for entry in SINGLE if entry["expected"]]
    data = b"".join(wire(entry) for entry in good * 3)
    for sizes in chunkings(len(data)):
        events = decode(data, sizes)
        assert [type(event) for event in events] == [ListDecoded] * len(good) * 3
        for reading, entry in zip(readings(events), good * 3, strict=True):
            assert present(reading, entry) == expected(entry)
