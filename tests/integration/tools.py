"""What the whole-daemon tests share: the daemon itself, the meter at its own pace, the light."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from gpiozero.pins.mock import MockFactory

from sensed.han.reading import Reading
from sensed.simulator import METERS, MeterSimulator, Telegram
from sensed.simulator.play import PtySink, play

PINS = (17, 27, 22)

OFF = (False, False, False)
RED = (True, False, False)
GREEN = (False, True, False)
BLUE = (False, False, True)
YELLOW = (True, True, False)
MAGENTA = (True, False, True)


def colour(gpio: MockFactory) -> tuple[bool, ...]:
    """Return what the three lines show now."""
    return tuple(bool(gpio.pin(line).state) for line in PINS)


async def shown(gpio: MockFactory, wanted: tuple[bool, ...], *, within_s: float = 5.0) -> None:
    """Wait until the light shows ``wanted``, through the dark of its flashes."""
    seen: set[tuple[bool, ...]] = set()
    for _ in range(int(within_s / 0.01)):
        seen.add(colour(gpio))
        if colour(gpio) == wanted:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{wanted} was not shown, only {sorted(seen)}")


def config_file(directory: Path, *, device: str, broker_port: int | None) -> Path:
    """Write a configuration as an administrator would."""
    path = directory / "sensed.toml"
    broker = f'[mqtt]\nhost = "127.0.0.1"\nport = {broker_port}\n' if broker_port else ""
    history = f'[history]\nfile = "{directory}/history.sqlite"\n'
    path.write_text(f'[device]\nid = "test"\n[meter]\nport = "{device}"\n{broker}{history}')
    return path


@contextlib.asynccontextmanager
async def sensed(*arguments: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the command as a process of its own; it is killed if it outlives the test."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sensed",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ended(process: asyncio.subprocess.Process, how: signal.Signals) -> tuple[int, str]:
    """Send ``how`` and return the exit code and what was written to standard error."""
    process.send_signal(how)
    _, errors = await asyncio.wait_for(process.communicate(), 8)
    assert process.returncode is not None
    return process.returncode, errors.decode()


@contextlib.asynccontextmanager
async def playing(name: str, sink: PtySink, *, seed: int = 1) -> AsyncIterator[list[Telegram]]:
    """Be the meter, at the line's own pace; yields what has been sent so far."""
    sent: list[Telegram] = []
    model = METERS[name]
    task = asyncio.create_task(
        play(
            MeterSimulator(model, seed=seed).telegrams(),
            sink,
            octets_per_s=model.octets_per_s,
            on_sent=sent.append,
        )
    )
    try:
        yield sent
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def first_of_each_kind(name: str, *, seed: int = 1) -> dict[str, Reading]:
    """Return the readings of the first telegrams of each kind but the hourly one."""
    telegrams: Iterator[Telegram] = itertools.islice(
        MeterSimulator(METERS[name], seed=seed).telegrams(), 8
    )
    kinds: dict[str, Reading] = {}
    for telegram in telegrams:
        if telegram.reading is not None:
            kinds.setdefault(telegram.kind, telegram.reading)
    return kinds


def exact(payload: bytes) -> dict[str, Any]:
    """Read JSON without turning decimals into floats."""
    values: dict[str, Any] = json.loads(payload, parse_float=Decimal)
    return values


def quantities(reading: Reading) -> dict[str, Any]:
    return {
        field.name: value
        for field in dataclasses.fields(reading)
        if (value := getattr(reading, field.name)) is not None
    }
