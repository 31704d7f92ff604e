"""The whole daemon: last octet on the tty to the message at a subscriber, and CPU per list.

Beside it, list by list, the least that can do the way: what tty, broker and machine take.
Run ``python -m benchmarks.uplink_latency``; needs mosquitto. Prints the load of the
machine and the time its host took from it with the figures, which are worth little on
a busy one.
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

# Knows only where a Kamstrup list ends, and sends as many octets as sensed does.
_RELAY = """
import os, socket, sys
port = os.open(sys.argv[1], os.O_RDONLY | os.O_NOCTTY)
broker = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
broker.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
broker.sendall(b"\\x10\\x11\\x00\\x04MQTT\\x04\\x02\\x00\\x00\\x00\\x05relay")
broker.recv(4)
message = b"\\x00\\x0abare/relay" + bytes(330)
message = bytes((0x30, len(message) % 128 | 128, len(message) // 128)) + message
held = b""
while True:
    held += os.read(port, 1024)
    if len(held) > 20 and held.endswith(b"\\x7e"):
        held = b""
        broker.sendall(message)
"""
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


def subscriber(port: int, topic: bytes) -> socket.socket:
    """Return a bare socket subscribed to one topic."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    rest = b"\x00\x01" + len(topic).to_bytes(2, "big") + topic + b"\x00"
    sock.sendall(connect(b"listen-" + topic[-5:]) + bytes((0x82, len(rest))) + rest)
    sock.settimeout(5)
    received = b""
    while len(received) < len(b"\x20\x02\x00\x00\x90\x03\x00\x01\x00"):
        received += sock.recv(100)
    return sock


def connect(identifier: bytes) -> bytes:
    """Return a CONNECT packet without a keepalive."""
    rest = b"\x00\x04MQTT\x04\x02\x00\x00" + len(identifier).to_bytes(2, "big") + identifier
    return bytes((0x10, len(rest))) + rest


@contextmanager
def bare_relay(port: int) -> Iterator[int]:
    """Run the least that can do the way: octets in, one message out; give its tty's other end."""
    master, slave = os.openpty()
    tty.setraw(slave)
    process = subprocess.Popen([sys.executable, "-c", _RELAY, os.ttyname(slave), str(port)])  # noqa: S603 - this very program
    try:
        yield master
    finally:
        process.terminate()
        process.wait()


def cpu_s(process_id: int) -> float:
    """User and system time of a process, its threads included."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S


def stolen_share(before: list[int], after: list[int]) -> float:
    """Share of the processors' time that went to other machines of the host (proc(5), steal)."""
    spent = [late - early for early, late in zip(before, after, strict=True)]
    return spent[7] / sum(spent[:8])


def processor_times() -> list[int]:
    """Ticks of all processors together, by what they went to."""
    return [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lists", type=int, default=1000)
    parser.add_argument("--every", type=float, default=0.05, help="seconds between lists")
    options = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = stack.enter_context(broker(directory))
        relay = stack.enter_context(bare_relay(port))
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
        ways = {
            "sensed": (master, stack.enter_context(subscriber(port, b"sensed/bench/phases"))),
            "bare relay": (relay, stack.enter_context(subscriber(port, b"bare/relay"))),
        }
        before = processor_times()
        delays_s, used_s = measure(daemon.pid, ways, options)
        stolen = stolen_share(before, processor_times())
    for name, delays in delays_s.items():
        print(
            f"{name:10}  median {median(delays) * 1e3:.2f} ms, "
            f"99th percentile {quantiles(delays, n=100)[98] * 1e3:.2f} ms"
        )
    print(
        f"CPU {used_s * 1e3:.2f} ms per list "
        f"({options.lists} lists, load {os.getloadavg()[0]:.1f}, {stolen:.1%} stolen)"
    )


def measure(
    process_id: int, ways: dict[str, tuple[int, socket.socket]], options: argparse.Namespace
) -> tuple[dict[str, list[float]], float]:
    """Return the delay of each list in seconds on each way, and the daemon's CPU per list."""
    telegrams = MeterSimulator(METERS["kamstrup-3ph"]).telegrams()
    time.sleep(2)
    delays_s: dict[str, list[float]] = {name: [] for name in ways}
    began_s = 0.0
    for number in range(-50, options.lists):
        telegram = next(telegrams)
        while telegram.reading.current_l1_a is None:
            telegram = next(telegrams)
        if number == 0:
            began_s = cpu_s(process_id)
        for name, (master, sock) in ways.items():
            os.write(master, telegram.wire)
            written_s = time.monotonic()
            try:
                sock.recv(65536)
            except TimeoutError:
                continue  # the port is still looking for its settings
            if number >= 0:
                delays_s[name].append(time.monotonic() - written_s)
            time.sleep(options.every)
    return delays_s, (cpu_s(process_id) - began_s) / options.lists


if __name__ == "__main__":
    main()
