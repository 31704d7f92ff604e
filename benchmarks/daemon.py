"""One whole daemon: time to READY and to the first reading, memory, wake-ups, disk writes.

Run ``python -m benchmarks.daemon``; needs mosquitto and dbus-daemon. A Kamstrup meter on a
pty, broker, control socket and main fuse; "all on" has set-up on a private system bus, which
offers neither BlueZ nor NetworkManager, and the light on gpiozero's mock pins; "no light, no
bus" has neither. smartmeter-datacollector, where it is installed, stands beside them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from benchmarks import rig
from sensed.simulator import METERS, MeterSimulator

_FUSE: Final = "[fuse]\nmain_a = 25\n"
_BURST_S: Final = 0.1
"""Seconds between lists while a daemon starts: so finely the first reading is dated."""
_SETTLE_S: Final = 14.0
"""The meter is introduced to Home Assistant some 12 s after the first list."""
_LIST_S: Final = 10.0
_WITHIN_S: Final = 120.0


class Start(NamedTuple):
    """Seconds from the process's start; ``ready_s`` is None where nothing says so.

    ``ready_cpu_s`` is the CPU time until then.
    """

    ready_s: float | None
    ready_cpu_s: float
    first_reading_s: float


@dataclass(frozen=True, slots=True)
class Contestant:
    """A program that reads a meter and publishes; ``name`` as in the table."""

    name: str
    topic: str


SENSED: Final = Contestant("sensed, all on", "sensed/bench/phases")
BARE: Final = Contestant("sensed, no light, no bus", "sensed/bench/phases")
COLLECTOR: Final = Contestant("smartmeter-datacollector", rig.COLLECTOR_TOPIC)


def contestants() -> list[Contestant]:
    """Return who can be run here."""
    there = Path(sys.executable).with_name("smartmeter-datacollector").exists()
    return [SENSED, BARE, *([COLLECTOR] if there else [])]


def wires() -> Iterator[bytes]:
    """Yield lists with currents, each with values of its own."""
    for telegram in MeterSimulator(METERS["kamstrup-3ph"]).telegrams():
        if telegram.reading.current_l1_a is not None:
            yield telegram.wire


@contextmanager
def started(
    who: Contestant, directory: Path, line: rig.Tty, port: int, bus: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a contestant with all it has."""
    if who is not COLLECTOR:
        command = rig.sensed_command(directory, line.path, port, _FUSE)
        environment = rig.sensed_environment(directory, bus if who is SENSED else None)
        environment["NOTIFY_SOCKET"] = str(directory / "notify")
    else:
        command = rig.collector_command(directory, line.path, port) or []
        environment = {}
    with rig.running(command, environment) as process:
        yield process


def measure_start(who: Contestant, directory: Path, port: int, bus: str) -> Start:
    """Start once, with a list every ``_BURST_S`` on the line, and stop at the first reading."""
    manager = rig.Manager(directory)
    listener = rig.Subscriber(port, who.topic)
    over = threading.Event()
    with rig.Tty() as line:

        def send() -> None:
            for wire in wires():
                if over.wait(_BURST_S):
                    return
                line.write(wire)

        sender = threading.Thread(target=send)
        began_s = time.monotonic()
        with started(who, directory, line, port, bus) as process:
            sender.start()
            ready_s = None if who is COLLECTOR else manager.await_ready() - began_s
            ready_cpu_s = rig.usage(process.pid).cpu_s
            came = listener.publishes(1, _WITHIN_S)
            first_s = time.monotonic() - began_s
            over.set()
            sender.join()
            if not came:
                sys.exit(f"{who.name} published nothing in {_WITHIN_S:.0f} s")
    manager.close()
    listener.close()
    return Start(ready_s, ready_cpu_s, first_s)


class Idle(NamedTuple):
    """What a daemon at work needs, per second where the unit says so, and on the disk."""

    resident_mib: float
    wakeups_per_s: float
    cpu_ms_per_s: float
    written_octets_per_hour: float
    files_changed: tuple[str, ...]


def measure_idle(
    who: Contestant, directory: Path, port: int, bus: str, *, seconds: float, silent: bool
) -> Idle:
    """Let it settle with lists, then watch it for ``seconds``, with or without further lists."""
    listener = rig.Subscriber(port, who.topic)
    manager = rig.Manager(directory)
    source = wires()
    with (
        rig.Tty() as line,
        started(who, directory, line, port, bus) as process,
    ):
        if who is not COLLECTOR:
            manager.await_ready()
        deadline_s = time.monotonic() + _WITHIN_S
        while not listener.publishes(1, 0.5):
            line.write(next(source))
            if time.monotonic() > deadline_s:
                sys.exit(f"{who.name} published nothing in {_WITHIN_S:.0f} s")
        line.write(next(source))
        time.sleep(_SETTLE_S)
        files = _stamps(directory / "state")
        before = rig.usage(process.pid)
        end_s = before.at_s + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            if not silent:
                line.write(next(source))
            time.sleep(min(_LIST_S, left_s))
        after = rig.usage(process.pid)
        resident_mib = rig.resident_mib(process.pid)
        now = _stamps(directory / "state")
    manager.close()
    listener.close()
    spent_s = after.at_s - before.at_s
    return Idle(
        resident_mib,
        (after.wakeups - before.wakeups) / spent_s,
        (after.cpu_s - before.cpu_s) / spent_s * 1e3,
        (after.written_octets - before.written_octets) / spent_s * 3600,
        tuple(sorted(name for name in {*files, *now} if files.get(name) != now.get(name))),
    )


def _stamps(folder: Path) -> dict[str, int]:
    """Return when each file below ``folder``, and the folder, last changed, in ns."""
    if not folder.exists():
        return {}
    return {str(path): path.stat().st_mtime_ns for path in (folder, *folder.rglob("*"))}


def measure(starts: int, seconds: float) -> Iterator[tuple[Contestant, Start, dict[bool, Idle]]]:
    """Yield each contestant, the medians of its starts, and its rest by "the meter is silent"."""
    rig.compile_sensed()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = stack.enter_context(rig.broker(directory))
        bus = stack.enter_context(rig.system_bus(directory))
        for who in contestants():
            made = [measure_start(who, directory, port, bus) for _ in range(starts)]
            ready = [start.ready_s for start in made if start.ready_s is not None]
            middle = Start(
                median(ready) if ready else None,
                median(start.ready_cpu_s for start in made),
                median(start.first_reading_s for start in made),
            )
            idle = {
                silent: measure_idle(who, directory, port, bus, seconds=seconds, silent=silent)
                for silent in (False, True)
            }
            yield who, middle, idle


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.daemon", description=__doc__)
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=120)
    options = parser.parse_args()
    load = rig.Load()
    for who, starts, idle in measure(options.starts, options.seconds):
        print(f"{who.name}: {starts}")
        for silent, found in idle.items():
            print(f"  {'silent meter' if silent else 'a list every 10 s'}: {found}")
    print(load.words())


if __name__ == "__main__":
    main()
