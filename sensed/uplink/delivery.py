"""Sends an outbox and the history over one connection and watches the acknowledgements."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from sensed.uplink.client import Connection
from sensed.uplink.history import History
from sensed.uplink.link import Cause, Endpoint, LinkError
from sensed.uplink.outbox import Outbox, Parcel
from sensed.uplink.payloads import Message

_HISTORY_WINDOW: Final = 64
_LIVE_SHARE: Final = 8
"""How many unacknowledged messages are left to live topics where a broker limits them."""


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What a delivery tells its owner."""

    proven: Callable[[], None]
    received: Callable[[str, bytes], None]
    refused: Callable[[str], None]


class _Sent(NamedTuple):
    """One message on the wire: its place in the order, and what it is a part of."""

    order: int
    parcel: Parcel | None  # None: the history's


class Delivery:
    """An outbox on its way over one connection, and the history in what room it leaves.

    A message not acknowledged (QoS 0: not even written) within ``patience_s`` ends the
    connection: it is half-open, or the broker hangs.
    """

    def __init__(
        self,
        outbox: Outbox,
        history: History,
        history_topic: str,
        endpoint: Endpoint,
        *,
        patience_s: float,
        callbacks: Callbacks,
    ) -> None:
        """Send nothing before ``begin``, and nothing of the history before ``open_history``."""
        self._outbox = outbox
        self._history = history
        self._history_topic = history_topic
        self._endpoint = endpoint
        self._patience_s = patience_s
        self._tell = callbacks
        self._connection: Connection | None = None
        self._history_room = 0
        self._order = 0
        self._under_way: dict[int, _Sent] = {}
        self._unproven: deque[_Sent] = deque()
        self._changed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, connection: Connection) -> None:
        """Use ``connection`` from now on."""
        self._connection = connection
        self._outbox.connected()
        connection.lost.add_done_callback(lambda _: self._changed.set())

    def leave(self, topic: str) -> None:
        """Subscribe to ``topic`` no more."""
        if self._connection is not None and not self._connection.lost.done():
            self._connection.unsubscribe(topic)
            self._connection.flush()

    def open_history(self) -> None:
        """Let the history flow as well."""
        if self._connection is not None and not self._history_room:
            granted = self._connection.most_unacknowledged - _LIVE_SHARE
            self._history_room = max(1, min(_HISTORY_WINDOW, granted))
            self._history.connected()

    def send(self) -> None:
        """Write what may be sent now to the socket, at once; live messages go first."""
        connection = self._connection
        if connection is None or connection.lost.done():
            return
        for parcel in self._outbox.take(asyncio.get_running_loop().time()):
            self._put(connection, parcel.message, parcel)
        self._put_history(connection)
        connection.flush()
        self._watch()

    def delivered(self, message_id: int, *, refused: bool) -> None:
        """Note that a message was acknowledged (QoS 1) or written (QoS 0)."""
        sent = self._under_way.pop(message_id, None)
        if self._connection is None or sent is None:
            return
        if refused:
            self._refused(sent)
            return
        parcel = sent.parcel
        if parcel is None or parcel.message.qos > 0:
            self._prove(sent.order)
        if parcel is None:
            self._history.arrived()
            if self._put_history(self._connection):
                self._connection.flush()
        else:
            self._outbox.done(parcel.message)
            self._changed.set()
            self.send()

    def received(self, topic: str, payload: bytes) -> None:
        """Hand on what comes on a topic subscribed to."""
        if self._connection is not None:
            self._tell.received(topic, payload)

    def subscription_refused(self) -> None:
        """Tell that the broker does not grant a subscription."""
        if self._connection is not None:
            self._tell.refused("subscription")

    def overdue_s(self, now_s: float) -> float:
        """Return for how long the connection should have been ended, 0 when all is well."""
        oldest_s = self._outbox.oldest_under_way_s()
        if oldest_s is None:
            return 0.0
        return max(0.0, now_s - oldest_s - self._patience_s)

    async def settle(self, topic: str) -> bool:
        """Wait until the newest message of ``topic`` has arrived; false when the link is lost."""
        while not self._outbox.settled(topic):
            if self._connection is None or self._connection.lost.done():
                return False
            self._changed.clear()
            await self._changed.wait()
        return True

    def give_up(self, why: LinkError) -> None:
        """End the connection without a word."""
        if self._connection is not None:
            self._connection.drop(why)

    def end(self) -> None:
        """Use the connection no more; what is not proven to have arrived counts as lost."""
        self._connection = None
        self._under_way.clear()
        for sent in self._unproven:
            if sent.parcel is not None:
                self._outbox.lost(sent.parcel)
        self._unproven.clear()
        self._history.disconnected()
        self._unwatch()

    def _put_history(self, connection: Connection) -> bool:
        room = self._history_room - self._history.under_way
        if room <= self._history_room // 2 or connection.lost.done():
            return False
        entries = self._history.take(room)
        for entry in entries:
            message = Message(self._history_topic, entry.payload, qos=1, retain=False)
            self._put(connection, message, None)
        return bool(entries)

    def _put(self, connection: Connection, message: Message, parcel: Parcel | None) -> None:
        self._order += 1
        sent = _Sent(self._order, parcel)
        self._under_way[connection.put(message)] = sent
        if parcel is not None:
            self._unproven.append(sent)

    def _prove(self, order: int) -> None:
        if not self._unproven or self._unproven[0].order > order:
            return
        while self._unproven and self._unproven[0].order <= order:
            parcel = self._unproven.popleft().parcel
            if parcel is not None and parcel.passage is not None:
                parcel.passage.arrived()
        self._tell.proven()

    def _refused(self, sent: _Sent) -> None:
        if sent.parcel is None:
            self._close_history()
            self._tell.refused(self._history_topic)
        else:
            self._outbox.done(sent.parcel.message)
            self._changed.set()
            self._tell.refused(sent.parcel.message.topic)

    def _close_history(self) -> None:
        """Let what is refused stay queued, for a better connection."""
        self._history_room = 0
        self._under_way = {
            message_id: sent
            for message_id, sent in self._under_way.items()
            if sent.parcel is not None
        }
        self._history.disconnected()

    def _watch(self) -> None:
        oldest_s = self._outbox.oldest_under_way_s()
        if oldest_s is None:
            self._unwatch()
        elif self._timer is None:
            due_s = oldest_s + self._patience_s
            self._timer = asyncio.get_running_loop().call_at(due_s, self._judge)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _judge(self) -> None:
        self._timer = None
        oldest_s = self._outbox.oldest_under_way_s()
        now_s = asyncio.get_running_loop().time()
        if self._connection is None or oldest_s is None:
            return
        if now_s >= oldest_s + self._patience_s:
            self._connection.drop(LinkError(Cause.NO_ACKNOWLEDGEMENT, self._endpoint))
        else:
            self._watch()
