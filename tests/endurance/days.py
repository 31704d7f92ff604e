"""Runs the whole daemon through simulated days with faults each day, in a process of its own.

``python -m tests.endurance.days DAYS FOLDER``, in a network and mount namespace of its own,
where it is root. Each evening a line of JSON tells what the process holds and what was seen;
the last line tells whether readings are missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import random
import socket
import subprocess
import sys
import threading
import tracemalloc
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from pathlib import Path
from typing import Any

import structlog

from sensed.config import (
    Config,
    DeviceSection,
    FuseSection,
    HistorySection,
    LightSection,
    MeterSection,
    MqttSection,
)
from sensed.control import follow
from sensed.daemon import Daemon
from sensed.daemon import daemon as composition
from sensed.demo.broker import Broker, _Session
from sensed.demo.packets import Publish
from sensed.provisioning import _bus
from sensed.simulator import METERS, MeterSimulator
from sensed.simulator.play import PtySink
from tests.endurance.fast_loop import FastLoop
from tests.provisioning.conftest import Daemon as DBus
from tests.provisioning.fake_bluez import FakeBluez
from tests.provisioning.fake_network_manager import FakeNetworkManager
from tests.provisioning.peer import Peer

_ADDRESS = "10.7.7.1"
_PORT = 1883
_HOUR_S = 3600.0
_DAY_S = 24 * _HOUR_S
_MODEL = METERS["kamstrup-3ph"]
_CYCLE = 700
_MOST_LISTS = 10_000
"""A day has 8728 lists of 9.9 s."""
_BACK_WITHIN_S = 150.0


class Wall(datetime):
    """The world's clock, which can be set; it runs on the loop's."""

    loop: FastLoop
    base = datetime(2026, 1, 1, tzinfo=UTC)
    off = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        """Return the time."""
        told = cls.base + cls.off + timedelta(seconds=cls.loop.time())
        return told.astimezone(tz) if tz else told.replace(tzinfo=None)


def set_by_hand() -> None:
    """Let every module of the daemon's ask our wall clock, and paho our loop's."""
    for name, module in list(sys.modules.items()):
        if name.startswith("sensed.") and vars(module).get("datetime") is datetime:
            vars(module)["datetime"] = Wall
    from paho.mqtt import client

    vars(client)["time_func"] = Wall.loop.time


class Journal:
    """Counts what the daemon says."""

    def __init__(self) -> None:
        self.said: Counter[str] = Counter()
        self.crashes: list[str] = []

    def __call__(self, _logger: Any, _method: str, event: Any) -> Any:
        """Take an event."""
        self.said[event["event"]] += 1
        if event["event"] in ("part_crashed", "part_stuck", "bus_handler_failed"):
            error = sys.exc_info()[1]
            self.crashes.append(f"{event} {error!r}"[:2000])
        raise structlog.DropEvent


class House(Broker):
    """The broker: what it was given is counted by list, and it can hang."""

    def __init__(self, lists: int) -> None:
        super().__init__()
        self.got = bytearray(lists)
        self.newest = 0
        self.hangs = False
        self.up = False

    async def start(self) -> None:
        """Listen."""

        def session() -> Any:
            made = _Session(self)
            heard = made.data_received
            vars(made)["data_received"] = lambda data: None if self.hangs else heard(data)
            return made

        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(session, _ADDRESS, _PORT, reuse_address=True)
        self.up = True

    async def stop(self) -> None:
        """Drop every client, forget what was retained and listen no more."""
        self.up = False
        self.retained.clear()
        await self.__aexit__()
        await self._server.wait_closed()

    def publish(self, message: Publish) -> None:
        """Note which list a message is about."""
        super().publish(message)
        if message.topic.rpartition("/")[2] in ("power", "phases", "history"):
            seq = json.loads(message.payload)["seq"]
            self.got[seq] = 1
            self.newest = max(self.newest, seq)


class Lamp:
    """A light's lines that are nowhere."""

    def open(self) -> None:
        """Take them."""

    def set(self, red: bool, green: bool, blue: bool) -> None:  # noqa: FBT001 - as the driver has it
        """Switch them."""

    def close(self) -> None:
        """Give them back."""


class Meter:
    """The meter at its own pace, told what is wrong with its line."""

    def __init__(self, sink: PtySink) -> None:
        self._sink = sink
        self._wires = [item.wire for item in islice(MeterSimulator(_MODEL).telegrams(), _CYCLE)]
        self._luck = random.Random(7)
        self.silent = False
        self.damaged = False
        self.good = 0

    async def run(self, loop: FastLoop) -> None:
        """Send for ever, every ten seconds."""
        number = 0
        while True:
            await asyncio.sleep(10.0)
            number += 1
            if self.silent:
                continue
            wire = bytearray(self._wires[number % _CYCLE])
            if self.damaged and self._luck.random() < 0.5:
                wire[self._luck.randrange(len(wire))] ^= 1 << self._luck.randrange(8)
            else:
                self.good += 1
            await self._sink.write(bytes(wire))
            loop.wrote()


class Days:
    """The world around one daemon, and what happens in it."""

    def __init__(self, days: int, folder: Path, loop: FastLoop, journal: Journal) -> None:
        self._days = days
        self._folder = folder
        self._loop = loop
        self._journal = journal
        self._disk = folder / "disk"
        self._broker = House(days * _MOST_LISTS)
        self._sink = PtySink(folder / "mbus")
        self._meter = Meter(self._sink)
        self._dbus = DBus(folder)
        self._words = ""
        self._late: list[str] = []
        self._peers: list[Any] = []
        self._told: Counter[str] = Counter()

    # -- what goes wrong ------------------------------------------------------------

    async def broker_away(self) -> None:
        await self._broker.stop()
        await asyncio.sleep(1800)
        await self._broker.start()

    async def broker_hangs(self) -> None:
        self._broker.hangs = True
        await asyncio.sleep(600)
        self._broker.hangs = False
        await self._broker.stop()
        await self._broker.start()

    async def meter_silent(self) -> None:
        self._meter.silent = True
        await asyncio.sleep(600)
        self._meter.silent = False

    async def adapter_pulled(self) -> None:
        for _ in range(5):
            self._sink.unplug()
            await asyncio.sleep(60)
            self._sink.plug_in()
            await asyncio.sleep(60)

    async def line_damaged(self) -> None:
        self._meter.damaged = True
        await asyncio.sleep(1200)
        self._meter.damaged = False

    async def no_address(self) -> None:
        _ip("addr", "del", f"{_ADDRESS}/32", "dev", "lo")
        await asyncio.sleep(600)
        _ip("addr", "add", f"{_ADDRESS}/32", "dev", "lo")

    async def bluetooth_restarts(self) -> None:
        self._bluez.unplug()
        await asyncio.sleep(5)
        self._bluez.plug_in()
        await self._bluez.disconnect()
        await asyncio.sleep(30)
        await self._start_bluez()

    async def network_manager_restarts(self) -> None:
        await self._manager.disconnect()
        await asyncio.sleep(30)
        await self._start_manager()

    async def clock_jumps(self) -> None:
        for years in (5, -12, 30, -56, 0):
            Wall.off = timedelta(days=365.25 * years)
            await asyncio.sleep(600)

    async def disk_full(self) -> None:
        filler = self._disk / "filler"
        await self._broker.stop()
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        await asyncio.sleep(1800)
        filler.unlink()
        await asyncio.sleep(1800)
        await self._broker.start()

    async def disk_read_only(self) -> None:
        _mount("-o", "remount,ro", str(self._disk))
        await self._broker.stop()
        await asyncio.sleep(1800)
        await self._broker.start()
        await asyncio.sleep(120)
        _mount("-o", "remount,rw", str(self._disk))

    async def many_ask(self) -> None:
        path = self._folder / "control"
        for _ in range(50):
            async with contextlib.aclosing(follow(path, "status")) as answers:
                async for _answer in answers:
                    break
        async with contextlib.aclosing(follow(path, "capture")) as pieces:
            async for number, _piece in _numbered(pieces):
                if number > 20:
                    break

    async def settings_change(self) -> None:
        for brightness in (50, 100):
            light = LightSection(brightness=brightness)
            await self._daemon.apply(self._config(light))
            await asyncio.sleep(60)

    # -- a day -----------------------------------------------------------------------

    def _faults(self) -> list[tuple[float, Callable[[], Awaitable[None]]]]:
        return [
            (1, self.broker_away),
            (3, self.meter_silent),
            (4, self.adapter_pulled),
            (5, self.line_damaged),
            (7, self.no_address),
            (8, self.bluetooth_restarts),
            (9, self.network_manager_restarts),
            (11, self.clock_jumps),
            (13, self.broker_hangs),
            (15, self.disk_full),
            (18, self.disk_read_only),
            (20, self.many_ask),
            (21, self.settings_change),
        ]

    async def run(self) -> None:
        """Live through the days."""
        self._dbus.start()
        os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = self._dbus.address
        self._disk.mkdir()
        _mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", str(self._disk))
        await self._start_bluez()
        await self._start_manager()
        await self._broker.start()
        self._daemon = Daemon(
            self._config(LightSection()),
            make_driver=lambda _config: Lamp(),
            on_words=self._say,
            control=self._folder / "control",
        )
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            meter = group.create_task(self._meter.run(self._loop))
            group.create_task(self._daemon.run(stop))
            for day in range(1, self._days + 1):
                await self._day(day)
            await asyncio.sleep(60)
            meter.cancel()
            await asyncio.sleep(60)
            stop.set()
        self._tell_end()

    async def _day(self, day: int) -> None:
        begun_s = (day - 1) * _DAY_S
        for hour, fault in self._faults():
            await self._until(begun_s + hour * _HOUR_S)
            was = Counter(self._journal.said)
            try:
                async with asyncio.timeout(2 * _HOUR_S):
                    await fault()
            except TimeoutError:
                self._late.append(f"day {day}: {fault.__name__} did not end")
            over_s = self._loop.time()
            while self._words != "configured and active":
                if self._loop.time() - over_s > _BACK_WITHIN_S:
                    self._late.append(f"day {day}, after {fault.__name__}: {self._words}")
                    break
                await asyncio.sleep(1)
            name = fault.__name__
            self._told[name] = max(self._told[name], (self._journal.said - was)["history_trouble"])
        await self._until(begun_s + 23.9 * _HOUR_S)
        self._tell(day)

    async def _until(self, at_s: float) -> None:
        await asyncio.sleep(max(0.0, at_s - self._loop.time()))

    def _tell(self, day: int) -> None:
        gc.collect()
        ours = tracemalloc.take_snapshot().filter_traces(
            [
                tracemalloc.Filter(False, "*/tests/*"),
                tracemalloc.Filter(False, tracemalloc.__file__),
            ]
        )
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        _say(
            {
                "day": day,
                "rss_octets": pages * os.sysconf("SC_PAGE_SIZE"),
                "python_octets": sum(item.size for item in ours.statistics("filename")),
                "descriptors": len(list(Path("/proc/self/fd").iterdir())),
                "tasks": len(asyncio.all_tasks()),
                "threads": threading.active_count(),
                "newest": self._broker.newest,
                "missing": self._missing(self._broker.newest - 3),
                "events": sum(self._journal.said.values()),
                "words": self._words,
            }
        )

    def _missing(self, up_to: int) -> int:
        return up_to - sum(self._broker.got[1 : up_to + 1])

    def _tell_end(self) -> None:
        end = {
            "good": self._meter.good,
            "newest": self._broker.newest,
            "missing": self._missing(self._broker.newest),
            "late": self._late,
            "crashes": self._journal.crashes,
            "history_trouble": dict(self._told),
            "said": dict(self._journal.said),
        }
        _say(end)

    # -- its parts --------------------------------------------------------------------

    def _config(self, light: LightSection) -> Config:
        return Config(
            device=DeviceSection(id="endure"),
            meter=MeterSection(port=self._sink.device, serial=_MODEL.serial),
            mqtt=MqttSection(host=_ADDRESS, port=_PORT),
            history=HistorySection(file=str(self._disk / "history.sqlite")),
            fuse=FuseSection(main_a=25),
            light=light,
        )

    def _say(self, words: str) -> None:
        self._words = words

    async def _start_bluez(self) -> None:
        self._bluez = FakeBluez(self._dbus.address)
        await _up(self._bluez)

    async def _start_manager(self) -> None:
        self._manager = FakeNetworkManager(self._dbus.address)
        await _up(self._manager)
        self._manager.connect_cable(_ADDRESS)


async def _up(peer: FakeBluez | FakeNetworkManager) -> None:
    """Start a peer; a bus that has only just come may leave its first calls unanswered."""
    for _ in range(4):
        with contextlib.suppress(OSError, EOFError, TimeoutError):
            async with asyncio.timeout(20):
                await Wall.loop.waits_for(peer.start)()
                return
    raise AssertionError("the bus does not answer")


async def _numbered(items: Any) -> Any:
    number = 0
    async for item in items:
        number += 1
        yield number, item


def _say(figures: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, timeout=20)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, timeout=20)


@contextlib.contextmanager
def _systemd(folder: Path) -> Iterator[None]:
    """Be systemd as far as a daemon that notifies it sees."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(folder / "notify"))
        os.environ["NOTIFY_SOCKET"] = str(folder / "notify")
        os.environ["WATCHDOG_USEC"] = "60000000"
        yield


def main() -> None:
    """Live through as many days as the command line says."""
    days, folder = int(sys.argv[1]), Path(sys.argv[2])
    journal = Journal()
    structlog.configure(processors=[journal])
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    _ip("link", "set", "lo", "up")
    _ip("addr", "add", f"{_ADDRESS}/32", "dev", "lo")
    loop = FastLoop()
    Wall.loop = loop
    vars(composition)["STATE_PATH"] = folder / "settings.toml"
    set_by_hand()
    _bus.Bus.call = _owed(loop, _bus.Bus.call)  # type: ignore[method-assign]
    Peer.call = _owed(loop, Peer.call)  # type: ignore[method-assign]
    tracemalloc.start(1)
    with _systemd(folder):
        loop.run_until_complete(Days(days, folder, loop, journal).run())


def _owed(loop: FastLoop, call: Any) -> Any:
    waiting = loop.waits_for(call)

    async def owed(self: Any, *arguments: Any, **named: Any) -> Any:
        return await waiting(self, *arguments, **named)

    return owed


if __name__ == "__main__":
    main()
