"""The whole daemon under more lists than any meter sends: what arrives, at what cost.

Run ``python -m benchmarks.uplink_load``; needs mosquitto.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import rig
from benchmarks.daemon import wires

_RATES: Final = (1, 10, 100)
_SECONDS: Final = 20.0
_QUIET_S: Final = 3.0
_FIRST_S: Final = 120.0


class Step(NamedTuple):
    """One rate: lists sent, lists that came live and by the history, the daemon's CPU for each.

    A live topic carries the newest list only; one that it passes over comes by the history.
    """

    per_s: float
    sent: int
    live: int
    late: int
    cpu_ms_per_list: float
    resident_mib: float


def measure(seconds: float = _SECONDS) -> Iterator[Step]:
    """Yield the steps, from one daemon."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = stack.enter_context(rig.broker(directory))
        line = stack.enter_context(rig.Tty())
        listener = rig.Subscriber(port, "sensed/bench/power")
        history = rig.Subscriber(port, "sensed/bench/history")
        command = rig.sensed_command(directory, line.path, port)
        environment = rig.sensed_environment(directory, None)
        daemon = stack.enter_context(rig.running(command, environment))
        source = wires()
        deadline_s = time.monotonic() + _FIRST_S
        while not listener.publishes(1, 1.0) and time.monotonic() < deadline_s:
            line.write(next(source))
        listener.drain(_QUIET_S)
        history.drain(_QUIET_S)
        for per_s in _RATES:
            sent = list(islice(source, int(per_s * seconds)))
            before = rig.usage(daemon.pid)
            _send(line, sent, per_s)
            live = listener.drain(_QUIET_S)
            late = history.drain(_QUIET_S)
            after = rig.usage(daemon.pid)
            yield Step(
                per_s,
                len(sent),
                live,
                late,
                (after.cpu_s - before.cpu_s) / len(sent) * 1e3,
                rig.resident_mib(daemon.pid),
            )


def _send(line: rig.Tty, sent: list[bytes], per_s: float) -> None:
    began_s = time.monotonic()
    for number, wire in enumerate(sent):
        time.sleep(max(0.0, began_s + number / per_s - time.monotonic()))
        line.write(wire)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.uplink_load", description=__doc__)
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="at each rate")
    options = parser.parse_args()
    rig.compile_sensed()
    load = rig.Load()
    for step in measure(options.seconds):
        print(
            f"{step.per_s:.0f} lists a second: {step.live} of {step.sent} came live, "
            f"{step.late} by the history, "
            f"{step.cpu_ms_per_list:.2f} ms of CPU per list, {step.resident_mib:.1f} MiB"
        )
    print(load.words())


if __name__ == "__main__":
    main()
