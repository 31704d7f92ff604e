"""Sends an outbox over one connection and watches that the broker keeps acknowledging."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sensed.uplink.client import Connection
from sensed.uplink.link import Cause, Endpoint, LinkError
from sensed.uplink.outbox import Outbox


class Delivery:
    """An outbox on its way over one connection.

    A message not acknowledged (QoS 0: not even written) within ``patience_s`` ends the
    connection: it is half-open, or the broker hangs.
    """

    def __init__(
        self,
        outbox: Outbox,
        endpoint: Endpoint,
        *,
        patience_s: float,
        on_acknowledged: Callable[[], None],
    ) -> None:
        """Report each acknowledgement of a QoS 1 message to ``on_acknowledged``."""
        self._outbox = outbox
        self._endpoint = endpoint
        self._patience_s = patience_s
        self._on_acknowledged = on_acknowledged
        self._connection: Connection | None = None
        self._under_way: dict[int, tuple[str, int]] = {}
        self._changed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, connection: Connection) -> None:
        """Use ``connection`` from now on."""
        self._connection = connection
        self._outbox.connected()
        connection.lost.add_done_callback(lambda _: self._changed.set())
        self.send()

    def send(self) -> None:
        """Write what may be sent now to the socket, at once."""
        connection = self._connection
        if connection is None or connection.lost.done():
            return
        for message in self._outbox.take(asyncio.get_running_loop().time()):
            self._under_way[connection.put(message)] = (message.topic, message.qos)
        connection.flush()
        self._watch()

    def delivered(self, message_id: int) -> None:
        """Note that a message was acknowledged (QoS 1) or written (QoS 0)."""
        if self._connection is None or message_id not in self._under_way:
            return
        topic, qos = self._under_way.pop(message_id)
        self._outbox.done(topic)
        self._changed.set()
        if qos > 0:
            self._on_acknowledged()
        self.send()

    async def settle(self, topic: str) -> bool:
        """Wait until the newest message of ``topic`` has arrived; false when the link is lost."""
        while not self._outbox.settled(topic):
            if self._connection is None or self._connection.lost.done():
                return False
            self._changed.clear()
            await self._changed.wait()
        return True

    def end(self) -> None:
        """Use the connection no more; what was under way counts as lost."""
        self._connection = None
        self._under_way.clear()
        self._unwatch()

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
