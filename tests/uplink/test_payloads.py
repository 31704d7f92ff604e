from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensed.errors import BugError
from sensed.han.reading import READING_KEYS, Reading
from sensed.uplink.payloads import (
    FEEDS,
    MeterIdentity,
    ReadingMessages,
    encode,
    meter_message,
    rfc3339,
)
from sensed.uplink.topics import Topics
from tests.uplink.tools import POWER_ONLY, WITH_CURRENTS, sample

TOPICS = Topics("sensed", "pi-1")
HEADER = {"received_at": "2026-01-02T03:04:05.678Z", "seq": 1, "boot_id": "b00t"}


def sent(messages: ReadingMessages, reading: Reading) -> dict[str, Any]:
    return {
        message.topic.rsplit("/", 1)[-1]: json.loads(message.payload, parse_float=Decimal)
        for message in messages.messages(sample(reading))
    }


def test_a_list_with_power_feeds_the_power_topic_alone() -> None:
    assert sent(ReadingMessages(TOPICS), POWER_ONLY) == {
        "power": {**HEADER, "power_import_w": 1234}
    }


def test_a_list_with_currents_feeds_phases_as_well() -> None:
    assert sent(ReadingMessages(TOPICS), WITH_CURRENTS) == {
        "power": {**HEADER, "power_import_w": 1234, "power_export_w": 0},
        "phases": {
            **HEADER,
            "power_import_w": 1234,
            "power_export_w": 0,
            "current_l1_a": Decimal("2.3"),
            "current_l3_a": Decimal("-0.5"),
            "voltage_l1_v": Decimal("230.1"),
        },
    }


def test_registers_carry_the_meters_own_clock() -> None:
    reading = Reading(meter_clock="2026-01-02T04:00:00", energy_import_wh=123456780)
    assert sent(ReadingMessages(TOPICS), reading) == {
        "energy": {**HEADER, "meter_clock": "2026-01-02T04:00:00", "energy_import_wh": 123456780}
    }


def test_identity_and_clock_alone_feed_nothing() -> None:
    reading = Reading(meter_id="1", meter_type="t", list_version="v", meter_clock="c")
    assert sent(ReadingMessages(TOPICS), reading) == {}


def test_keys_once_shown_stay_and_are_null_when_missing() -> None:
    messages = ReadingMessages(TOPICS)
    assert list(sent(messages, POWER_ONLY)["power"]) == [*HEADER, "power_import_w"]
    sent(messages, WITH_CURRENTS)
    assert sent(messages, POWER_ONLY)["power"] == {
        **HEADER,
        "power_import_w": 1234,
        "power_export_w": None,
    }


QUANTITIES = [key for key in READING_KEYS if not key.startswith(("meter_", "list_"))]


@settings(max_examples=50)
@given(st.lists(st.dictionaries(st.sampled_from(QUANTITIES), st.integers(0, 9)), max_size=6))
def test_every_quantity_reaches_a_topic_and_keys_never_shrink(
    lists: list[dict[str, int]],
) -> None:
    messages = ReadingMessages(TOPICS)
    keys: dict[str, set[str]] = {}
    for values in lists:
        topics = sent(messages, Reading(**values))  # type: ignore[arg-type]  # quantities only
        found: dict[str, int] = {}
        for topic, payload in topics.items():
            assert keys.get(topic, set()) <= set(payload)
            keys[topic] = set(payload)
            for key in payload.keys() - HEADER.keys():
                assert payload[key] == values.get(key)
                if payload[key] is not None:
                    found[key] = payload[key]
        assert found == values


def test_topics_share_no_key_but_the_total_powers() -> None:
    keys = [key for feed in FEEDS for key in feed.keys]
    shared = {key for key in keys if keys.count(key) > 1}
    assert shared == {
        "power_import_w",
        "power_export_w",
        "reactive_power_import_var",
        "reactive_power_export_var",
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("230.1"), "230.1"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-7"), "0.0000001"),
        (Decimal("0.50"), "0.50"),
        (Decimal(-1), "-1"),
        (10**20, "100000000000000000000"),
        (True, "true"),
        (None, "null"),
        ('"\n\u00e5', '"\\"\\n\\u00e5"'),
        ({"a": [1, {"b": ()}]}, '{"a":[1,{"b":[]}]}'),
    ],
)
def test_values_have_one_exact_form(value: object, text: str) -> None:
    assert encode(value) == text.encode()


@pytest.mark.parametrize("value", [1.5, Decimal("NaN"), Decimal("Infinity"), {1: 2}, b"x", {1}])
def test_what_has_no_exact_form_is_a_bug(value: object) -> None:
    with pytest.raises(BugError):
        encode(value)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False, places=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=50)
@given(JSON_VALUES)
def test_any_json_reader_gets_the_same_value_back(value: object) -> None:
    assert json.loads(encode(value), parse_float=Decimal) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15))
def test_decimals_lose_nothing_and_have_no_exponent(value: Decimal) -> None:
    text = encode(value)
    assert Decimal(text.decode()) == value
    assert b"e" not in text.lower()


def test_moments_are_told_in_utc_with_milliseconds() -> None:
    oslo = timezone(timedelta(hours=1))
    assert rfc3339(datetime(2026, 1, 1, 0, 30, tzinfo=oslo)) == "2025-12-31T23:30:00.000Z"
    assert rfc3339(datetime(2026, 1, 1, 0, 0, 0, 999, tzinfo=UTC)) == "2026-01-01T00:00:00.000Z"
    with pytest.raises(BugError):
        rfc3339(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the mistake


def test_an_identity_grows_with_the_lists_and_keeps_what_it_knows() -> None:
    first = MeterIdentity().learnt_from(Reading(list_version="v1"), maker="Kaifa")
    second = first.learnt_from(Reading(meter_id="1", meter_type="MA304"))
    assert second == MeterIdentity("1", "MA304", "v1", "Kaifa")
    assert second.learnt_from(POWER_ONLY) == second


def test_the_meter_message_always_has_every_key() -> None:
    message = meter_message(TOPICS, MeterIdentity(meter_id="1", list_interval_s=Decimal("2.5")))
    assert (message.topic, message.qos, message.retain) == ("sensed/pi-1/meter", 1, True)
    assert list(json.loads(message.payload)) == [field.name for field in fields(MeterIdentity)]
    assert b'"list_interval_s":2.5' in message.payload
