"""What waits to be sent: one slot per topic, the newest message only. Sans-IO.

Bounded by construction: a topic has at most one message waiting and one under way, so
nothing piles up in the MQTT library or the kernel however long the broker stalls.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sensed.uplink.payloads import Message


@dataclass(slots=True)
class _Slot:
    newest: Message | None = None
    fresh_until_s: float = math.inf
    waiting: bool = False
    under_way_since_s: float | None = None


class Outbox:
    """Slots, sent in the order in which their topics were first offered, ``first`` first.

    Times are seconds on one monotonic clock. Retained messages are truths that a broker
    may have lost: they are sent again on each connection. Others die with age.
    """

    def __init__(self, *, first: str) -> None:
        self._slots: dict[str, _Slot] = {first: _Slot()}

    def offer(self, message: Message, *, until_s: float = math.inf) -> None:
        """Let ``message`` replace whatever waits on its topic; after ``until_s`` it is stale."""
        slot = self._slots.setdefault(message.topic, _Slot())
        slot.newest = message
        slot.fresh_until_s = until_s
        slot.waiting = True

    def connected(self) -> None:
        """Note a new connection: nothing is under way, every retained message waits again."""
        for slot in self._slots.values():
            lost = slot.under_way_since_s is not None
            slot.under_way_since_s = None
            if slot.newest is not None and (lost or slot.newest.retain):
                slot.waiting = True

    def take(self, now_s: float) -> list[Message]:
        """Return the messages that may be sent now; each is under way until ``done``."""
        messages = []
        for slot in self._slots.values():
            if not slot.waiting or slot.newest is None or slot.under_way_since_s is not None:
                continue
            slot.waiting = False
            if now_s <= slot.fresh_until_s:
                slot.under_way_since_s = now_s
                messages.append(slot.newest)
        return messages

    def done(self, topic: str) -> None:
        """Note that the broker has the topic's message (QoS 1) or the socket has it (QoS 0)."""
        self._slots[topic].under_way_since_s = None

    def settled(self, topic: str) -> bool:
        """Return whether the topic's newest message has arrived."""
        slot = self._slots[topic]
        return not slot.waiting and slot.under_way_since_s is None

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
