"""What waits to be sent: one slot per topic, the newest message only. Sans-IO.

Bounded by construction: a topic has at most one message waiting and one under way, so
nothing piles up in the MQTT library or the kernel however long the broker stalls.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from sensed.uplink.custody import Passage
from sensed.uplink.payloads import Message


class Parcel(NamedTuple):
    """A message with what it is a part of, if that must not get lost."""

    message: Message
    passage: Passage | None


@dataclass(slots=True)
class _Slot:
    newest: Parcel | None = None
    fresh_until_s: float = math.inf
    waiting: bool = False
    under_way_since_s: float | None = None

    def give_up(self) -> None:
        """Let what waits never be sent."""
        if self.waiting and self.newest is not None and self.newest.passage is not None:
            self.newest.passage.missed()
        self.waiting = False


class Outbox:
    """Slots, sent in the order in which their topics were first offered, ``first`` first.

    A topic that has retained and passing messages has a slot for each, the retained one
    first; whatever is offered last makes the other one stop waiting. Times are seconds on one
    monotonic clock. Retained messages are truths that a broker may have lost: they are
    sent again on each connection. Others die with age.
    """

    def __init__(self, *, first: str) -> None:
        self._slots: dict[tuple[str, bool], _Slot] = {
            (first, True): _Slot(),
            (first, False): _Slot(),
        }

    def offer(
        self, message: Message, *, until_s: float = math.inf, passage: Passage | None = None
    ) -> None:
        """Let ``message`` replace whatever waits on its topic; after ``until_s`` it is stale."""
        other = self._slots.get((message.topic, not message.retain))
        if other is not None:
            other.give_up()
        slot = self._slots.setdefault((message.topic, message.retain), _Slot())
        slot.give_up()
        slot.newest = Parcel(message, passage)
        slot.fresh_until_s = until_s
        slot.waiting = True

    def again(self, topic: str) -> None:
        """Send the topic's last passing message once more, if it is still fresh."""
        slot = self._slots.get((topic, False))
        if slot is not None and slot.newest is not None and not slot.waiting:
            slot.newest = Parcel(slot.newest.message, None)
            slot.waiting = True

    def connected(self) -> None:
        """Note a new connection: nothing is under way, every retained message waits again."""
        for (_, retain), slot in self._slots.items():
            slot.under_way_since_s = None
            if retain and slot.newest is not None and not slot.waiting:
                slot.newest = Parcel(slot.newest.message, None)
                slot.waiting = True

    def lost(self, parcel: Parcel) -> None:
        """Note that ``parcel`` may not have arrived: it waits again while it is the newest."""
        slot = self._slots[parcel.message.topic, parcel.message.retain]
        if slot.newest is parcel and not slot.waiting:
            slot.waiting = True
        elif parcel.passage is not None:
            parcel.passage.missed()

    def take(self, now_s: float) -> list[Parcel]:
        """Return what may be sent now; each is under way until ``done``."""
        self.expire(now_s)
        parcels = []
        for slot in self._slots.values():
            if not slot.waiting or slot.newest is None or slot.under_way_since_s is not None:
                continue
            slot.waiting = False
            slot.under_way_since_s = now_s
            parcels.append(slot.newest)
        return parcels

    def expire(self, now_s: float) -> None:
        """Give up what has become too old to be sent."""
        for slot in self._slots.values():
            if slot.waiting and now_s > slot.fresh_until_s:
                slot.give_up()

    def done(self, message: Message) -> None:
        """Note that the broker has ``message`` (QoS 1) or the socket has it (QoS 0)."""
        self._slots[message.topic, message.retain].under_way_since_s = None

    def settled(self, topic: str) -> bool:
        """Return whether the topic's newest message has arrived or died."""
        return all(
            not slot.waiting and slot.under_way_since_s is None
            for (name, _), slot in self._slots.items()
            if name == topic
        )

    def oldest_under_way_s(self) -> float | None:
        """Return when the message that is longest under way was taken."""
        return min(
            (
                slot.under_way_since_s
                for slot in self._slots.values()
                if slot.under_way_since_s is not None
            ),
            default=None,
        )
