"""Conformance frames, read from where SENSED_FRAMES points or from beside the repository."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sensed.han import READING_KEYS, Event, HanDecoder, ListDecoded, Reading

FOLDER = Path(
    os.environ.get("SENSED_FRAMES", Path(__file__).parents[2].parent / "shared" / "frames")
)
FILES = ("aidon", "kaifa", "kamstrup", "p1", "hdlc")

needs_frames = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"no conformance frames at {FOLDER}; set SENSED_FRAMES"
)


def entries() -> list[dict[str, Any]]:
    if not FOLDER.is_dir():
        return []
    return [entry for name in FILES for entry in json.loads((FOLDER / f"{name}.json").read_text())]


def wire(entry: dict[str, Any]) -> bytes:
    """What the entry puts on the wire."""
    if "text" in entry:
        return str(entry["text"]).encode("ascii")
    return bytes.fromhex(entry.get("hdlc_hex", entry["hex"]))


def expected(entry: dict[str, Any]) -> dict[str, str | Decimal]:
    return {
        key: value if key in READING_KEYS[:4] else Decimal(value)
        for key, value in entry["expected"].items()
        if key not in entry.get("placeholder", ())
    }


def present(reading: Reading, entry: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in reading.present().items()
        if key not in entry.get("placeholder", ())
    }


def decode(data: bytes, sizes: list[int] | None = None, **options: Any) -> list[Event]:
    """Decode a whole stream fed in chunks of ``sizes`` in turn; silence at its end."""
    decoder = HanDecoder(**options)
    events: list[Event] = []
    at = turn = 0
    while at < len(data):
        size = sizes[turn % len(sizes)] if sizes else len(data)
        events += decoder.receive(data[at : at + size])
        at += size
        turn += 1
    return events + decoder.silence()


def readings(events: list[Event]) -> list[Reading]:
    return [event.reading for event in events if isinstance(event, ListDecoded)]


def one(data: bytes) -> Event:
    (event,) = decode(data)
    return event


def reading(data: bytes) -> Reading:
    event = one(data)
    assert isinstance(event, ListDecoded)
    return event.reading
