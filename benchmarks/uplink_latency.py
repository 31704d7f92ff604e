"""Last octet on the tty to the message at a subscriber, and CPU per list, in whole daemons.

Beside sensed, list by list: smartmeter-datacollector, where it is installed, with the sink
that sends one message per list, and the least that can do the way, a bare relay: what tty,
broker and machine take. Run ``python -m benchmarks.uplink_latency``; needs mosquitto.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

from benchmarks import rig
from benchmarks.daemon import wires

_UNCOUNTED = 50
_SETTLE_S = 2.0
_WITHIN_S = 5.0


@dataclass(slots=True)
class Way:
    """One program on its way from a tty of its own to a subscriber of its own."""

    line: rig.Tty
    listener: rig.Subscriber
    process_id: int
    delays_s: list[float] = field(default_factory=list)
    lost: int = 0
    cpu_s: float = 0.0

    @property
    def median_ms(self) -> float:
        """The middle delay."""
        return median(self.delays_s) * 1e3

    @property
    def hundredth_ms(self) -> float:
        """The delay that one list in a hundred exceeds."""
        return quantiles(self.delays_s, n=100)[98] * 1e3

    @property
    def cpu_ms_per_list(self) -> float:
        """User and system time."""
        return self.cpu_s / (len(self.delays_s) + self.lost) * 1e3


def measure(lists: int, every_s: float) -> dict[str, Way]:
    """Send ``lists`` on each way in turn, ``every_s`` apart."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = stack.enter_context(rig.broker(directory))
        ways: dict[str, Way] = {}

        def open_way(
            name: str, topic: str, command: list[str], environment: dict[str, str] | None = None
        ) -> None:
            listener = rig.Subscriber(port, topic)
            process = stack.enter_context(rig.running(command, environment))
            ways[name] = Way(lines[name], listener, process.pid)

        lines = {
            name: stack.enter_context(rig.Tty())
            for name in ("sensed", "smartmeter-datacollector", "bare relay")
        }
        path = {name: line.path for name, line in lines.items()}
        open_way(
            "sensed",
            "sensed/bench/phases",
            rig.sensed_command(directory, path["sensed"], port),
            rig.sensed_environment(directory, None),
        )
        collector = rig.collector_command(directory, path["smartmeter-datacollector"], port)
        if collector is not None:
            open_way("smartmeter-datacollector", rig.COLLECTOR_TOPIC, collector)
        open_way("bare relay", "bare/relay", rig.relay_command(path["bare relay"], port))
        time.sleep(_SETTLE_S)
        _take_turns(ways, lists, every_s)
    return ways


def _take_turns(ways: dict[str, Way], lists: int, every_s: float) -> None:
    source = wires()
    for number in range(-_UNCOUNTED, lists):
        if number == 0:
            for way in ways.values():
                way.cpu_s = -rig.usage(way.process_id).cpu_s
        wire = next(source)
        for way in ways.values():
            way.line.write(wire)
            written_s = time.monotonic()
            came = way.listener.publishes(1, _WITHIN_S)
            if number >= 0 and came:
                way.delays_s.append(time.monotonic() - written_s)
            way.lost += number >= 0 and not came
            time.sleep(every_s)
    for way in ways.values():
        way.cpu_s += rig.usage(way.process_id).cpu_s


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.uplink_latency", description=__doc__
    )
    parser.add_argument("--lists", type=int, default=1000)
    parser.add_argument("--every", type=float, default=0.05, help="seconds between lists")
    options = parser.parse_args()
    rig.compile_sensed()
    load = rig.Load()
    for name, way in measure(options.lists, options.every).items():
        print(
            f"{name:25} median {way.median_ms:.2f} ms, 99th percentile {way.hundredth_ms:.2f} ms, "
            f"CPU {way.cpu_ms_per_list:.2f} ms per list, {way.lost} lost"
        )
    print(f"{options.lists} lists, {load.words()}, {os.cpu_count()} processors")


if __name__ == "__main__":
    main()
