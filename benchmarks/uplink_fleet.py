"""Many simulated devices on one mosquitto for minutes: every list must arrive.

Run ``python -m benchmarks.uplink_fleet --devices 500 --seconds 300``; needs mosquitto.
Exits with 1 when a list that a device has sent did not reach the subscriber.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from benchmarks.rig import broker
from sensed.simulator import METERS
from sensed.simulator.fleet import FleetReport, FleetSettings, run_fleet
from sensed.uplink import BrokerSettings


def count(port: int, pipe: Connection) -> None:
    """Collect every (boot, seq) until told to stop; send (distinct, messages, doubled)."""
    from paho.mqtt import client as mqtt

    seen: set[tuple[str, int]] = set()
    history: set[tuple[str, int]] = set()
    messages = doubled = 0

    def on_message(_client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        nonlocal messages, doubled
        values = json.loads(message.payload)
        mark = (values["boot_id"], values["seq"])
        messages += 1
        seen.add(mark)
        if message.topic.endswith("/history"):
            doubled += mark in history
            history.add(mark)

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.on_message = on_message
    client.connect("127.0.0.1", port)
    for name in ("power", "phases", "energy", "history"):
        client.subscribe(f"sensed/+/{name}", qos=1)
    client.loop_start()
    pipe.send("ready")
    pipe.recv()
    time.sleep(1)
    client.loop_stop()
    pipe.send((len(seen), messages, doubled))


def tell(report: FleetReport) -> None:
    """Say how it goes."""
    print(
        f"{report.connected}/{report.devices} connected, {report.lists} lists, "
        f"{report.waiting} waiting, failures {report.failures}, load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


class Outcome(NamedTuple):
    """What a fleet sent and what of it arrived; ``cpu_ms_per_list`` is all its devices'."""

    report: FleetReport
    distinct: int
    messages: int
    doubled: int
    cpu_ms_per_list: float

    @property
    def lost(self) -> int:
        """Lists that did not arrive."""
        return self.report.lists - self.distinct


def measure(
    devices: int,
    seconds: float,
    meter: str = "aidon-3ph-tn",
    on_report: Callable[[FleetReport], None] = lambda _report: None,
) -> Outcome:
    """Run a fleet on a broker of its own and count what arrives."""
    with tempfile.TemporaryDirectory() as directory, broker(Path(directory)) as port:
        ours, theirs = multiprocessing.Pipe()
        counter = multiprocessing.Process(target=count, args=(port, theirs))
        counter.start()
        ours.recv()
        settings = FleetSettings(
            broker=BrokerSettings(host="127.0.0.1", port=port, device_id="device"),
            devices=devices,
            seconds=seconds,
        )
        used_s = time.process_time()
        report = asyncio.run(run_fleet(settings, METERS[meter], on_report=on_report))
        used_s = time.process_time() - used_s
        ours.send("stop")
        distinct, messages, doubled = ours.recv()
        counter.join()
    return Outcome(report, distinct, messages, doubled, used_s / max(1, report.lists) * 1e3)


def main() -> int:
    """Run, count and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--meter", default="aidon-3ph-tn")
    options = parser.parse_args()
    found = measure(options.devices, options.seconds, options.meter, tell)
    print(
        f"{found.report.lists} lists sent, {found.distinct} arrived in {found.messages} messages, "
        f"{found.lost} lost, {found.cpu_ms_per_list:.2f} ms of CPU per list"
    )
    print(f"{found.doubled} doubled on history, failures {found.report.failures}")
    return 1 if found.lost else 0


if __name__ == "__main__":
    sys.exit(main())
