from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sensed.uplink.custody import Custody, Passage
from sensed.uplink.outbox import Outbox, Parcel
from sensed.uplink.payloads import Message, Sample
from tests.uplink.tools import POWER_ONLY, sample


def message(topic: str, number: int = 0, *, retain: bool = False) -> Message:
    return Message(topic, str(number).encode(), qos=1, retain=retain)


def taken(outbox: Outbox, now_s: float = 0) -> list[Message]:
    return [parcel.message for parcel in outbox.take(now_s)]


def topics(outbox: Outbox) -> list[str]:
    return [item.topic for item in taken(outbox)]


def test_the_newest_waits_and_one_is_under_way() -> None:
    outbox = Outbox(first="h")
    outbox.offer(message("a", 1))
    assert taken(outbox) == [message("a", 1)]
    for number in range(2, 100):
        outbox.offer(message("a", number))
        assert taken(outbox) == []
    outbox.done(message("a"))
    assert taken(outbox) == [message("a", 99)]


def test_the_first_topic_goes_first_however_late_it_is_offered() -> None:
    outbox = Outbox(first="h")
    outbox.offer(message("a"))
    outbox.offer(message("h"))
    assert topics(outbox) == ["h", "a"]


def test_a_stale_message_is_dropped() -> None:
    outbox = Outbox(first="h")
    outbox.offer(message("a"), until_s=10)
    assert taken(outbox, 10.1) == []
    assert outbox.settled("a")


def test_a_new_connection_repeats_the_retained_and_the_lost_but_not_the_arrived() -> None:
    outbox = Outbox(first="h")
    for item in (message("arrived"), message("lost"), message("kept", retain=True)):
        outbox.offer(item)
    _, lost, _ = outbox.take(0)
    outbox.done(message("arrived"))
    outbox.done(message("kept", retain=True))
    outbox.lost(lost)
    outbox.connected()
    assert topics(outbox) == ["lost", "kept"]


def test_a_fail_safe_stops_the_permission_that_waits_and_the_reverse() -> None:
    outbox = Outbox(first="h")
    permission, failsafe = message("h", 1), message("h", 2, retain=True)
    outbox.offer(permission)
    outbox.offer(failsafe)
    assert taken(outbox) == [failsafe]
    outbox.offer(message("h", 3))
    assert taken(outbox) == [message("h", 3)]  # on the wire behind the fail-safe, as it must be
    outbox.offer(message("h", 4, retain=True))
    outbox.offer(message("h", 5))
    outbox.done(failsafe)
    outbox.done(permission)
    assert taken(outbox) == [message("h", 5)]


def test_a_fresh_message_can_be_said_again_but_no_stale_one() -> None:
    outbox = Outbox(first="h")
    outbox.offer(message("a", 1), until_s=10)
    for now_s, expected in ((1, [message("a", 1)]), (9, [message("a", 1)]), (11, [])):
        assert taken(outbox, now_s) == expected
        outbox.done(message("a"))
        outbox.again("a")
    outbox.again("never offered")


def test_the_oldest_under_way_is_known() -> None:
    outbox = Outbox(first="h")
    assert outbox.oldest_under_way_s() is None
    outbox.offer(message("a"))
    outbox.take(1)
    outbox.offer(message("b"))
    outbox.take(2)
    assert outbox.oldest_under_way_s() == 1
    outbox.done(message("a"))
    assert outbox.oldest_under_way_s() == 2


def test_too_old_and_too_many_lists_are_handed_on_in_order() -> None:
    handed: list[Sample] = []
    custody = Custody(handed.append, most=2)
    samples = [sample(POWER_ONLY, seq=seq) for seq in range(4)]
    for item in samples[:3]:
        custody.add(Passage(item, 1))
    assert handed == samples[:1]
    custody.settle(born_before_s=samples[1].stamp.monotonic_s + 60)
    assert handed == samples[:3]
    assert len(custody) == 0


TOPIC_NAMES = ["a", "b", "c"]


class LinkModel(RuleBasedStateMachine):
    """Lists over a link that acknowledges in order and may break at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox(first="a")
        self.handed: list[int] = []
        self.custody = Custody(lambda item: self.handed.append(item.stamp.seq))
        self.wire: list[Parcel] = []
        self.arrived: dict[int, set[str]] = {}
        self.parts: dict[int, set[str]] = {}
        self.broken = False

    @rule(names=st.sets(st.sampled_from(TOPIC_NAMES), min_size=1))
    def publish(self, names: set[str]) -> None:
        seq = len(self.parts) + 1
        self.parts[seq] = names
        passage = Passage(sample(POWER_ONLY, seq=seq), len(names))
        self.custody.add(passage)
        for name in sorted(names):
            self.outbox.offer(message(name, seq, retain=name == "c"), passage=passage)
        self.custody.settle()

    @rule()
    def write(self) -> None:
        parcels = self.outbox.take(0)
        assert len({parcel.message.topic for parcel in parcels}) == len(parcels)
        self.wire += parcels

    @rule()
    def acknowledge(self) -> None:
        if self.wire:
            parcel = self.wire.pop(0)
            seq = int(parcel.message.payload)
            self.arrived.setdefault(seq, set()).add(parcel.message.topic)
            self.outbox.done(parcel.message)
            if parcel.passage is not None:
                parcel.passage.arrived()
            self.custody.settle()

    @rule()
    def break_and_connect(self) -> None:
        for parcel in self.wire:
            self.outbox.lost(parcel)
        self.wire.clear()
        self.outbox.connected()
        self.custody.settle()

    @invariant()
    def what_is_handed_on_is_in_order_and_once(self) -> None:
        assert self.handed == sorted(set(self.handed))

    @invariant()
    def whatever_is_out_of_custody_has_arrived_or_was_handed_on(self) -> None:
        kept = {passage.sample.stamp.seq for passage in self.custody._passages}
        for seq in self.parts.keys() - kept - set(self.handed):
            assert self.arrived[seq] >= self.parts[seq]


LinkModel.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestLinkModel = LinkModel.TestCase
