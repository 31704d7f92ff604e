"""Whatever a broker's messages say, nothing is raised and what is published stays valid JSON.

That is our own echo, the retained copy of what was announced to Home Assistant, its birth
message and any other topic. An input is a script of messages; the first octet tells whether
the meter is the one announced.
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from fuzz.script import Script, piece
from sensed.han.reading import Reading
from sensed.uplink import BrokerSettings, DiscoverySettings, MeterIdentity, Sample, Stamp, Uplink
from sensed.uplink.discovery import Introduction
from sensed.uplink.payloads import Message, ReadingMessages

INCLUDE = ("sensed.uplink",)
_LOOP = asyncio.new_event_loop()
_PLACE = BrokerSettings(host="127.0.0.1", port=1883, device_id="pi")
_HOME = DiscoverySettings(prefix="homeassistant")
_METER = MeterIdentity(meter_id="735999", meter_type="6534", maker="Aidon")
_OTHER = MeterIdentity(meter_id="1")
_LARGEST = 8
"""How many times longer than what came an announcement may be, beside its own part."""


def one_input(data: bytes) -> None:
    """Check what must hold of any octets; an exception is a finding."""
    script = Script(data)
    meter = _METER if script.number() & 1 else _OTHER
    heard = []
    while script:
        heard.append((script.number(), script.piece()))
    _LOOP.run_until_complete(check_uplink(heard))
    for _, payload in heard:
        check_introduction(meter, payload)


async def check_uplink(heard: list[tuple[int, bytes]]) -> None:
    """Messages on any topic are taken without a connection to answer on."""
    uplink = Uplink(_PLACE, on_link=lambda _fact: None, discovery=_HOME)
    introduction = uplink._introduction
    topics = [uplink._topics.headroom, introduction.topic, introduction.birth_topic, "else"]
    for number, payload in heard:
        topic = topics[number % len(topics)]
        if topic is not None:
            uplink._received(topic, payload)
    uplink._birth_alarm.cancel()


def check_introduction(meter: MeterIdentity, payload: bytes) -> None:
    """After any copy the device can be announced, and says the same when it is asked again."""
    introduction = Introduction(_PLACE.topics, _HOME)
    introduction.found(payload)
    shown = _shown()
    own = Introduction(_PLACE.topics, _HOME).messages(meter, shown)
    messages = introduction.messages(meter, shown)
    if not messages or introduction.messages(meter, shown):
        raise AssertionError("the device is not announced once")
    room = _LARGEST * len(payload) + 2 * len(own[-1].payload)
    for message in messages:
        check_announcement(message, room)
    if introduction.messages(meter, shown, again=True)[-1].payload != messages[-1].payload:
        raise AssertionError("the announcement is not the same again")


def check_announcement(message: Message, room: int) -> None:
    """An announcement is valid JSON, in bounds, with every sensor of this meter."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    found = json.loads(message.payload.decode(), parse_constant=refuse)
    if "current_l1_a" not in found["cmps"] or len(message.payload) > room:
        raise AssertionError("a sensor is missing, or the announcement is too long")


@functools.cache
def _shown() -> frozenset[tuple[str, str]]:
    readings = ReadingMessages(_PLACE.topics)
    reading = Reading(power_import_w=1, power_export_w=0, current_l1_a=2, energy_import_wh=3)
    readings.messages(Sample(reading, Stamp(datetime(2026, 1, 1, tzinfo=UTC), 0.0, 1, "boot")))
    return readings.shown


def corpus() -> Iterator[bytes]:
    """Yield copies of what this version announces, births and echoes."""

    def message(topic: int, payload: bytes) -> bytes:
        return bytes((topic,)) + piece(payload)

    (own,) = Introduction(_PLACE.topics, _HOME).messages(_METER, _shown())
    yield b"\x01" + message(1, own.payload)
    earlier: dict[str, Any] = json.loads(own.payload)
    earlier["cmps"]["gone"] = {"p": "sensor", "name": "K\u00e5re", "n": [1, 2.5, None, True, {}]}
    yield b"\x01" + message(1, json.dumps(earlier).encode())
    yield b"\x00" + message(1, json.dumps(earlier).encode()) + message(2, b"online")
    yield b"\x01" + message(0, b'{"v":1,"online":true}') + message(2, b"offline")
    small = {"dev": {"sn": "735999"}, "cmps": {"a": {"p": "sensor"}, "b": 1e300}}
    yield b"\x01" + message(1, json.dumps(small).encode())
    yield b"\x01" + message(1, b"[" * 3000)
