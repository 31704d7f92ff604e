"""Every figure in one run, as the Markdown table of docs/figures.md.

Run ``python -m benchmarks``, or ``scripts/figures``, which sets up all it needs. Standard
output gets the table and nothing else.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import cold, daemon, decode, rig, soak, uplink_drain, uplink_fleet, uplink_latency
from benchmarks import uplink_load as load

_NO: Final = "cannot"
_TENS: Final = 10


class Row(NamedTuple):
    """One line of the table: what, times sensed's as the peers need, figures, command."""

    what: str
    ratio: str
    result: str
    command: str


class Extent(NamedTuple):
    """How much is measured."""

    lists: int
    starts: int
    idle_s: float
    load_s: float
    queued: tuple[int, ...]
    devices: tuple[int, ...]
    fleet_s: float
    soak_mb: float


_WHOLE: Final = Extent(1000, 10, 120, 20, (1_000, 10_000, 100_000), (10, 100, 500), 60, 20)
_SHORT: Final = Extent(50, 2, 20, 3, (1_000, 5_000), (5, 20), 20, 0.3)


def times(peer: float, ours: float) -> str:
    """Return how many times as much a peer needs."""
    if not ours:
        return "-"
    ratio = peer / ours
    return f"{ratio:.0f}" if ratio >= _TENS else f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2f}"


def decoding(_extent: Extent) -> Iterator[Row]:
    """Frame to reading, by kind of list."""
    for label, octets, cost in decode.costs():
        ours = cost["sensed"]
        others = list(decode.peers_here())
        yield Row(
            f"frame to reading, {label} ({octets} octets)",
            ", ".join(
                f"{name} {times(cost[name], ours) if name in cost else _NO}" for name in others
            ),
            f"{ours:.0f} µs; octet by octet {cost['octetwise']:.0f} µs",
            "decode",
        )


def first_list(_extent: Extent) -> Iterator[Row]:
    """Measure a decoder's first list in a fresh Python, and the floor of the libraries."""
    found = dict(cold.decoders())
    ours = found.pop("sensed")
    yield Row(
        "fresh Python to first decoded list, CPU",
        ", ".join(f"{name} {times(peer.cpu_ms, ours.cpu_ms)}" for name, peer in found.items()),
        f"{ours.cpu_ms:.0f} ms",
        "cold",
    )
    yield Row(
        "memory of it",
        ", ".join(
            f"{name} {times(peer.resident_mib, ours.resident_mib)}" for name, peer in found.items()
        ),
        f"{ours.resident_mib:.1f} MiB",
        "cold",
    )
    for name, library in cold.libraries():
        yield Row(
            f"floor: import of {name}",
            "",
            f"{library.resident_mib:.1f} MiB, {library.cpu_ms:.0f} ms of CPU",
            "cold",
        )


def latency(extent: Extent) -> Iterator[Row]:
    """Tty to subscriber."""
    ways = uplink_latency.measure(extent.lists, every_s=0.05)
    ours = ways["sensed"]

    def row(what: str, figure: Callable[[uplink_latency.Way], float]) -> Row:
        return Row(
            what,
            ", ".join(
                f"{name} {times(figure(way), figure(ours))}"
                for name, way in ways.items()
                if way is not ours
            ),
            f"{figure(ours):.2f} ms",
            "uplink_latency",
        )

    yield row("last octet on the tty to the subscriber, median", lambda way: way.median_ms)
    yield row("the same, 99th percentile", lambda way: way.hundredth_ms)
    yield row("CPU per list, whole daemon", lambda way: way.cpu_ms_per_list)
    lost = ", ".join(f"{name} {way.lost}" for name, way in ways.items())
    yield Row("lists lost on the way", "", f"{lost} of {extent.lists}", "uplink_latency")


def rest(extent: Extent) -> Iterator[Row]:
    """Start, memory, wake-ups, disk."""
    found = {
        who: (start, idle) for who, start, idle in daemon.measure(extent.starts, extent.idle_s)
    }
    peer = found.pop(daemon.COLLECTOR, None)
    for who, (start, idle) in found.items():

        def row(what: str, unit: str, ours: float, theirs: float | None, digits: int) -> Row:
            ratio = "" if theirs is None else f"collector {times(theirs, ours)}"
            return Row(f"{who.name}: {what}", ratio, f"{ours:.{digits}f} {unit}", "daemon")  # noqa: B023 - used in this round only

        yield row("process start to READY", "s", start.ready_s or 0, None, 2)
        yield row("CPU until READY", "s", start.ready_cpu_s, None, 2)
        yield row(
            "process start to first reading at the subscriber, a list every 0.1 s",
            "s",
            start.first_reading_s,
            peer and peer[0].first_reading_s,
            2,
        )
        for silent, words in ((False, "a list every 10 s"), (True, "no list")):
            theirs = None if peer is None else peer[1][silent]
            ours = idle[silent]
            if not silent:
                yield row("memory", "MiB", ours.resident_mib, theirs and theirs.resident_mib, 1)
            yield row(
                f"wake-ups a second, {words}",
                "",
                ours.wakeups_per_s,
                theirs and theirs.wakeups_per_s,
                2,
            )
            yield Row(
                f"{who.name}: disk writes an hour, {words}",
                "",
                f"{ours.written_octets_per_hour:.0f} octets, "
                f"files changed: {', '.join(ours.files_changed) or 'none'}",
                "daemon",
            )


def growth(extent: Extent) -> Iterator[Row]:
    """Cost as work grows: lists a second, queue, devices, octets."""
    for step in load.measure(extent.load_s):
        yield Row(
            f"{step.per_s:.0f} lists a second through the daemon",
            "",
            f"{step.live} of {step.sent} live, {step.late} by the history, "
            f"{step.cpu_ms_per_list:.2f} ms of CPU per list, {step.resident_mib:.1f} MiB",
            "uplink_load",
        )
    for queued in extent.queued:
        drained = uplink_drain.measure(queued)
        yield Row(
            f"{queued:,} queued readings on the broker's return",
            "",
            f"{drained.per_s:,.0f} a second, {drained.per_cpu_s:,.0f} a second of CPU; live "
            f"meanwhile median {drained.live_median_ms:.1f} ms, "
            f"99th percentile {drained.live_hundredth_ms:.1f} ms",
            f"uplink_drain --lists {queued}",
        )
    for devices in extent.devices:
        fleet = uplink_fleet.measure(devices, extent.fleet_s)
        yield Row(
            f"{devices} devices on one broker, {extent.fleet_s:.0f} s",
            "",
            f"{fleet.distinct} of {fleet.report.lists} lists arrived, {fleet.doubled} doubled, "
            f"{fleet.cpu_ms_per_list:.2f} ms of CPU per list",
            f"uplink_fleet --devices {devices} --seconds {extent.fleet_s:.0f}",
        )


def faults(extent: Extent) -> Iterator[Row]:
    """Damaged streams."""
    found = soak.soak(int(extent.soak_mb * 1e6), seed=1)
    floor = ", ".join(f"{count} {kind}" for kind, count in found.floor.items()) or "none"
    yield Row(
        f"{extent.soak_mb:.1f} MB of damaged streams of all meters",
        "",
        f"{found.readings} readings, {len(found.false)} false; unprotected by any check "
        f"and not true: {floor}",
        f"soak --megabytes {extent.soak_mb}",
    )


_PARTS: Final = (decoding, first_list, latency, rest, growth, faults)


def machine() -> str:
    """Return where this is measured."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            model = line.partition(":")[2].strip()
    versions = []
    for name in ("amshan", "gurux-dlms", "smartmeter-datacollector"):
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {name}")
    return (
        f"{os.cpu_count()} x {model}, {platform.system()} {platform.release()}, "
        f"CPython {platform.python_version()}; {', '.join(versions)}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--short", action="store_true", help="little of everything, to try it")
    options = parser.parse_args()
    extent = _SHORT if options.short else _WHOLE
    rig.compile_sensed()
    print("| what | peers need, times sensed's | sensed | `python -m benchmarks.` |")
    print("|---|---|---|---|")
    whole = rig.Load()
    for part in _PARTS:
        busy = rig.Load()
        for row in part(extent):
            print(f"| {row.what} | {row.ratio} | {row.result} | `{row.command}` |", flush=True)
        print(f"{part.__name__}: {busy.words()}", file=sys.stderr)
    print(f"\n{machine()}; {whole.words()}.")


if __name__ == "__main__":
    main()
