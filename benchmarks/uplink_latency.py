"""The whole daemon: last octet on the tty to the message at a subscriber, and CPU per list.

Run ``python -m benchmarks.uplink_latency``; needs mosquitto. Prints the load of the
machine with the figures, which are worth little on a busy one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tty
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median, quantiles

from sensed.simulator import METERS, MeterSimulator

_SUBSCRIBE = b"\x82\x18\x00\x01\x00\x13sensed/bench/phases\x00"
_CONNECT = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x00\x00\x05bench"
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@contextmanager
def broker(directory: Path) -> Iterator[int]:
    """Run a mosquitto on a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    config = directory / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
        "max_queued_messages 0\n"
    )
    program = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    process = subprocess.Popen(  # noqa: S603 - found on the path
        [program or "mosquitto", "-c", str(config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait()


def subscriber(port: int) -> socket.socket:
    """Return a bare socket subscribed to the topic of lists with currents."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(_CONNECT + _SUBSCRIBE)
    sock.settimeout(5)
    received = b""
    while len(received) < len(b"\x20\x02\x00\x00\x90\x03\x00\x01\x00"):
        received += sock.recv(100)
    return sock


def cpu_s(process_id: int) -> float:
    """User and system time of a process, its threads included."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lists", type=int, default=1000)
    parser.add_argument("--every", type=float, default=0.05, help="seconds between lists")
    parser.add_argument("--meter", default="kamstrup-3ph")
    options = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = stack.enter_context(broker(directory))
        master, slave = os.openpty()
        tty.setraw(slave)
        config = directory / "sensed.toml"
        config.write_text(
            f'[device]\nid = "bench"\n[meter]\nport = "{os.ttyname(slave)}"\n'
            f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\n'
        )
        daemon = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-m", "sensed", "run", "--config", str(config)],
            stderr=subprocess.DEVNULL,
        )
        stack.callback(daemon.wait)
        stack.callback(daemon.terminate)
        sock = stack.enter_context(subscriber(port))
        delays_s, used_s = measure(daemon.pid, master, sock, options)
    hundredths = quantiles(delays_s, n=100)
    print(
        f"median {median(delays_s) * 1e3:.2f} ms, 99th percentile {hundredths[98] * 1e3:.2f} ms, "
        f"CPU {used_s * 1e3:.2f} ms per list ({options.lists} lists, load {os.getloadavg()[0]:.1f})"
    )


def measure(
    process_id: int, master: int, sock: socket.socket, options: argparse.Namespace
) -> tuple[list[float], float]:
    """Return the delay of each list in seconds, and the CPU seconds per list."""
    telegrams = MeterSimulator(METERS[options.meter]).telegrams()
    time.sleep(2)
    delays_s, began_s = [], 0.0
    for number in range(-50, options.lists):
        telegram = next(telegrams)
        while telegram.reading.current_l1_a is None:
            telegram = next(telegrams)
        if number == 0:
            began_s = cpu_s(process_id)
        os.write(master, telegram.wire)
        written_s = time.monotonic()
        try:
            sock.recv(65536)
        except TimeoutError:
            continue  # the port is still looking for its settings
        if number >= 0:
            delays_s.append(time.monotonic() - written_s)
        time.sleep(options.every)
    return delays_s, (cpu_s(process_id) - began_s) / options.lists


if __name__ == "__main__":
    main()
