from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from typing import Any

import aiomqtt
import pytest

from sensed.errors import ConfigError
from sensed.han.reading import Reading
from sensed.simulator import METERS, MeterSimulator
from sensed.status import Indicator
from sensed.uplink import DiscoverySettings, MeterIdentity
from sensed.uplink.discovery import STATES, Introduction
from sensed.uplink.headroom import LONGEST_AGE_S
from sensed.uplink.payloads import ReadingMessages
from sensed.uplink.topics import Topics
from tests.mosquitto import Mosquitto
from tests.uplink.tools import (
    POWER_ONLY,
    WITH_CURRENTS,
    Wire,
    listening,
    sample,
    settings,
    up,
)
from tests.waiting import until

TOPICS = Topics("sensed", "pi-1")
METER = MeterIdentity(meter_id="735999", meter_type="6534", maker="Aidon")
HOURLY = replace(WITH_CURRENTS, energy_import_wh=1, meter_clock="c")
ROOT_KEYS = {"dev", "o", "avty", "cmps"}
SENSOR_KEYS = {
    "p",
    "uniq_id",
    "name",
    "stat_t",
    "val_tpl",
    "stat_cla",
    "sug_dsp_prc",
    "qos",
    "dev_cla",
    "unit_of_meas",
    "exp_aft",
    "ops",
    "ent_cat",
}
UNITS = {
    "power": {"W"},
    "reactive_power": {"var"},
    "energy": {"Wh"},
    "reactive_energy": {"varh"},
    "current": {"A"},
    "voltage": {"V"},
    "power_factor": {None},
    "enum": {None},
}


def shown_by(*readings: Reading) -> frozenset[tuple[str, str]]:
    messages = ReadingMessages(TOPICS)
    for reading in readings:
        messages.messages(sample(reading))
    return messages.shown


def introduce(*readings: Reading) -> Any:
    (message,) = Introduction(TOPICS, DiscoverySettings()).messages(METER, shown_by(*readings))
    assert (message.topic, message.qos, message.retain) == (
        "homeassistant/device/pi-1/config",
        1,
        True,
    )
    return json.loads(message.payload)


def test_the_device_and_its_availability() -> None:
    payload = introduce(POWER_ONLY)
    assert set(payload) == ROOT_KEYS
    assert payload["dev"] == {
        "ids": ["sensed-pi-1"],
        "name": "Electricity meter",
        "mf": "Aidon",
        "mdl": "6534",
        "sn": "735999",
    }
    assert payload["avty"] == [
        {
            "t": "sensed/pi-1/headroom",
            "val_tpl": "{{ 'online' if value_json.online else 'offline' }}",
        }
    ]


def test_only_what_the_meter_has_shown_is_there() -> None:
    assert set(introduce(POWER_ONLY)["cmps"]) == {"power_import_w", "state"}
    assert set(introduce(POWER_ONLY, HOURLY)["cmps"]) == {
        "power_import_w",
        "power_export_w",
        "grid_power_w",
        "current_l1_a",
        "current_l3_a",
        "voltage_l1_v",
        "headroom_l1_a",
        "headroom_l2_a",
        "headroom_l3_a",
        "energy_import_wh",
        "state",
    }


def test_a_headroom_stands_no_longer_than_a_permission() -> None:
    components = introduce(POWER_ONLY, HOURLY)["cmps"]
    assert {name for name, item in components.items() if item.get("exp_aft") == LONGEST_AGE_S} == {
        "headroom_l1_a",
        "headroom_l2_a",
        "headroom_l3_a",
    }


@pytest.mark.parametrize("meter", METERS)
def test_every_meters_entities_fit_home_assistant(meter: str) -> None:
    telegrams = MeterSimulator(METERS[meter], seed=1).telegrams()
    readings = [reading for _ in range(60) if (reading := next(telegrams).reading)]
    components = introduce(*readings)["cmps"]
    assert len({item["uniq_id"] for item in components.values()}) == len(components)
    assert len({item["name"] for item in components.values()}) == len(components)
    for name, item in components.items():
        assert set(item) <= SENSOR_KEYS
        assert item["uniq_id"] == f"sensed-pi-1-{name}"
        assert item.get("unit_of_meas") in UNITS[item["dev_cla"]]
        if item["dev_cla"] == "enum":
            continue
        assert item["stat_cla"] == (
            "total_increasing" if "energy" in item["dev_cla"] else "measurement"
        )
        assert ("exp_aft" in item) == (not item["stat_t"].endswith("/energy"))


@pytest.mark.parametrize("meter", ["aidon-3ph-tn", "kaifa-3ph", "kamstrup-3ph", "aidon-se"])
def test_nothing_that_is_announced_flickers(meter: str) -> None:
    telegrams = MeterSimulator(METERS[meter], seed=1).telegrams()
    readings = [reading for _ in range(60) if (reading := next(telegrams).reading)]
    components = introduce(*readings)["cmps"].values()
    messages = ReadingMessages(TOPICS)
    for reading in readings:  # the keys that this meter has are known
        messages.messages(sample(reading))
    for reading in readings:
        for message in messages.messages(sample(reading)):
            values = json.loads(message.payload)
            for item in components:
                key = re.fullmatch(r"\{\{ value_json\.(\w+) \}\}", item["val_tpl"])
                if key and item["stat_t"] == message.topic and "energy" not in message.topic:
                    assert values[key[1]] is not None, (item["name"], values)


def test_words_are_short_and_units_are_not_in_them() -> None:
    components = introduce(HOURLY)["cmps"]
    assert components["current_l1_a"]["name"] == "Current L1"
    assert components["energy_import_wh"]["name"] == "Energy import"
    assert components["headroom_l2_a"]["name"] == "Headroom L2"


def test_the_states_are_the_indicators() -> None:
    assert {state.value for state in Indicator} == set(STATES)


def test_a_repeat_is_identical_and_only_on_request() -> None:
    introduction, shown = Introduction(TOPICS, DiscoverySettings()), shown_by(HOURLY)
    first = introduction.messages(METER, shown)
    assert introduction.messages(METER, shown) == []
    assert introduction.messages(METER, shown, again=True) == first


def test_a_restart_keeps_what_comes_hourly_and_another_meter_does_not() -> None:
    (before,) = Introduction(TOPICS, DiscoverySettings()).messages(METER, shown_by(HOURLY))
    restarted = Introduction(TOPICS, DiscoverySettings())
    restarted.found(before.payload)
    assert restarted.messages(METER, shown_by(WITH_CURRENTS)) == [before]
    swapped = Introduction(TOPICS, DiscoverySettings())
    swapped.found(before.payload)
    removed, after = swapped.messages(replace(METER, meter_id="1"), shown_by(WITH_CURRENTS))
    assert json.loads(removed.payload)["cmps"]["energy_import_wh"] == {"p": "sensor"}
    assert "energy_import_wh" not in json.loads(after.payload)["cmps"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"cmps":[]}',
        b"null",
        b"[" * 3000,
        b'{"dev":{"sn":"735999"},"cmps":{"a":{"p":"sensor","n":2.5}}}',
        b'{"dev":{"sn":"735999"},"cmps":{"a":{"p":"sensor","n":NaN}}}',
        b'{"dev":{"sn":"735999"},"cmps":{"a":' + b'{"a":' * 400 + b"1" + b"}" * 402,
        b'{"dev":{"sn":"735999"},"cmps":{"a":5}}',
        b'{"dev":{"sn":"735999"},"cmps":{"' + b"a" * 70_000 + b'":{}}}',
    ],
    ids=lambda garbage: repr(garbage[:60]),
)
def test_a_copy_that_is_no_discovery_is_ignored(garbage: bytes) -> None:
    introduction = Introduction(TOPICS, DiscoverySettings())
    introduction.found(garbage)
    assert len(introduction.messages(METER, shown_by(HOURLY))) == 1


def test_without_a_prefix_nothing_is_announced() -> None:
    introduction = Introduction(TOPICS, DiscoverySettings(prefix=None))
    assert introduction.messages(METER, shown_by(HOURLY)) == []
    assert introduction.removal() == []
    with pytest.raises(ConfigError):
        DiscoverySettings(prefix="#")


async def test_discovery_comes_once_the_meter_is_known_and_again_at_birth(
    mosquitto: Mosquitto,
) -> None:
    async with listening(mosquitto.port) as listener, up(settings(mosquitto.port)) as running:
        await running.linked()
        running.uplink.set_meter(METER)
        running.send(POWER_ONLY)
        running.send(WITH_CURRENTS)
        assert listener.on("config") == []
        (first,) = await listener.wait_for("config")
        running.send(WITH_CURRENTS)
        await listener.wait_for("phases", 2)
        powers = len(listener.on("power"))
        async with aiomqtt.Client("127.0.0.1", mosquitto.port) as home:
            await home.publish("homeassistant/status", "online")
        _, second = await listener.wait_for("config", 2)
        assert first.payload == second.payload
        await until(lambda: len(listener.on("power")) == powers + 1)
        running.send(replace(WITH_CURRENTS, energy_import_wh=7))
        *_, third = await listener.wait_for("config", 3)
        assert set(third.json["cmps"]) - set(first.json["cmps"]) == {"energy_import_wh"}


async def test_a_restart_and_a_reconnection_repeat_the_same_octets(mosquitto: Mosquitto) -> None:
    async with listening(mosquitto.port) as listener, Wire(mosquitto.port) as wire:
        for reading in (replace(WITH_CURRENTS, energy_import_wh=7), WITH_CURRENTS):
            async with up(settings(wire.port)) as running:
                await running.linked()
                running.uplink.set_meter(METER)
                running.send(reading)
                count = len(listener.on("config"))
                await listener.wait_for("config", count + 1)
                wire.cut()
                await running.linked()
                await listener.wait_for("config", count + 2)
        assert len({item.payload for item in listener.on("config")}) == 1


async def test_registers_survive_but_nothing_stale_is_revived(mosquitto: Mosquitto) -> None:
    async with up(settings(mosquitto.port)) as running:
        await running.linked()
        running.send(HOURLY)
        await asyncio.sleep(0.05)
    async with listening(mosquitto.port) as late:
        await late.wait_for("energy")
        await asyncio.sleep(0.05)
        assert late.on("power") == late.on("phases") == []
        assert late.on("headroom")[0].json["online"] is False
