"""How long a charger that obeys keeps a permission after each failure, at true speed."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sensed.uplink import SafetySettings, Timing
from tests.mosquitto import Mosquitto
from tests.uplink.consumer import ReferenceConsumer
from tests.uplink.tools import (
    POWER_ONLY,
    WITH_CURRENTS,
    Listener,
    Running,
    Wire,
    listening,
    settings,
    up,
)
from tests.waiting import until

DEADLINE_S = 60.0
LIST_S = 2.5


@dataclass
class House:
    """A device, its broker, a charger, and the wires between them."""

    broker: Mosquitto
    device_wire: Wire
    charger_wire: Wire
    running: Running
    listener: Listener
    consumer: ReferenceConsumer = field(default_factory=ReferenceConsumer)
    silent: bool = False
    without_currents: bool = False
    taken: int = 0

    async def meter(self) -> None:
        number = 0
        while True:
            if not self.silent:
                currents = number % 4 == 0 and not self.without_currents
                self.running.send(WITH_CURRENTS if currents else POWER_ONLY)
            number += 1
            await asyncio.sleep(LIST_S)

    def permitted(self) -> bool:
        """Let the charger take what has come; whether it obeys a permission now."""
        now_s = asyncio.get_running_loop().time()
        for heard in self.listener.heard[self.taken :]:
            if heard.topic.endswith("/headroom"):
                self.consumer.receive(heard.payload, now_s, 6, retained=heard.retain)
        self.taken = len(self.listener.heard)
        return self.consumer.obeys_a_permission(now_s)

    async def never_again(self, *, for_s: float) -> None:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + for_s
        while loop.time() < end_s:
            assert not self.permitted()
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def house(directory: Path) -> AsyncIterator[House]:
    safety = SafetySettings(main_fuse_a=25, net="IT")
    with Mosquitto(directory) as broker:
        async with (
            Wire(broker.port) as device_wire,
            Wire(broker.port) as charger_wire,
            listening(charger_wire.port, "sensed/+/headroom") as listener,
            up(settings(device_wire.port), Timing(stop_deadline_s=0.2), safety=safety) as running,
        ):
            home = House(broker, device_wire, charger_wire, running, listener)
            meter = asyncio.create_task(home.meter())
            try:
                yield home
            finally:
                meter.cancel()
                await asyncio.wait([meter])


async def meter_falls_silent(home: House) -> None:
    home.silent = True


async def meter_sends_no_currents(home: House) -> None:
    home.without_currents = True


async def device_is_stopped(home: House) -> None:
    await home.running.stop()


async def device_vanishes(home: House) -> None:
    home.device_wire.refuse()


async def device_s_link_goes_dead(home: House) -> None:
    home.device_wire.stall()


async def broker_is_killed(home: House) -> None:
    home.broker.kill()


async def broker_hangs(home: House) -> None:
    home.broker.freeze()


async def charger_s_link_goes_dead(home: House) -> None:
    home.charger_wire.stall()


FAILURES: tuple[Callable[[House], Awaitable[None]], ...] = (
    meter_falls_silent,
    meter_sends_no_currents,
    device_is_stopped,
    device_vanishes,
    device_s_link_goes_dead,
    broker_is_killed,
    broker_hangs,
    charger_s_link_goes_dead,
)


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_each_failure_ends_a_permission_within_a_minute(tmp_path: Path) -> None:
    async def after(fails: Callable[[House], Awaitable[None]]) -> float:
        async with house(tmp_path / fails.__name__) as home:
            await until(home.permitted, within_s=30)
            await asyncio.sleep(1)
            loop = asyncio.get_running_loop()
            failed_s = loop.time()
            await fails(home)
            await until(lambda: not home.permitted(), within_s=90)
            took_s = loop.time() - failed_s
            await home.never_again(for_s=15)
            return took_s

    for fails in FAILURES:
        (tmp_path / fails.__name__).mkdir()
    took_s = await asyncio.gather(*(after(fails) for fails in FAILURES))
    figures = {fails.__name__: round(s, 1) for fails, s in zip(FAILURES, took_s, strict=True)}
    sys.stdout.write(f"{figures}\n")
    assert max(took_s) < DEADLINE_S, figures
    assert figures["device_is_stopped"] < LIST_S
