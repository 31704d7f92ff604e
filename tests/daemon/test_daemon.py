"""The composition: what goes on, and what does not, when parts are made anew."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sensed.config import Config, DeviceSection, HistorySection, MeterSection, MqttSection
from sensed.daemon import Daemon
from sensed.daemon import daemon as composition
from sensed.errors import ConfigError
from sensed.leds.light import Driver
from sensed.simulator.play import PtySink
from tests.daemon.test_meter import wires
from tests.mosquitto import Mosquitto
from tests.uplink.tools import Listener, listening
from tests.waiting import until

NOWHERE = "socket://127.0.0.1:9"


class NoLight:
    def open(self) -> None:
        pass

    def set(self, red: bool, green: bool, blue: bool) -> None:  # noqa: FBT001 - see Driver
        pass

    def close(self) -> None:
        pass


def config_of(device: str = NOWHERE, **mqtt: Any) -> Config:
    return Config(
        device=DeviceSection(id="test"),
        meter=MeterSection(port=device, serial="2400 8N1"),
        mqtt=MqttSection(**mqtt),
        history=HistorySection(file=None),
    )


@contextlib.asynccontextmanager
async def running(
    config: Config, make_driver: Callable[[Config], Driver] = lambda _config: NoLight()
) -> AsyncIterator[tuple[Daemon, asyncio.Event]]:
    """Yield a daemon and what stops it; it must end by itself in time."""
    stop = asyncio.Event()
    daemon = Daemon(config, make_driver=make_driver, standalone=True)
    task = asyncio.create_task(daemon.run(stop))
    try:
        await until(lambda: parts_at_work() >= {"meter", "light"})
        yield daemon, stop
    finally:
        stop.set()
        await asyncio.wait_for(task, 8)


def parts_at_work() -> set[str]:
    return {task.get_name() for task in asyncio.all_tasks() if not task.done()}


@pytest.fixture
def pty(tmp_path: Path) -> Iterator[PtySink]:
    sink = PtySink(tmp_path / "mbus")
    yield sink
    sink.unplug()


async def heard_again(listener: Listener, pty: PtySink) -> None:
    """Send lists until one has come through: the port may not be open yet."""
    before = len(listener.on("phases"))
    (wire,) = wires("kamstrup-3ph", 1)
    for _ in range(20):
        await pty.write(wire)
        with contextlib.suppress(AssertionError):
            await listener.wait_for("phases", before + 1, within_s=0.5)
            return
    raise AssertionError("no list came through")


async def test_no_two_messages_of_a_boot_have_one_number_whatever_is_made_anew(
    mosquitto: Mosquitto, pty: PtySink
) -> None:
    config = config_of(pty.device, host="127.0.0.1", port=mosquitto.port)
    another_meter = replace(config, meter=replace(config.meter, ct_ratio=2))
    another_uplink = replace(another_meter, mqtt=replace(config.mqtt, client_id="another"))
    async with listening(mosquitto.port, "sensed/#") as listener:
        async with running(config) as (daemon, _):
            await heard_again(listener, pty)
            for changed in (another_meter, another_uplink):
                await daemon.apply(changed)
                await heard_again(listener, pty)
        await until(lambda: b"stopping" in listener.on("headroom")[-1].payload)
    for topic in ("phases", "headroom"):
        marks = [json.loads(message.payload) for message in listener.on(topic)]
        numbers = [mark["seq"] for mark in marks]
        assert len({mark["boot_id"] for mark in marks}) == 1
        assert len(numbers) >= 3
        assert numbers == sorted(set(numbers)), topic


async def test_what_ends_during_a_reload_starts_nothing_more() -> None:
    held, may_go_on = threading.Event(), threading.Event()
    made: list[Config] = []

    class Slow(NoLight):
        def open(self) -> None:
            held.set()
            may_go_on.wait(10)

    def slow(config: Config) -> Driver:
        made.append(config)
        return Slow()

    config = config_of()
    async with running(config, slow) as (daemon, stop):
        await until(held.is_set)
        dimmer = replace(config, light=replace(config.light, brightness=50))
        applying = asyncio.create_task(daemon.apply(dimmer))
        await asyncio.sleep(0.05)  # it waits for the light to end
        stop.set()
        await asyncio.sleep(0.05)
        may_go_on.set()
        await asyncio.wait_for(applying, 5)
    assert made == [config]


async def test_a_port_is_refused_before_anything_has_changed_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = config_of()
    changed = replace(config, meter=replace(config.meter, ct_ratio=2))
    async with running(config) as (daemon, _):
        answers: Iterator[str] = iter(("", "The port has just become another's."))

        def check(_port: str) -> None:
            if answer := next(answers, ""):
                raise ConfigError(answer)

        monkeypatch.setattr(composition, "check_port", check)
        await daemon.apply(changed)
        assert "meter" in parts_at_work()
        with pytest.raises(ConfigError):
            await daemon.apply(config)
        assert "meter" in parts_at_work()
        await daemon.apply(config)
        assert "meter" in parts_at_work()
