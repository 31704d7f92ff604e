from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import settings as budget
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sensed.errors import ConfigError
from sensed.han.reading import Reading
from sensed.uplink import SafetySettings, Sample
from sensed.uplink.headroom import (
    RAISE_AFTER_S,
    TRANSITIONS,
    Event,
    HeadroomSignal,
    Signal,
    SlowRaise,
    State,
)
from sensed.uplink.outbox import Outbox
from sensed.uplink.payloads import Message
from sensed.uplink.topics import Topics
from tests.uplink.consumer import ReferenceConsumer
from tests.uplink.tools import MOMENT, sample

TOPICS = Topics("sensed", "pi-1")
HOUSE = SafetySettings(main_fuse_a=25)
KEYS = [
    "v",
    "online",
    "boot_id",
    "seq",
    "ts",
    "ttl_s",
    "mode",
    "reason",
    "fuse_a",
    "margin_a",
    "headroom_a",
    "failsafe_a",
    "source_age_s",
    "net",
    "phases",
    "current_l2",
]


def amperes(*values: float | str | None, power_w: int | None = None) -> Reading:
    one, two, three = (None if value is None else Decimal(str(value)) for value in values)
    return Reading(power_import_w=power_w, current_l1_a=one, current_l2_a=two, current_l3_a=three)


def power(watts: int) -> Reading:
    return Reading(power_import_w=watts)


class Device:
    """The signal on a clock of the test's own."""

    def __init__(self, settings: SafetySettings = HOUSE) -> None:
        self.signal = HeadroomSignal(TOPICS, settings, "b00t")
        self.now_s = 1000.0
        self.said: list[Signal] = []

    def connect(self) -> list[Any]:
        return self._heard(self.signal.connected(self.now_s, MOMENT))

    def hear(self, reading: Reading) -> list[Any]:
        stamp = replace(sample(reading).stamp, monotonic_s=self.now_s)
        return self._heard(self.signal.received(Sample(reading, stamp)))

    def wait(self, seconds: float) -> list[Any]:
        self.now_s += seconds
        return self._heard(self.signal.passed(self.now_s, MOMENT + timedelta(seconds=self.now_s)))

    def stop(self) -> list[Any]:
        return self._heard(self.signal.stopping(self.now_s, MOMENT))

    def _heard(self, signals: list[Signal]) -> list[Any]:
        self.said += signals
        return [json.loads(item.message.payload, parse_float=Decimal) for item in signals]


def test_a_live_payload_says_what_may_be_added() -> None:
    device = Device()
    device.connect()
    device.now_s += 1
    (payload,) = device.hear(amperes("2.3", "25", "-4", power_w=5000))
    assert list(payload) == KEYS
    assert payload == {
        "v": 1,
        "online": True,
        "boot_id": "b00t",
        "seq": 2,
        "ts": "2026-01-02T03:04:05.678Z",
        "ttl_s": 30,
        "mode": "live",
        "reason": "",
        "fuse_a": 25,
        "margin_a": 2,
        "headroom_a": [Decimal("20.7"), Decimal("-2.0"), Decimal("19.0")],
        "failsafe_a": 6,
        "source_age_s": 0,
        "net": "TN",
        "phases": 3,
        "current_l2": "measured",
    }
    message = device.said[-1].message
    assert (message.topic, message.qos, message.retain) == ("sensed/pi-1/headroom", 1, False)


def test_the_will_is_retained_and_has_the_keys_of_every_payload() -> None:
    will = HeadroomSignal(TOPICS, SafetySettings(failsafe_a=0), "b00t").will()
    assert (will.topic, will.qos, will.retain) == ("sensed/pi-1/headroom", 1, True)
    payload = json.loads(will.payload)
    assert list(payload) == KEYS
    assert (payload["online"], payload["mode"], payload["reason"]) == (False, "failsafe", "offline")
    assert (payload["headroom_a"], payload["failsafe_a"], payload["ts"]) == (None, 0, None)


def test_one_phase_has_one_headroom() -> None:
    device = Device()
    device.connect()
    (payload,) = device.hear(amperes(3, None, None))
    assert (payload["headroom_a"], payload["phases"]) == ([Decimal("20.0"), None, None], 1)


def test_a_zero_on_l2_is_believed_once_this_meter_has_shown_a_current_there() -> None:
    device = Device()
    device.connect()
    lists = [
        amperes(1, 0, 3),
        amperes(1, 2, 3),
        amperes(1, 0, 3),
        replace(amperes(1, 0, 3), meter_id="another"),
        replace(amperes(1, "0.1", 3), meter_id="another"),
        amperes(1, 0, 3),
    ]
    told = [payload["current_l2"] for item in lists for payload in device.hear(item)]
    assert told == ["bound", "measured", "measured", "bound", "measured", "measured"]


def test_an_it_net_is_bound_or_estimated_and_says_so() -> None:
    reading = replace(
        amperes(10, None, 10, power_w=3984),
        power_export_w=0,
        reactive_power_import_var=0,
        reactive_power_export_var=0,
        voltage_l1_v=230,
        voltage_l3_v=230,
    )
    said = []
    for estimate in (False, True):
        device = Device(SafetySettings(main_fuse_a=40, net="IT", estimate_l2=estimate))
        device.connect()
        (payload,) = device.hear(reading)
        said.append((payload["mode"], payload["current_l2"], payload["headroom_a"][1]))
    assert said == [
        ("live", "bound", Decimal("18.0")),
        ("estimated", "estimated", Decimal("24.9")),
    ]


# -- the state machine ------------------------------------------------------------------


def in_state(state: State) -> Device:
    """A device brought into ``state`` from outside alone."""
    device = Device(SafetySettings() if state is State.NO_FUSE else HOUSE)
    if state is State.OFFLINE:
        return device
    device.connect()
    if state in (State.LIVE, State.NO_FUSE):
        device.hear(amperes(1, 1, 1, power_w=700))
    elif state is State.NO_METER_DATA:
        device.wait(30)
    elif state is State.NO_CURRENTS:
        device.wait(20)
        device.hear(power(700))
        device.wait(10)
    elif state is State.STOPPING:
        device.stop()
    assert device.signal.state is state
    return device


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_every_state_answers_every_event_as_the_table_says(state: State, event: Event) -> None:
    device = in_state(state)
    expected = TRANSITIONS.get((state, event), state)
    said = device.signal._turn(event, device.now_s, MOMENT)
    assert device.signal.state is expected
    if expected is State.LIVE:
        assert len(said) == 1
    else:
        assert bool(said) == (expected is not state)
    for item in said:
        payload = json.loads(item.message.payload)
        assert item.message.retain == (payload["mode"] == "failsafe")
        assert payload["reason"] == expected.value


def test_the_table_lets_only_currents_end_fail_safe_and_only_a_connection_end_stopping() -> None:
    for (state, event), then in TRANSITIONS.items():
        assert (then is State.LIVE) == (event is Event.CURRENTS), (state, event)
        if state in (State.STOPPING, State.OFFLINE):
            assert event is Event.CONNECTED


def reasons(payloads: list[Any]) -> list[str]:
    return [payload["reason"] or payload["mode"] for payload in payloads]


def test_a_silent_meter_is_no_meter_data_after_30_s_and_live_again_at_once() -> None:
    device = Device()
    assert reasons(device.connect()) == ["starting"]
    assert reasons(device.hear(amperes(1, 1, 1))) == ["live"]
    assert device.wait(29.9) == []
    assert device.signal.deadline_s() == pytest.approx(device.now_s + 0.1)
    assert reasons(device.wait(0.1)) == ["no_meter_data"]
    assert device.signal.deadline_s() is None
    assert device.wait(1000) == []
    assert reasons(device.hear(amperes(1, 1, 1))) == ["live"]


def test_lists_without_currents_are_no_currents_and_then_no_meter_data() -> None:
    device = Device()
    device.connect()
    device.hear(amperes(1, 1, 1))
    for _ in range(11):
        assert device.wait(2.5) == []
        assert device.hear(power(700)) == []
    assert reasons(device.wait(2.5)) == ["no_currents"]
    device.hear(power(700))
    assert device.wait(29) == []
    assert reasons(device.wait(1)) == ["no_meter_data"]
    assert reasons(device.hear(power(700))) == ["no_currents"]
    assert reasons(device.hear(amperes(1, 1, 1))) == ["live"]


def test_a_phase_that_stays_unknown_is_no_currents() -> None:
    device = Device(SafetySettings(main_fuse_a=25, net="TN"))
    device.connect()
    for _ in range(3):
        device.hear(amperes(1, None, 1))
        device.wait(9.9)
    device.hear(amperes(1, None, 1))
    assert reasons(device.wait(0.3)) == ["no_currents"]


def test_without_a_fuse_there_is_never_a_permission() -> None:
    device = Device(SafetySettings())
    assert reasons(device.connect()) == ["starting"]
    assert device.hear(power(1)) == []
    assert reasons(device.hear(amperes(1, 1, 1))) == ["no_fuse"]
    assert device.hear(amperes(1, 1, 1)) == []
    assert reasons(device.wait(30)) == ["no_meter_data"]
    assert reasons(device.stop()) == ["stopping"]


def test_a_new_connection_says_fail_safe_first_and_then_what_is_still_fresh() -> None:
    device = Device()
    device.connect()
    device.hear(amperes(1, 1, 1))
    device.now_s += 12
    starting, live = device.connect()
    assert (starting["mode"], starting["reason"], starting["online"]) == (
        "failsafe",
        "starting",
        True,
    )
    assert (live["mode"], live["source_age_s"], live["ttl_s"]) == ("live", 12, 18)
    device.now_s += 18
    assert reasons(device.connect()) == ["starting"]
    assert reasons(device.wait(0)) == ["no_meter_data"]


def test_after_stopping_nothing_is_said() -> None:
    device = Device()
    device.connect()
    device.hear(amperes(1, 1, 1))
    (stopping,) = device.stop()
    assert (stopping["online"], stopping["mode"]) == (False, "failsafe")
    assert device.hear(amperes(1, 1, 1)) == []
    assert device.wait(100) == []
    assert device.stop() == []


# -- cut at once, raise slowly ----------------------------------------------------------


def test_a_cut_is_immediate_and_a_raise_waits_for_what_has_held() -> None:
    slow = SlowRaise()
    assert slow.update(Decimal(10), 0) == 10
    assert slow.update(Decimal(4), 10) == 4
    held = [slow.update(Decimal(room), 20 + 10 * n) for n, room in enumerate([9, 8, 12] * 10)]
    assert set(held) == {4}
    assert slow.update(Decimal(12), 20 + RAISE_AFTER_S) == 8
    assert slow.update(Decimal(3), 20 + RAISE_AFTER_S + 1) == 3


def test_a_raise_starts_anew_after_a_dip_and_after_a_gap() -> None:
    slow = SlowRaise()
    slow.update(Decimal(4), 0)
    slow.update(Decimal(9), 10)
    assert slow.update(Decimal("4.5"), 200) == 4
    slow.update(Decimal(9), 210)
    assert slow.update(Decimal(9), 210 + RAISE_AFTER_S - 1) == 4
    slow.interrupted()
    assert slow.update(Decimal(9), 220 + RAISE_AFTER_S) == 4


def test_a_raise_starts_anew_after_a_gap_that_nobody_was_told_of() -> None:
    device = Device()
    device.connect()
    device.hear(amperes(20, 20, 20))
    device.now_s += 10
    device.hear(amperes(1, 1, 1))
    device.now_s += RAISE_AFTER_S + 1  # neither a list nor a connection, so that nothing is due
    device.connect()
    (live,) = device.hear(amperes(1, 1, 1))
    assert live["headroom_a"] == [Decimal("3.0")] * 3
    for _ in range(int(RAISE_AFTER_S / 10)):
        device.now_s += 10
        (live,) = device.hear(amperes(1, 1, 1))
    assert live["headroom_a"] == [Decimal("22.0")] * 3


def test_what_must_be_shed_is_not_asked_for_twice() -> None:
    slow = SlowRaise()
    assert slow.update(Decimal(-5), 0) == -5
    assert slow.update(Decimal(-1), 1) == -1
    assert slow.update(Decimal(3), 2) == 0


def test_between_lists_a_rise_of_power_takes_room_from_every_phase() -> None:
    device = Device()
    device.connect()
    device.hear(amperes(10, 12, 3, power_w=3000))
    device.wait(2.5)
    (cut,) = device.hear(power(4150))
    assert cut["headroom_a"] == [Decimal("8.0"), Decimal("6.0"), Decimal("15.0")]
    assert (cut["source_age_s"], cut["ttl_s"]) == (Decimal("2.5"), Decimal("27.5"))
    device.wait(2.5)
    assert device.hear(power(3500)) == []
    (cut,) = device.hear(power(4380))
    assert cut["headroom_a"] == [Decimal("7.0"), Decimal("5.0"), Decimal("14.0")]
    device.wait(5)
    (live,) = device.hear(amperes(16, 12, 3, power_w=4380))
    assert live["headroom_a"] == [Decimal("7.0"), Decimal("11.0"), Decimal("20.0")]


def test_a_rise_before_the_first_connection_takes_room_too() -> None:
    device = Device()
    device.hear(amperes(1, 1, 1, power_w=700))
    device.now_s += 2.5
    assert device.hear(power(15_000)) == []
    starting, live = device.connect()
    assert (starting["mode"], starting["headroom_a"]) == ("failsafe", None)
    assert live["headroom_a"] == [Decimal("0.0")] * 3


def test_a_broker_hands_a_permission_on_no_longer_than_its_currents_may_age() -> None:
    device = Device()
    device.connect()
    device.hear(amperes(1, 1, 1, power_w=700))
    assert device.said[-1].message.expiry_s == 30
    device.now_s += 12.5
    device.hear(power(1000))
    assert device.said[-1].message.expiry_s == 17
    device.now_s += 17
    device.connect()
    assert device.said[-1].message.expiry_s == 1
    assert device.signal.will().expiry_s is None


def test_a_rise_takes_all_room_but_asks_to_shed_only_an_even_share() -> None:
    device = Device()
    device.connect()
    device.hear(amperes(19, 26, 3, power_w=0))
    (cut,) = device.hear(power(3450))
    assert cut["headroom_a"] == [Decimal("-1.0"), Decimal("-8.0"), Decimal("5.0")]


def test_a_single_phase_bears_a_rise_alone() -> None:
    device = Device()
    device.connect()
    device.hear(amperes(19, None, None, power_w=4370))
    (cut,) = device.hear(power(4370 + 2300))
    assert cut["headroom_a"] == [Decimal("-6.0"), None, None]


def test_export_that_ends_is_a_rise_too() -> None:
    device = Device()
    device.connect()
    device.hear(replace(amperes(-10, -10, -10, power_w=0), power_export_w=6900))
    (cut,) = device.hear(Reading(power_import_w=0, power_export_w=6670))
    assert cut["headroom_a"] == [Decimal("12.0")] * 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"main_fuse_a": 0},
        {"margin_a": -1},
        {"main_fuse_a": 16, "margin_a": 16},
        {"failsafe_a": -1},
        {"main_fuse_a": 16, "failsafe_a": 20},
        {"net": "TNS"},
        {"phases": 2},
    ],
)
def test_a_house_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        SafetySettings(**wrong)


# -- a charger that obeys ---------------------------------------------------------------


class House:
    """A three-phase house and charger behind the meter; power every 2.5 s, currents every 10 s."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.consumer = ReferenceConsumer()
        self.drawn_a = 6.0
        self.heard = 0
        device.connect()

    def run(self, base_a: tuple[float, float, float], steps: int) -> list[float]:
        highest = []
        for step in range(steps):
            lines = [round(ampere + self.drawn_a, 1) for ampere in base_a]
            watts = round(sum(lines) * 230)
            self.device.hear(amperes(*lines, power_w=watts) if step % 4 == 0 else power(watts))
            for item in self.device.said[self.heard :]:
                self.consumer.receive(
                    item.message.payload,
                    self.device.now_s,
                    self.drawn_a,
                    retained=False,
                )
            self.heard = len(self.device.said)
            highest.append(max(lines))
            self.device.wait(2.5)
            target = min(32.0, self.consumer.allowed_a(self.device.now_s))
            self.drawn_a += max(-16.0, min(4.0, target - self.drawn_a))
        return highest


def test_a_charger_that_obeys_settles_below_the_fuse_and_stays() -> None:
    house = House(Device())
    house.run((2, 3, 4), 240)
    assert house.drawn_a == pytest.approx(19, abs=1)
    assert max(house.run((2, 3, 4), 400)) <= 25
    assert house.drawn_a == pytest.approx(19, abs=1)


def test_a_charger_that_obeys_makes_room_for_an_oven_within_one_list() -> None:
    house = House(Device())
    house.run((2, 3, 4), 240)
    lines = house.run((2, 3, 14), 40)
    assert all(line <= 25 for line in lines[8:])
    assert house.drawn_a >= 8
    after = house.run((2, 3, 4), 20)
    assert max(after) <= 25
    house.run((2, 3, 4), 300)
    assert house.drawn_a == pytest.approx(19, abs=1)


def test_a_consumer_ignores_what_is_retained_old_or_expired() -> None:
    device = Device()
    device.connect()
    device.hear(amperes(1, 1, 1))
    live = device.said[-1].message.payload
    consumer = ReferenceConsumer()
    consumer.receive(live, 0, 6, retained=True)
    assert consumer.allowed_a(0) == 6
    consumer.receive(live, 0, 6, retained=False)
    assert consumer.allowed_a(29.9) == 28
    assert consumer.allowed_a(30) == 6
    consumer.receive(live, 31, 6, retained=False)
    assert consumer.allowed_a(31) == 6
    consumer.receive(device.signal.will().payload, 32, 6, retained=True)
    assert consumer.allowed_a(32) == 6


WIRE_S = 20.0
"""How long octets may be under way: until the missing acknowledgement ends the connection
(10 s), and until the kernel has given up (10 s more)."""


def test_the_longest_way_of_a_permission_stays_below_a_minute() -> None:
    device, outbox, consumer = Device(), Outbox(first=TOPICS.headroom), ReferenceConsumer()
    device.connect()
    measured_s = device.now_s
    device.hear(amperes(1, 1, 1))
    signal = device.said[-1]
    outbox.offer(signal.message, until_s=signal.until_s)
    sent_s = signal.until_s
    assert len(outbox.take(sent_s)) == 1
    consumer.receive(signal.message.payload, sent_s + WIRE_S, 6, retained=False)
    assert consumer.allowed_a(measured_s + 60) == 6
    outbox.offer(signal.message, until_s=signal.until_s)
    outbox.done(signal.message)
    assert outbox.take(sent_s + 0.01) == []


class LateLinks(RuleBasedStateMachine):
    """Any order of lists, silence, loss, delay, death and restart, and one consumer."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1000.0
        self.boot = 0
        self.measured_s: dict[tuple[str, int], float] = {}
        self.consumer = ReferenceConsumer()
        self.wire: list[tuple[float, Message]] = []
        self.retained: bytes | None = None
        self.start()

    @rule()
    def start(self) -> None:
        """The daemon dies, says nothing, and starts again; the broker speaks its will."""
        self.boot += 1
        self.signal = HeadroomSignal(TOPICS, HOUSE, f"boot-{self.boot}")
        self.outbox = Outbox(first=TOPICS.headroom)
        self.online = False
        self.basis_s = -1000.0

    @rule()
    def connect(self) -> None:
        self.outbox.connected()
        self.online = True
        self.offer(self.signal.connected(self.now_s, MOMENT))

    @rule()
    def disconnect(self) -> None:
        self.online = False

    @rule(ampere=st.integers(0, 30))
    def list_with_currents(self, ampere: int) -> None:
        self.hear(amperes(ampere, 1, 1, power_w=1000))

    @rule(watts=st.integers(0, 9000))
    def list_with_power(self, watts: int) -> None:
        self.hear(power(watts))

    @rule(seconds=st.sampled_from([0.5, 2.5, 9.9]), times=st.integers(1, 3))
    def time_passes(self, seconds: float, times: int) -> None:
        for _ in range(times):
            self._pass(seconds)

    def _pass(self, seconds: float) -> None:
        self.now_s += seconds
        due_s = self.signal.deadline_s()
        if due_s is not None and self.now_s >= due_s:
            self.offer(self.signal.passed(self.now_s, MOMENT))
        self.wire = [item for item in self.wire if item[0] + WIRE_S >= self.now_s]

    @rule(most=st.integers(1, 5))
    def some_arrive(self, most: int) -> None:
        for _ in range(min(most, len(self.wire))):
            _, message = self.wire.pop(0)
            if message.retain:
                self.retained = message.payload
            self.consumer.receive(message.payload, self.now_s, 6, retained=False)

    @rule()
    def consumer_comes_back(self) -> None:
        if self.retained is not None:
            self.consumer.receive(self.retained, self.now_s, 6, retained=True)

    @invariant()
    def no_permission_is_older_than_a_minute(self) -> None:
        if self.consumer.obeys_a_permission(self.now_s):
            marks = (self.consumer._boot_id or "", self.consumer._seq)
            assert self.now_s - self.measured_s[marks] <= 60

    def hear(self, reading: Reading) -> None:
        if reading.current_l1_a is not None:
            self.basis_s = self.now_s
        stamp = replace(sample(reading).stamp, monotonic_s=self.now_s)
        self.offer(self.signal.received(Sample(reading, stamp)))

    def offer(self, signals: list[Signal]) -> None:
        for signal in signals:
            payload = json.loads(signal.message.payload)
            self.measured_s[payload["boot_id"], payload["seq"]] = self.basis_s
            self.outbox.offer(signal.message, until_s=signal.until_s)
        if self.online:
            for parcel in self.outbox.take(self.now_s):
                self.wire.append((self.now_s, parcel.message))
                self.outbox.done(parcel.message)


LateLinks.TestCase.settings = budget(max_examples=25, stateful_step_count=40, deadline=None)
TestLateLinks = LateLinks.TestCase
