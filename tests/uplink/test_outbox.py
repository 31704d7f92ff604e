from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sensed.uplink.outbox import Outbox
from sensed.uplink.payloads import Message


def message(topic: str, number: int = 0, *, retain: bool = False) -> Message:
    return Message(topic, str(number).encode(), qos=1, retain=retain)


def test_the_newest_waits_and_one_is_under_way() -> None:
    outbox = Outbox(first="h")
    outbox.offer(message("a", 1))
    assert outbox.take(0) == [message("a", 1)]
    for number in range(2, 100):
        outbox.offer(message("a", number))
        assert outbox.take(0) == []
    outbox.done("a")
    assert outbox.take(0) == [message("a", 99)]


def test_the_first_topic_goes_first_however_late_it_is_offered() -> None:
    outbox = Outbox(first="h")
    outbox.offer(message("a"))
    outbox.offer(message("h"))
    assert [item.topic for item in outbox.take(0)] == ["h", "a"]


def test_a_stale_message_is_dropped() -> None:
    outbox = Outbox(first="h")
    outbox.offer(message("a"), until_s=10)
    assert outbox.take(10.1) == []
    assert outbox.settled("a")


def test_a_new_connection_repeats_the_retained_and_the_lost_but_not_the_arrived() -> None:
    outbox = Outbox(first="h")
    outbox.offer(message("arrived"))
    outbox.offer(message("lost"))
    outbox.offer(message("kept", retain=True))
    outbox.take(0)
    outbox.done("arrived")
    outbox.done("kept")
    outbox.connected()
    assert [item.topic for item in outbox.take(0)] == ["lost", "kept"]


def test_the_oldest_under_way_is_known() -> None:
    outbox = Outbox(first="h")
    assert outbox.oldest_under_way_s() is None
    outbox.offer(message("a"))
    outbox.take(1)
    outbox.offer(message("b"))
    outbox.take(2)
    assert outbox.oldest_under_way_s() == 1
    outbox.done("a")
    assert outbox.oldest_under_way_s() == 2


TOPIC_NAMES = ["a", "b", "c"]


class OutboxModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox(first="a")
        self.newest: dict[str, int] = {}
        self.under_way: dict[str, int] = {}
        self.arrived: dict[str, int] = {}
        self.count = 0

    @rule(topic=st.sampled_from(TOPIC_NAMES))
    def offer(self, topic: str) -> None:
        self.count += 1
        self.newest[topic] = self.count
        self.outbox.offer(message(topic, self.count))

    @rule()
    def take(self) -> None:
        for item in self.outbox.take(0):
            assert item.topic not in self.under_way
            assert int(item.payload) == self.newest[item.topic]
            self.under_way[item.topic] = int(item.payload)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        topic = data.draw(st.sampled_from(sorted(self.under_way)))
        self.arrived[topic] = self.under_way.pop(topic)
        self.outbox.done(topic)

    @rule()
    def reconnect(self) -> None:
        self.under_way.clear()
        self.outbox.connected()

    @invariant()
    def what_has_arrived_is_settled_and_nothing_else_is(self) -> None:
        for topic, newest in self.newest.items():
            assert self.outbox.settled(topic) == (self.arrived.get(topic) == newest)


OutboxModel.TestCase.settings = settings(max_examples=40, stateful_step_count=30)
TestOutboxModel = OutboxModel.TestCase
