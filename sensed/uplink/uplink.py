"""The uplink's shell: keeps a connection up for ever and the newest values flowing.

A message is written to the socket in the call that offers it whenever the broker is
connected and the topic's previous message has arrived.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn

from sensed.uplink.client import Connection, connect
from sensed.uplink.delivery import Delivery
from sensed.uplink.dial import Dialer
from sensed.uplink.failsafe import DEFAULT_FAILSAFE_A, HeadroomSignal
from sensed.uplink.link import Backoff, Cause, Endpoint, LinkError, LinkFact, Span
from sensed.uplink.outbox import Outbox
from sensed.uplink.payloads import (
    MeterIdentity,
    ReadingMessages,
    Sample,
    meter_message,
    state_message,
)
from sensed.uplink.settings import BrokerSettings
from sensed.watchdog import GRACE_S


@dataclass(frozen=True, slots=True)
class Timing:
    """Every deadline and interval of the uplink, in seconds."""

    connect_deadline_s: float = 10.0
    acknowledge_deadline_s: float = 10.0
    stop_deadline_s: float = 3.0
    state_interval_s: float = 60.0
    live_age_s: float = 10.0
    proven_after_s: float = 10.0
    retry: Span = field(default_factory=lambda: Span(1.0, 60.0))
    retry_denied: Span = field(default_factory=lambda: Span(60.0, 600.0))


_USUAL: Final = Timing()


class Uplink:
    """Publishes samples, the meter's identity and the state of one device.

    Nothing raises towards the caller: what the network does is told to ``on_link``, on
    each change. Readings that cannot be sent within ``live_age_s`` are not sent later.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        *,
        on_link: Callable[[LinkFact], None],
        failsafe_a: int = DEFAULT_FAILSAFE_A,
        timing: Timing = _USUAL,
        rng: random.Random | None = None,
    ) -> None:
        """Prepare; nothing is sent before ``run``. ``failsafe_a`` is in ampere."""
        self._settings = settings
        self._topics = settings.topics
        self._endpoint = Endpoint(settings.host, settings.port)
        self._on_link = on_link
        self._timing = timing
        self._readings = ReadingMessages(self._topics)
        self._headroom = HeadroomSignal(self._topics, failsafe_a)
        self._outbox = Outbox(first=self._topics.headroom)
        self._delivery: Delivery | None = None
        rng = rng or random.Random()  # noqa: S311 - jitter keeps no secret
        self._backoff = Backoff(timing.retry, timing.retry_denied, rng)
        self._identity: MeterIdentity | None = None
        self._state: Mapping[str, object] | None = None
        self._state_timer: asyncio.TimerHandle | None = None
        self._due_s = math.inf
        self._fact = LinkFact(holds=None, cause=None, detail="", since_monotonic_s=-math.inf)

    def publish(self, sample: Sample) -> None:
        """Send a list on the topics it feeds; the newest replaces what still waits."""
        live_until_s = sample.stamp.monotonic_s + self._timing.live_age_s
        for message in self._readings.messages(sample):
            self._outbox.offer(message, until_s=math.inf if message.retain else live_until_s)
        if self._delivery is not None:
            change = self._headroom.received(sample.reading)
            if change is not None:
                self._outbox.offer(change)
        self._send()

    def set_state(self, payload: Mapping[str, object]) -> None:
        """Send the state on change; the last one is repeated every ``state_interval_s``."""
        if payload != self._state:
            self._state = dict(payload)
            self._send_state()

    def set_meter(self, identity: MeterIdentity) -> None:
        """Send who the meter is, on change."""
        if identity != self._identity:
            self._identity = identity
            self._outbox.offer(meter_message(self._topics, identity))
            self._send()

    async def run(self) -> None:
        """Keep connected until cancelled; then say ``stopping`` within ``stop_deadline_s``."""
        dialer: Dialer | None = None
        while True:
            self._due_s = _now_s() + self._timing.connect_deadline_s
            try:
                if dialer is None:
                    dialer = Dialer(self._endpoint, await self._tls_context())
                await self._use_one_connection(dialer)
            except LinkError as error:
                self._tell(holds=False, cause=error.cause, detail=str(error))
                wait_s = self._backoff.wait_s(error.cause)
                self._due_s = _now_s() + wait_s
                await asyncio.sleep(wait_s)

    def stuck(self, now_s: float) -> bool:
        """Tell whether an attempt, a retry or the repeated state has been due for long."""
        return now_s - self._due_s > GRACE_S

    async def _tls_context(self) -> ssl.SSLContext | None:
        if not self._settings.tls:
            return None
        ca_file = self._settings.ca_file
        try:
            context = await asyncio.to_thread(ssl.create_default_context, cafile=ca_file)
        except OSError as error:
            detail = f"{ca_file}: {error.strerror or error}"
            raise LinkError(Cause.TLS, self._endpoint, detail) from error
        # Python 3.13 turns this on; it refuses the certificates most homes make themselves.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context

    async def _use_one_connection(self, dialer: Dialer) -> NoReturn:
        delivery = Delivery(
            self._outbox,
            self._endpoint,
            patience_s=self._timing.acknowledge_deadline_s,
            on_acknowledged=lambda: self._tell(holds=True, cause=None, detail=""),
        )
        connection = await connect(
            self._settings,
            dialer,
            self._headroom.will(),
            deadline_s=self._timing.connect_deadline_s,
            on_delivered=delivery.delivered,
        )
        since_s = _now_s()
        try:
            self._delivery = delivery
            self._outbox.offer(self._headroom.connected())
            delivery.begin(connection)
            self._repeat_state_later()
            raise await asyncio.shield(connection.lost)
        except asyncio.CancelledError:
            await self._say_goodbye(connection, delivery)
            raise
        finally:
            self._delivery = None
            self._cancel_state_timer()
            delivery.end()
            connection.drop(LinkError(Cause.LOST, self._endpoint))
            if self._fact.holds and _now_s() - since_s >= self._timing.proven_after_s:
                self._backoff.reset()

    async def _say_goodbye(self, connection: Connection, delivery: Delivery) -> None:
        self._outbox.offer(self._headroom.stopping())
        delivery.send()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timing.stop_deadline_s):
                if await delivery.settle(self._topics.headroom):
                    await connection.close()

    def _send(self) -> None:
        if self._delivery is not None:
            self._delivery.send()

    def _send_state(self) -> None:
        if self._state is not None:
            self._outbox.offer(state_message(self._topics, self._state))
            self._send()
        if self._delivery is not None:
            self._repeat_state_later()

    def _repeat_state_later(self) -> None:
        self._cancel_state_timer()
        self._state_timer = asyncio.get_running_loop().call_later(
            self._timing.state_interval_s, self._send_state
        )
        self._due_s = self._state_timer.when()

    def _cancel_state_timer(self) -> None:
        if self._state_timer is not None:
            self._state_timer.cancel()
            self._state_timer = None

    def _tell(self, *, holds: bool, cause: Cause | None, detail: str) -> None:
        fact = self._fact
        if (fact.holds, fact.cause, fact.detail) == (holds, cause, detail):
            return
        since_s = fact.since_monotonic_s if fact.holds is holds else _now_s()
        self._fact = LinkFact(holds, cause, detail, since_s)
        self._on_link(self._fact)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
