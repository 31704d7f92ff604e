"""What stands in the messages: pure functions from readings to JSON text.

Numbers are exact: integers and decimals as their digits, never an exponent and never
a binary float.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

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
    """One publish: topic, payload, quality of service 0 or 1, and the retain flag.

    After ``expiry_s`` a broker that speaks MQTT 5 must not hand it on any more.
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool
    expiry_s: int | None = None


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


PASSING_S: Final = 60
"""How long a reading that is not retained is worth anything to a consumer, in seconds."""

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
    _Feed("phases", _in_order(_POWER | _PHASES), _PHASES, qos=1, retain=False),
    _Feed("energy", _in_order(_ENERGY | _CLOCK), _ENERGY, qos=1, retain=True),
)
"""Reading topics; the meter's clock goes with the registers it dates.

Total powers stand on ``phases`` as well, as a snapshot with the currents of the same
list: what only the longer list carries is null on ``power`` at every other list.
"""


class ReadingMessages:
    """Turns samples into messages; a topic's keys grow with the meter and never shrink."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._shown: dict[str, set[str]] = {feed.name: set() for feed in FEEDS}
        self.revision = 0
        """Grows whenever the meter shows something for the first time."""

    @property
    def shown(self) -> frozenset[tuple[str, str]]:
        """Topic and key of every quantity that the meter has shown so far."""
        return frozenset((name, key) for name, keys in self._shown.items() for key in keys)

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
            known = len(shown)
            shown.update(key for key in feed.keys if key in present)
            self.revision += len(shown) - known
            payload: dict[str, object] = {
                "received_at": rfc3339(stamp.received_at),
                "seq": stamp.seq,
                "boot_id": stamp.boot_id,
            }
            payload.update((key, present.get(key)) for key in feed.keys if key in shown)
            topic: str = getattr(self._topics, feed.name)
            expiry_s = None if feed.retain else PASSING_S
            messages.append(Message(topic, encode(payload), feed.qos, feed.retain, expiry_s))
        return messages


def history_payload(sample: Sample) -> bytes:
    """Return a whole list as one payload, to be sent when it is no longer news."""
    stamp = sample.stamp
    marks = {
        "received_at": rfc3339(stamp.received_at),
        "seq": stamp.seq,
        "boot_id": stamp.boot_id,
    }
    return encode(marks | sample.reading.present())


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


class StateReport(Protocol):
    """The indicator's state and the facts behind it; equal reports say the same."""

    def payload(self, now_s: float, now_utc: datetime) -> Mapping[str, object]:
        """Return what is told at this moment, on the loop's clock and on the wall's."""


def state_message(topics: Topics, report: StateReport, now_s: float, now_utc: datetime) -> Message:
    """Return the retained message with what ``report`` tells now."""
    return Message(topics.state, encode(report.payload(now_s, now_utc)), qos=1, retain=True)


def removal(topics: Topics) -> list[Message]:
    """Return what makes a broker forget everything retained below the device's topic."""
    retained = (topics.energy, topics.state, topics.meter, topics.headroom)
    return [Message(topic, b"", qos=1, retain=True) for topic in retained]


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
    write = _WRITERS.get(type(value))
    return _other_json(value) if write is None else write(value)


def _other_json(value: object) -> str:
    """Write what is of a class derived from one that has a JSON form."""
    match value:
        case str():
            text = json.dumps(value)
        case int():
            text = int.__repr__(value)
        case Decimal():
            text = _decimal_json(value)
        case Mapping():
            text = _mapping_json(value)
        case list() | tuple():
            text = _list_json(value)
        case _:
            raise BugError(f"{type(value).__name__} {value!r} has no exact JSON form")
    return text


def _decimal_json(value: Decimal) -> str:
    if not value.is_finite():
        raise BugError(f"Decimal {value!r} has no exact JSON form")
    return format(value, "f")


def _mapping_json(value: Mapping[object, object]) -> str:
    return "{" + ",".join([f"{_key(k)}:{_json(v)}" for k, v in value.items()]) + "}"


def _list_json(value: Iterable[object]) -> str:
    return "[" + ",".join(map(_json, value)) + "]"


_WRITERS: Final[Mapping[type, Callable[[Any], str]]] = {
    type(None): lambda _: "null",
    bool: lambda value: "true" if value else "false",
    str: json.dumps,
    int: int.__repr__,
    Decimal: _decimal_json,
    dict: _mapping_json,
    list: _list_json,
    tuple: _list_json,
}


@lru_cache(maxsize=256)
def _key(key: object) -> str:
    if not isinstance(key, str):
        raise BugError(f"{key!r} cannot be a key in JSON")
    return json.dumps(key)
