"""What stands in the messages: pure functions from readings to JSON text.

Numbers are exact: integers and decimals as their digits, never an exponent and never
a binary float.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, NamedTuple

from sensed.errors import BugError
from sensed.han.reading import READING_KEYS, Quantity, Reading
from sensed.uplink.topics import Topics


@dataclass(frozen=True, slots=True)
class Stamp:
    """When and as which list of this boot the host received a reading."""

    received_at: datetime
    monotonic_s: float
    seq: int
    boot_id: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A reading with its stamp."""

    reading: Reading
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Message:
    """One publish: topic, payload, quality of service 0 or 1, and the retain flag."""

    topic: str
    payload: bytes
    qos: int
    retain: bool


@dataclass(frozen=True, slots=True)
class MeterIdentity:
    """Who the meter is; what is not known yet is ``None``."""

    meter_id: str | None = None
    meter_type: str | None = None
    list_version: str | None = None
    maker: str | None = None
    list_interval_s: Quantity | None = None
    net: str | None = None
    phases: int | None = None

    def learnt_from(self, reading: Reading, *, maker: str | None = None) -> MeterIdentity:
        """Return the identity with what ``reading`` adds to it or corrects in it."""
        return replace(
            self,
            meter_id=reading.meter_id or self.meter_id,
            meter_type=reading.meter_type or self.meter_type,
            list_version=reading.list_version or self.list_version,
            maker=maker or self.maker,
        )


class _Feed(NamedTuple):
    """One reading topic: the keys it carries, and those whose presence makes a message."""

    name: str
    keys: tuple[str, ...]
    triggers: frozenset[str]
    qos: int
    retain: bool


_LITERALS: Final = {None: "null", True: "true", False: "false"}
_IDENTITY: Final = frozenset({"meter_id", "meter_type", "list_version"})
_POWER: Final = frozenset(
    {
        "power_import_w",
        "power_export_w",
        "reactive_power_import_var",
        "reactive_power_export_var",
    }
)
_ENERGY: Final = frozenset(key for key in READING_KEYS if key.endswith(("_wh", "_varh")))
_CLOCK: Final = frozenset({"meter_clock"})
_PHASES: Final = frozenset(READING_KEYS) - _IDENTITY - _POWER - _ENERGY - _CLOCK


def _in_order(keys: frozenset[str]) -> tuple[str, ...]:
    return tuple(key for key in READING_KEYS if key in keys)


FEEDS: Final = (
    _Feed("power", _in_order(_POWER), _POWER, qos=0, retain=False),
    _Feed("phases", _in_order(_PHASES), _PHASES, qos=1, retain=False),
    _Feed("energy", _in_order(_ENERGY | _CLOCK), _ENERGY, qos=1, retain=True),
)
"""Reading topics; the meter's clock goes with the registers it dates."""


class ReadingMessages:
    """Turns samples into messages; a topic's keys grow with the meter and never shrink."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._shown: dict[str, set[str]] = {feed.name: set() for feed in FEEDS}

    def messages(self, sample: Sample) -> list[Message]:
        """Return one message per topic that this list feeds.

        A quantity that the meter has shown before but that this list lacks is null.
        """
        present = sample.reading.present()
        stamp = sample.stamp
        messages = []
        for feed in FEEDS:
            if feed.triggers.isdisjoint(present):
                continue
            shown = self._shown[feed.name]
            shown.update(key for key in feed.keys if key in present)
            payload: dict[str, object] = {
                "received_at": rfc3339(stamp.received_at),
                "seq": stamp.seq,
                "boot_id": stamp.boot_id,
            }
            payload.update((key, present.get(key)) for key in feed.keys if key in shown)
            topic: str = getattr(self._topics, feed.name)
            messages.append(Message(topic, encode(payload), feed.qos, feed.retain))
        return messages


def meter_message(topics: Topics, identity: MeterIdentity) -> Message:
    """Return the retained message that says who the meter is."""
    payload = {
        "meter_id": identity.meter_id,
        "meter_type": identity.meter_type,
        "list_version": identity.list_version,
        "maker": identity.maker,
        "list_interval_s": identity.list_interval_s,
        "net": identity.net,
        "phases": identity.phases,
    }
    return Message(topics.meter, encode(payload), qos=1, retain=True)


def state_message(topics: Topics, payload: Mapping[str, object]) -> Message:
    """Return the retained message with the indicator's state and the facts behind it."""
    return Message(topics.state, encode(payload), qos=1, retain=True)


def rfc3339(moment: datetime) -> str:
    """Return ``moment`` in UTC with milliseconds and ``Z`` (RFC 3339, section 5.6)."""
    if moment.tzinfo is None:
        raise BugError("a moment without a time zone cannot be told to others")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encode(value: object) -> bytes:
    """Return ``value`` as compact JSON (RFC 8259) in ASCII.

    Takes null, booleans, integers, finite decimals, text, and lists and mappings of these;
    raises BugError for anything else.
    """
    return _json(value).encode("ascii")


def _json(value: object) -> str:
    match value:
        case None | bool():
            text = _LITERALS[value]
        case str():
            text = json.dumps(value)
        case int():
            text = int.__repr__(value)
        case Decimal() if value.is_finite():
            text = format(value, "f")
        case Mapping():
            text = "{" + ",".join(f"{_key(k)}:{_json(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            text = "[" + ",".join(map(_json, value)) + "]"
        case _:
            raise BugError(f"{type(value).__name__} {value!r} has no exact JSON form")
    return text


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise BugError(f"{key!r} cannot be a key in JSON")
    return json.dumps(key)
