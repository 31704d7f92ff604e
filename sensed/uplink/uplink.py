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
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, NoReturn

from sensed.uplink.alarm import Alarm
from sensed.uplink.client import Connection, connect
from sensed.uplink.custody import Custody, Passage
from sensed.uplink.delivery import Callbacks, Delivery
from sensed.uplink.dial import Dialer
from sensed.uplink.discovery import Introduction
from sensed.uplink.headroom import HeadroomSignal, Signal
from sensed.uplink.history import History, HistoryCounts
from sensed.uplink.link import Cause, Endpoint, LinkError, LinkFact, Retries
from sensed.uplink.outbox import Outbox
from sensed.uplink.payloads import (
    MeterIdentity,
    ReadingMessages,
    Sample,
    StateReport,
    history_payload,
    meter_message,
    removal,
    state_message,
)
from sensed.uplink.settings import (
    BrokerSettings,
    DiscoverySettings,
    HistorySettings,
    SafetySettings,
)
from sensed.uplink.timing import Timing
from sensed.uplink.tls import tls_context
from sensed.watchdog import GRACE_S

_USUAL: Final = Timing()
_A_LITTLE_S: Final = 0.01
_UNHEARD_TO_SAY_SO: Final = 2
"""So many connections in a row that end before the echo are no accident."""

_NO_SAFETY: Final = SafetySettings()
_MEMORY_ONLY: Final = HistorySettings()
_USUAL_DISCOVERY: Final = DiscoverySettings()


class Uplink:
    """Publishes samples, the headroom, the meter's identity and the state of one device.

    Nothing raises towards the caller: what the network does is told to ``on_link``, on
    each change, and what the disk does to ``on_trouble``. Readings that cannot be sent
    within ``live_age_s`` go to the history. Made inside a running loop.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        *,
        on_link: Callable[[LinkFact], None],
        on_trouble: Callable[[str], None] = lambda _sentence: None,
        safety: SafetySettings = _NO_SAFETY,
        history: HistorySettings = _MEMORY_ONLY,
        discovery: DiscoverySettings = _USUAL_DISCOVERY,
        boot_id: str | None = None,
        headroom_numbers: Iterator[int] | None = None,
        timing: Timing = _USUAL,
        rng: random.Random | None = None,
    ) -> None:
        """Prepare; nothing is sent before ``run``. ``boot_id`` is that of the samples.

        ``headroom_numbers`` goes on where another uplink of the same boot has left off.
        """
        self._settings = settings
        self._topics = settings.topics
        self._endpoint = Endpoint(settings.host, settings.port)
        self._on_link = on_link
        self._timing = timing
        self._rng = rng or random.Random()  # noqa: S311 - jitter keeps no secret
        self._readings = ReadingMessages(self._topics)
        self._headroom = HeadroomSignal(
            self._topics, safety, boot_id or uuid.uuid4().hex, headroom_numbers
        )
        self._introduction = Introduction(self._topics, discovery)
        self._outbox = Outbox(first=self._topics.headroom)
        self._history = History(history, on_ready=self._send, on_trouble=on_trouble)
        self._custody = Custody(lambda sample: self._history.add(history_payload(sample)))
        self._delivery: Delivery | None = None
        self._retries = Retries(timing.retry, timing.retry_denied, timing.retry_clock, self._rng)
        self._identity = MeterIdentity()
        self._state: StateReport | None = None
        self._first_sample_s: float | None = None
        self._introduced = -1
        self._echo = b""
        self._refused = ""
        self._waited_out = False
        self._new_address = asyncio.Event()
        self._unheard = 0
        self._retiring = False
        self._leaving = False
        self._step_ends_s = math.inf
        self._settle_alarm = Alarm(self._settle)
        self._state_alarm = Alarm(self._send_state)
        self._headroom_alarm = Alarm(self._time_passed)
        self._echo_alarm = Alarm(self._echo_missing)
        self._refused_alarm = Alarm(self._begin_again)
        self._introduce_alarm = Alarm(self._introduce)
        self._birth_alarm = Alarm(self._introduce_again)
        self._fact = LinkFact(holds=None, cause=None, detail="", since_monotonic_s=-math.inf)

    @property
    def history_counts(self) -> HistoryCounts:
        """How many readings wait for the broker, have followed late, and are lost."""
        return self._history.counts

    def publish(self, sample: Sample) -> None:
        """Send a list on the topics it feeds; the newest replaces what still waits."""
        now_s = _now_s()
        live_until_s = sample.stamp.monotonic_s + self._timing.live_age_s
        messages = self._readings.messages(sample)
        passage = Passage(sample, len(messages))
        self._custody.add(passage)
        if self._leaving:
            return  # it goes to the history, for the next broker
        for message in messages:
            until_s = math.inf if message.retain else live_until_s
            self._outbox.offer(message, until_s=until_s, passage=passage)
        self._signal(self._headroom.received(sample))
        self._settle()
        if self._first_sample_s is None:
            self._first_sample_s = now_s
        elif self._introduced >= 0 and self._readings.revision != self._introduced:
            self._introduce()
        self._send()

    def set_state(self, report: StateReport) -> None:
        """Send the state on change, and again every ``state_interval_s``."""
        if report != self._state:
            self._state = report
            self._send_state()

    def set_meter(self, identity: MeterIdentity) -> None:
        """Send who the meter is, on change."""
        if identity != self._identity and not self._leaving:
            self._identity = identity
            self._outbox.offer(meter_message(self._topics, identity))
            if self._introduced >= 0:
                self._introduce()
            self._send()

    def address_gained(self) -> None:
        """Note that this device has an address it had not: try again at once."""
        self._new_address.set()

    def stuck(self, now_s: float) -> bool:
        """Tell whether a step, or an acknowledgement's deadline, should long be over."""
        if self._delivery is not None:
            return self._delivery.overdue_s(now_s) > GRACE_S
        return now_s - self._step_ends_s > GRACE_S

    def retire(self) -> None:
        """Make the next stop clear everything retained: the device leaves this broker."""
        self._retiring = True

    async def run(self) -> None:
        """Keep connected until cancelled; then say ``stopping`` within ``stop_deadline_s``."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._history.run(), name="history")
                await self._keep_connected()
        finally:
            self._settle_alarm.cancel()
            self._custody.settle(born_before_s=math.inf)
            await self._history.flush(deadline_s=self._timing.flush_deadline_s)

    async def _keep_connected(self) -> NoReturn:
        dialer: Dialer | None = None
        while True:
            try:
                if dialer is None:
                    dialer = Dialer(self._endpoint, await self._tls_context())
                await self._use_one_connection(dialer)
            except LinkError as error:
                self._tell(holds=False, cause=error.cause, detail=str(error))
                self._settle()
                wait_s = self._retries.wait_s(error.cause)
                if self._waited_out:
                    self._waited_out, wait_s = False, 0.0
                if error.cause is Cause.TLS:
                    dialer = None  # a certificate may have been renewed
                self._step_ends_s = _now_s() + wait_s
                await self._pause(error.cause, wait_s)

    async def _pause(self, cause: Cause, wait_s: float) -> None:
        if cause is Cause.NOT_AUTHORISED:
            await asyncio.sleep(wait_s)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._new_address.wait()
            self._retries.reset()
        self._new_address.clear()

    async def _tls_context(self) -> ssl.SSLContext | None:
        if not self._settings.tls:
            return None
        return await asyncio.to_thread(tls_context, self._settings)

    async def _use_one_connection(self, dialer: Dialer) -> NoReturn:
        delivery = Delivery(
            self._outbox,
            self._history,
            self._topics.history,
            self._endpoint,
            patience_s=self._timing.acknowledge_deadline_s,
            callbacks=Callbacks(self._custody.settle, self._received, self._not_permitted),
        )
        self._step_ends_s = _now_s() + self._timing.connect_deadline_s
        connection = await connect(
            self._settings,
            dialer,
            self._headroom.will(),
            delivery,
            deadline_s=self._timing.connect_deadline_s,
        )
        since_s = _now_s()
        try:
            self._begin(connection, delivery)
            raise self._why(await asyncio.shield(connection.lost))
        except asyncio.CancelledError:
            await self._say_goodbye(connection, delivery)
            raise
        finally:
            self._delivery = None
            self._step_ends_s = math.inf
            for alarm in (self._state_alarm, self._echo_alarm, self._birth_alarm):
                alarm.cancel()
            self._refused_alarm.cancel()
            self._headroom_alarm.cancel()
            self._introduce_alarm.cancel()
            delivery.end()
            connection.drop(LinkError(Cause.LOST, self._endpoint))
            if self._fact.holds and _now_s() - since_s >= self._timing.proven_after_s:
                self._retries.reset()

    def _begin(self, connection: Connection, delivery: Delivery) -> None:
        """Let the retained fail-safe be the first word; its echo proves that all is well."""
        self._delivery = delivery
        self._new_address.clear()
        self._refused = ""
        own = (self._topics.headroom, self._introduction.topic, self._introduction.birth_topic)
        for topic in own:
            if topic is not None:
                connection.subscribe(topic)
        signals = self._headroom.connected(_now_s(), _utc_now())
        self._echo = signals[0].message.payload
        self._signal(signals)
        self._offer_state()
        delivery.begin(connection)
        delivery.send()
        now_s = _now_s()
        self._echo_alarm.set(now_s + self._timing.echo_deadline_s)
        self._introduce_alarm.set(now_s + self._timing.copy_wait_s)
        self._repeat_state_later()

    async def _say_goodbye(self, connection: Connection, delivery: Delivery) -> None:
        self._signal(self._headroom.stopping(_now_s(), _utc_now()))
        self._leaving = self._retiring  # what is said now would outlast what clears it
        delivery.send()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timing.stop_deadline_s):
                settled = await delivery.settle(self._topics.headroom)
                if settled and self._retiring:
                    settled = await self._clear(delivery)
                if settled:
                    await connection.close()

    async def _clear(self, delivery: Delivery) -> bool:
        messages = [*self._introduction.removal(), *removal(self._topics)]
        for message in messages:
            self._outbox.offer(message)
        delivery.send()
        return all([await delivery.settle(message.topic) for message in messages])

    def _why(self, lost: LinkError) -> LinkError:
        """Return the true cause: some brokers hang up on what their access list forbids."""
        if self._refused:
            return LinkError(Cause.NOT_PERMITTED, self._endpoint, self._refused)
        if self._echo_alarm.pending and lost.cause is Cause.LOST:
            self._unheard += 1
            if self._unheard >= _UNHEARD_TO_SAY_SO:
                return LinkError(Cause.NOT_PERMITTED, self._endpoint, self._topics.headroom)
        return lost

    def _received(self, topic: str, payload: bytes) -> None:
        if topic == self._topics.headroom:
            if payload == self._echo:
                self._echo_came()
        elif topic == self._introduction.topic:
            self._introduction.found(payload)
        elif topic == self._introduction.birth_topic and payload == b"online":
            wait = self._timing.birth_wait
            self._birth_alarm.set(_now_s() + self._rng.uniform(wait.shortest_s, wait.longest_s))

    def _echo_came(self) -> None:
        self._echo_alarm.cancel()
        self._unheard = 0
        if self._refused == self._topics.headroom:  # it was only late
            self._refused = ""
            self._refused_alarm.cancel()
        if self._delivery is not None:
            # Every later word of ours would come back as well, and want acknowledging.
            self._delivery.leave(self._topics.headroom)
        if self._delivery is not None and not self._refused:
            self._tell(holds=True, cause=None, detail="")
            self._delivery.open_history()

    def _echo_missing(self) -> None:
        if not self._refused:
            self._not_permitted(self._topics.headroom)

    def _not_permitted(self, what: str) -> None:
        self._refused = what
        if not self._refused_alarm.pending:
            self._refused_alarm.set(_now_s() + self._retries.patience_s())
        error = LinkError(Cause.NOT_PERMITTED, self._endpoint, what)
        self._tell(holds=False, cause=error.cause, detail=str(error))

    def _begin_again(self) -> None:
        """Look whether the access list has been mended: some brokers ask it once a connection."""
        if self._delivery is not None:
            self._waited_out = True
            self._delivery.give_up(LinkError(Cause.NOT_PERMITTED, self._endpoint, self._refused))

    def _signal(self, signals: Iterable[Signal]) -> None:
        for message, until_s in ((signal.message, signal.until_s) for signal in signals):
            self._outbox.offer(message, until_s=until_s)
        if self._delivery is not None:
            self._headroom_alarm.set(self._headroom.deadline_s())

    def _time_passed(self) -> None:
        self._signal(self._headroom.passed(_now_s(), _utc_now()))
        self._send()

    def _settle(self) -> None:
        """Hand to the history what cannot arrive live any more, whether or not more comes."""
        patience_s = self._timing.live_age_s
        if self._delivery is not None:
            patience_s += self._timing.acknowledge_deadline_s + 1
        self._custody.settle(born_before_s=_now_s() - patience_s)
        oldest_s = self._custody.oldest_s
        self._settle_alarm.set(None if oldest_s is None else oldest_s + patience_s + _A_LITTLE_S)

    def _introduce(self) -> None:
        first_s = self._first_sample_s
        if self._delivery is None or first_s is None:
            if self._delivery is not None:
                self._introduce_alarm.set(_now_s() + self._timing.copy_wait_s)
            return
        due_s = first_s + self._timing.introduce_after_s
        if self._introduced < 0 and _now_s() < due_s:
            self._introduce_alarm.set(due_s)
            return
        self._introduced = self._readings.revision
        self._offer_introduction()

    def _introduce_again(self) -> None:
        for topic in (self._topics.power, self._topics.phases):
            self._outbox.again(topic)
        self._offer_introduction(again=True)

    def _offer_introduction(self, *, again: bool = False) -> None:
        if self._leaving:
            return
        messages = self._introduction.messages(self._identity, self._readings.shown, again=again)
        for message in messages:
            self._outbox.offer(message)
            self._send()

    def _send(self) -> None:
        if self._delivery is not None:
            self._delivery.send()

    def _send_state(self) -> None:
        self._offer_state()
        self._send()
        if self._delivery is not None:
            self._repeat_state_later()

    def _offer_state(self) -> None:
        """Let the state be told as of now: the wall clock may have been set since last time."""
        if self._state is not None and not self._leaving:
            self._outbox.offer(state_message(self._topics, self._state, _now_s(), _utc_now()))

    def _repeat_state_later(self) -> None:
        self._state_alarm.set(_now_s() + self._timing.state_interval_s)

    def _tell(self, *, holds: bool, cause: Cause | None, detail: str) -> None:
        fact = self._fact
        if (fact.holds, fact.cause, fact.detail) == (holds, cause, detail):
            return
        since_s = fact.since_monotonic_s if fact.holds is holds else _now_s()
        self._fact = LinkFact(holds, cause, detail, since_s)
        self._on_link(self._fact)


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _utc_now() -> datetime:
    return datetime.now(UTC)
