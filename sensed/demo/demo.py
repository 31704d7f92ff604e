"""Composes the demonstration: meter on a pty, daemon, broker, and a subscriber that shows."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable
from typing import Final, TextIO

from sensed.config import (
    Config,
    DeviceSection,
    HistorySection,
    HomeAssistantSection,
    MeterSection,
    MqttSection,
)
from sensed.daemon import Daemon
from sensed.demo.broker import Broker
from sensed.demo.lines import line_of
from sensed.demo.subscriber import messages
from sensed.leds.terminal import TerminalDriver
from sensed.secret import Secret
from sensed.simulator import Keys, MeterModel, Telegram
from sensed.simulator.play import PtySink, play

_DEVICE_ID: Final = "demo"
_PATIENCE_S: Final = 0.2


async def run_demo(
    model: MeterModel,
    telegrams: Iterable[Telegram],
    *,
    speed: float,
    stream: TextIO,
) -> None:
    """Run until SIGINT or SIGTERM, or until the telegrams end. Raises SensedError."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    terminal = TerminalDriver(stream, on_gone=stop.set)
    async with Broker() as broker:
        sink = PtySink()
        try:
            daemon = Daemon(
                Config(
                    device=DeviceSection(id=_DEVICE_ID),
                    meter=_meter_section(sink.device, model),
                    mqtt=MqttSection(host=broker.host, port=broker.port),
                    history=HistorySection(file=None),
                    home_assistant=HomeAssistantSection(prefix=None),
                ),
                make_driver=lambda _config: terminal,
                on_words=terminal.caption,
                standalone=True,
            )
            terminal.print_above(f"A simulated {model.description}. Ctrl-C ends it.")
            listening = asyncio.Event()

            async def meter() -> None:
                await listening.wait()
                await play(telegrams, sink, octets_per_s=model.octets_per_s, speed=speed)

            async with asyncio.TaskGroup() as group:
                helpers = (
                    group.create_task(_show(broker, terminal, listening)),
                    group.create_task(meter()),
                )
                await daemon.run(stop)
                await _end(helpers)
        finally:
            await sink.close()


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel until it has worked: aiomqtt swallows a cancellation that comes while it connects."""
    under_way = set(tasks)
    while under_way:
        for task in under_way:
            task.cancel()
        _, under_way = await asyncio.wait(under_way, timeout=_PATIENCE_S)


def _meter_section(device: str, model: MeterModel) -> MeterSection:
    keys = Keys()
    return MeterSection(
        port=device,
        serial=model.serial,
        key=Secret(keys.encryption.hex()) if model.encrypted else None,
        auth_key=Secret(keys.authentication.hex()) if model.encrypted else None,
    )


async def _show(broker: Broker, terminal: TerminalDriver, listening: asyncio.Event) -> None:
    """Show what comes back; the daemon's first word says that it reads its port by now."""
    async for topic, payload in messages(broker.host, broker.port, f"sensed/{_DEVICE_ID}/#"):
        listening.set()
        line = line_of(topic.rpartition("/")[2], payload)
        if line:
            terminal.print_above(line)
