"""The history after a long outage: readings per second, and what live readings notice.

Run ``python -m benchmarks.uplink_drain``; needs mosquitto.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

from benchmarks.rig import broker
from sensed.han.reading import Reading
from sensed.uplink import BrokerSettings, HistorySettings, Sample, Stamp, Uplink
from sensed.uplink.store import Store

_LIVE_EVERY_S = 0.1
_SUBSCRIBE = b"\x82\x17\x00\x01\x00\x12sensed/bench/power\x00"
_CONNECT = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x00\x00\x05bench"


def payload(number: int) -> bytes:
    """Return a reading as it stands in the history."""
    reading = {
        "received_at": "2026-01-02T03:04:05.678Z",
        "seq": number,
        "boot_id": "0123456789abcdef0123456789abcdef",
        "power_import_w": 1234,
        "power_export_w": 0,
        "current_l1_a": 2.3,
        "current_l2_a": 1.2,
        "current_l3_a": 0.5,
        "voltage_l1_v": 230.1,
        "voltage_l2_v": 231.1,
        "voltage_l3_v": 229.8,
    }
    return json.dumps(reading).encode()


class Drained(NamedTuple):
    """How fast a history went, and what live readings noticed of it."""

    per_s: float
    per_cpu_s: float
    live_median_ms: float
    live_hundredth_ms: float


async def drain(port: int, path: Path, lists: int) -> Drained:
    """Send what the history at ``path`` holds, with live readings meanwhile."""
    linked = asyncio.Event()
    uplink = Uplink(
        BrokerSettings(host="127.0.0.1", port=port, device_id="bench"),
        on_link=lambda fact: linked.set() if fact.holds else None,
        history=HistorySettings(path=path),
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_CONNECT + _SUBSCRIBE)
    await reader.readexactly(9)
    task = asyncio.create_task(uplink.run())
    await linked.wait()
    began_s, used_s = time.monotonic(), time.process_time()
    delays_s, seq = [], lists
    while uplink.history_counts.sent < lists:
        seq += 1
        sent_s = time.monotonic()
        stamp = Stamp(datetime.now(UTC), sent_s, seq, "bench")
        uplink.publish(Sample(Reading(power_import_w=seq), stamp))
        await reader.read(65536)
        delays_s.append(time.monotonic() - sent_s)
        await asyncio.sleep(_LIVE_EVERY_S)
    took_s, used_s = time.monotonic() - began_s, time.process_time() - used_s
    task.cancel()
    await asyncio.wait([task])
    writer.close()
    hundredths = quantiles([*delays_s, delays_s[-1]], n=100)
    return Drained(lists / took_s, lists / used_s, median(delays_s) * 1e3, hundredths[98] * 1e3)


def measure(lists: int) -> Drained:
    """Fill a file with ``lists`` readings, then drain it."""
    with tempfile.TemporaryDirectory() as name, broker(Path(name)) as port:
        path = Path(name) / "history.db"
        store = Store(path, most_rows=lists)
        store.append([payload(number) for number in range(lists)])
        store.close()
        return asyncio.run(drain(port, path, lists))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lists", type=int, default=100_000)
    options = parser.parse_args()
    drained = measure(options.lists)
    print(
        f"{drained.per_s:.0f} readings per second, {drained.per_cpu_s:.0f} per second of CPU; "
        f"live median {drained.live_median_ms:.1f} ms, "
        f"99th percentile {drained.live_hundredth_ms:.1f} ms (load {os.getloadavg()[0]:.1f})"
    )


if __name__ == "__main__":
    main()
