"""What the uplink's tests share: a subscriber, a link that can be cut, samples."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Self

import aiomqtt

from sensed.backoff import Backoff
from sensed.han.reading import Reading
from sensed.uplink import BrokerSettings, LinkFact, Sample, Stamp, Timing, Uplink
from sensed.uplink.timing import Span
from tests.waiting import until

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)
QUICK = Timing(
    connect_deadline_s=1.0,
    acknowledge_deadline_s=0.4,
    stop_deadline_s=1.0,
    retry=Backoff(0.02, 0.1),
    retry_denied=Backoff(30.0, 60.0),
    retry_clock=Backoff(0.02, 0.1),
    introduce_after_s=0.3,
    copy_wait_s=0.1,
    birth_wait=Span(0.01, 0.05),
)
POWER_ONLY = Reading(power_import_w=1234)
WITH_CURRENTS = Reading(
    meter_id="7359992890941742",
    power_import_w=1234,
    power_export_w=0,
    current_l1_a=Decimal("2.3"),
    current_l3_a=Decimal("-0.5"),
    voltage_l1_v=Decimal("230.1"),
)


@dataclass(frozen=True, slots=True)
class Heard:
    topic: str
    payload: bytes
    retain: bool
    qos: int

    @property
    def json(self) -> Any:
        return json.loads(self.payload)


class Listener:
    """Every message that a subscriber of everything gets, in order."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []

    def on(self, name: str) -> list[Heard]:
        return [message for message in self.heard if message.topic.rsplit("/", 1)[-1] == name]

    async def wait_for(self, name: str, count: int = 1, *, within_s: float = 5.0) -> list[Heard]:
        await until(lambda: len(self.on(name)) >= count, within_s=within_s)
        return self.on(name)


@contextlib.asynccontextmanager
async def listening(port: int, topic: str = "#", **account: str) -> AsyncIterator[Listener]:
    listener = Listener()

    async def collect(client: aiomqtt.Client) -> None:
        with contextlib.suppress(aiomqtt.MqttError):
            async for message in client.messages:
                payload = message.payload
                assert isinstance(payload, bytes)
                listener.heard.append(
                    Heard(str(message.topic), payload, message.retain, message.qos)
                )

    with contextlib.suppress(aiomqtt.MqttError):  # some tests stop the broker meanwhile
        async with aiomqtt.Client("127.0.0.1", port, **account) as client:  # type: ignore[arg-type]  # the account's two keys
            await client.subscribe(topic, qos=1)
            task = asyncio.create_task(collect(client))
            try:
                yield listener
            finally:
                task.cancel()
                await asyncio.wait([task])


class Wire:
    """A TCP proxy to ``port`` that can stop carrying bytes, or cut every connection."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._carrying = asyncio.Event()
        self._carrying.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.connections = 0
        self._refusing = False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._server.wait_closed()

    def stall(self) -> None:
        self._carrying.clear()

    def carry_on(self) -> None:
        self._carrying.set()

    def refuse(self) -> None:
        """Cut every connection and take no new one."""
        self._refusing = True
        self.cut()

    def accept(self) -> None:
        self._refusing = False

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        if self._refusing:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            self._tasks.add(asyncio.create_task(self._pump(source, sink)))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                await self._carrying.wait()
                sink.write(data)
                await sink.drain()
        sink.close()


@contextlib.asynccontextmanager
async def up(
    settings: BrokerSettings, timing: Timing = QUICK, **more: Any
) -> AsyncIterator[Running]:
    facts: list[LinkFact] = []
    uplink = Uplink(settings, on_link=facts.append, timing=timing, **more)
    task = asyncio.create_task(uplink.run())
    running = Running(uplink, task, facts)
    try:
        yield running
    finally:
        await running.stop()


@dataclass(slots=True)
class Running:
    uplink: Uplink
    task: asyncio.Task[None]
    facts: list[LinkFact]
    seq: int = 0

    async def linked(self) -> None:
        await until(lambda: self.facts and self.facts[-1].holds)

    async def failed(self) -> LinkFact:
        await until(lambda: self.facts and self.facts[-1].holds is False)
        return self.facts[-1]

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])
        assert self.task.cancelled() or self.task.exception() is None

    def send(self, reading: Reading) -> None:
        self.seq += 1
        self.uplink.publish(sample(reading, seq=self.seq))


def sample(reading: Reading, *, seq: int = 1) -> Sample:
    return Sample(reading, Stamp(MOMENT, time.monotonic(), seq, "b00t"))


@dataclass(frozen=True, slots=True)
class Said:
    """A report of the state that tells its word, and the time of day as it is told."""

    state: str

    def payload(self, _now_s: float, now_utc: datetime) -> dict[str, object]:
        return {"state": self.state, "told": now_utc.isoformat()}


def settings(port: int, **changes: Any) -> BrokerSettings:
    return BrokerSettings(host="127.0.0.1", port=port, device_id="pi-1", **changes)
