"""Home Assistant's MQTT device discovery: one retained payload for the whole device.

Entities exist only for what the meter has shown. What an earlier run has announced is
learnt back from the broker's own retained copy, so that a restart takes nothing away
until the hourly registers come again. Repeats are identical to the octet, as a change
makes Home Assistant forget values (home-assistant.io, MQTT discovery, device payload).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from sensed.uplink.headroom import LONGEST_AGE_S
from sensed.uplink.payloads import PASSING_S, Message, MeterIdentity, encode
from sensed.uplink.settings import DiscoverySettings
from sensed.uplink.topics import Topics

Shown = frozenset[tuple[str, str]]
"""Topic and key of each quantity that the meter has shown."""

STATES: Final = ("starting", "not_configured", "no_meter_data", "no_ip", "no_cloud", "active")
_LONGEST_COPY: Final = 64 * 1024
_REMOVED: Final = {"p": "sensor"}
_ONLINE: Final = "{{ 'online' if value_json.online else 'offline' }}"
_GRID: Final = "{{ value_json.power_import_w - (value_json.power_export_w or 0) }}"


@dataclass(frozen=True, slots=True)
class _Kind:
    """What Home Assistant must know of every quantity of one unit."""

    device_class: str | None
    unit: str | None
    state_class: str
    precision: int


_KINDS: Final[Mapping[str, _Kind]] = {
    "_varh": _Kind("reactive_energy", "varh", "total_increasing", 0),
    "_wh": _Kind("energy", "Wh", "total_increasing", 0),
    "_var": _Kind("reactive_power", "var", "measurement", 0),
    "_w": _Kind("power", "W", "measurement", 0),
    "_a": _Kind("current", "A", "measurement", 1),
    "_v": _Kind("voltage", "V", "measurement", 1),
}
_FACTOR: Final = _Kind("power_factor", None, "measurement", 2)
_WORDS: Final = {"l1": "L1", "l2": "L2", "l3": "L3"}
_ROOM_PHASES: Final = ("l1", "l2", "l3")


@dataclass(frozen=True, slots=True)
class _Announced:
    """What an earlier run has announced: the meter's number as it was told, and sensors."""

    serial: object
    components: Mapping[str, object]


class Introduction:
    """What stands on the discovery topic, as the meter shows more of itself."""

    def __init__(self, topics: Topics, settings: DiscoverySettings) -> None:
        self._topics = topics
        self._settings = settings
        self._earlier = _Announced(None, {})
        self._said: bytes | None = None
        self.topic = topics.discovery(settings.prefix) if settings.prefix else None
        self.birth_topic = f"{settings.prefix}/status" if settings.prefix else None

    def found(self, payload: bytes) -> None:
        """Learn from the retained copy what an earlier run has announced."""
        if self._said is not None:
            return
        with contextlib.suppress(ValueError, RecursionError):
            self._earlier = _announced(payload)

    def messages(
        self, identity: MeterIdentity, shown: Shown, *, again: bool = False
    ) -> list[Message]:
        """Return what to publish now: nothing when it has been said, unless ``again``."""
        if self.topic is None or not shown:
            return []
        components = self._components(shown)
        earlier = self._earlier.components
        if self._earlier.serial is not None and self._earlier.serial == identity.meter_id:
            components = {**_kept(earlier), **components}
        device = self._device(identity)
        payload = self._payload(device, dict(sorted(components.items())))
        if payload == self._said and not again:
            return []
        payloads = [payload]
        gone = [name for name in earlier if name not in components]
        if gone and self._said is None:
            removed = dict.fromkeys(gone, _REMOVED)
            payloads.insert(0, self._payload(device, dict(sorted((components | removed).items()))))
        self._said = payload
        topic = self.topic
        return [Message(topic, payload, qos=1, retain=True) for payload in payloads]

    def removal(self) -> list[Message]:
        """Return what makes Home Assistant forget the device."""
        return [] if self.topic is None else [Message(self.topic, b"", qos=1, retain=True)]

    def _payload(self, device: Mapping[str, object], components: Mapping[str, object]) -> bytes:
        origin: dict[str, object] = {"name": "sensed"}
        if self._settings.software:
            origin["sw"] = self._settings.software
        availability = {"t": self._topics.headroom, "val_tpl": _ONLINE}
        return encode({"dev": device, "o": origin, "avty": [availability], "cmps": components})

    def _device(self, identity: MeterIdentity) -> dict[str, object]:
        device: dict[str, object] = {
            "ids": [f"sensed-{self._topics.device}"],
            "name": self._settings.name or "Electricity meter",
        }
        told = {"mf": identity.maker, "mdl": identity.meter_type, "sn": identity.meter_id}
        return device | {key: value for key, value in told.items() if value is not None}

    def _components(self, shown: Shown) -> dict[str, object]:
        components: dict[str, object] = {}
        for topic, key in _sources(shown):
            kind = next((kind for end, kind in _KINDS.items() if key.endswith(end)), _FACTOR)
            template = "{{ value_json." + key + " }}"
            components[key] = self._sensor(topic, key, _name(key), template, kind)
        if {"power_import_w", "power_export_w"} <= components.keys():
            source = "phases" if ("phases", "power_export_w") in shown else "power"
            components["grid_power_w"] = self._sensor(
                source, "grid_power_w", "Grid power", _GRID, _KINDS["_w"]
            )
        for index, phase in enumerate(_ROOM_PHASES):
            if ("phases", f"current_{phase}_a") in shown or (phase == "l2" and _without_l2(shown)):
                components |= self._room(index, phase)
        components["state"] = self._state()
        return components

    def _sensor(self, topic: str, key: str, name: str, template: str, kind: _Kind) -> object:
        sensor: dict[str, object] = {
            "p": "sensor",
            "uniq_id": f"sensed-{self._topics.device}-{key}",
            "name": name,
            "stat_t": getattr(self._topics, topic),
            "val_tpl": template,
            "stat_cla": kind.state_class,
            "sug_dsp_prc": kind.precision,
            "qos": 1,
        }
        if kind.device_class is not None:
            sensor["dev_cla"] = kind.device_class
        if kind.unit is not None:
            sensor["unit_of_meas"] = kind.unit
        if topic != "energy":
            permission = topic == "headroom"
            sensor["exp_aft"] = int(LONGEST_AGE_S) if permission else PASSING_S
        return sensor

    def _room(self, index: int, phase: str) -> dict[str, object]:
        key = f"headroom_{phase}_a"
        template = (
            "{{ value_json.headroom_a[" + str(index) + "] if value_json.headroom_a else none }}"
        )
        sensor = self._sensor("headroom", key, _name(key), template, _KINDS["_a"])
        return {key: sensor}

    def _state(self) -> object:
        return {
            "p": "sensor",
            "uniq_id": f"sensed-{self._topics.device}-state",
            "name": "State",
            "stat_t": self._topics.state,
            "val_tpl": "{{ value_json.state }}",
            "dev_cla": "enum",
            "ops": list(STATES),
            "ent_cat": "diagnostic",
            "qos": 1,
        }


def _sources(shown: Shown) -> Iterable[tuple[str, str]]:
    """Return each quantity once, from the topic on which it is never missing.

    ``phases`` repeats the total powers of its list; only the import comes more often on
    ``power``, where the others are null at every short list.
    """
    for topic, key in sorted(shown):
        if key == "meter_clock":
            continue
        if topic == "power" and key != "power_import_w" and ("phases", key) in shown:
            continue
        if topic == "phases" and key == "power_import_w":
            continue
        yield topic, key


def _without_l2(shown: Shown) -> bool:
    return ("phases", "current_l3_a") in shown


def _announced(payload: bytes) -> _Announced:
    """Return what a copy of an announcement says. Raises ValueError for one unlike ours.

    Anybody may have left it on the broker, and what is kept of it is published again.
    """
    if len(payload) > _LONGEST_COPY:
        raise ValueError("longer than any announcement")
    found = json.loads(payload, parse_float=_unlike_ours, parse_constant=_unlike_ours)
    if not isinstance(found, dict) or not isinstance(found.get("cmps"), dict):
        raise ValueError("no announcement of a device")
    device = found.get("dev")
    return _Announced(
        device.get("sn") if isinstance(device, dict) else None,
        {name: value for name, value in found["cmps"].items() if _is_like_ours(value)},
    )


def _is_like_ours(component: object) -> bool:
    return isinstance(component, dict) and all(
        value is None
        or isinstance(value, str | int)
        or (isinstance(value, list) and all(isinstance(item, str) for item in value))
        for value in component.values()
    )


def _unlike_ours(number: str) -> NoReturn:
    raise ValueError(f"{number} is in no announcement of ours")


def _kept(components: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in components.items() if value != _REMOVED}


def _name(key: str) -> str:
    """Return a key as words: ``current_l1_a`` is "Current L1"."""
    end = next((end for end in _KINDS if key.endswith(end)), "")
    words = [_WORDS.get(word, word) for word in key.removesuffix(end).split("_")]
    return " ".join([words[0].capitalize(), *words[1:]])
