"""What benchmarks stand on: a broker, a meter's tty, subscribers, programs and their /proc."""

from __future__ import annotations

import compileall
import os
import shutil
import socket
import subprocess
import sys
import time
import tty
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import sensed

_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_START_S: Final = 120.0
_END_S: Final = 10.0

_BUS: Final = """<busconfig>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""

# Knows only where a Kamstrup list ends, and sends as many octets as sensed does.
_RELAY: Final = """
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


def program(name: str) -> str:
    """Return the path of a program of the system; ends this one without it."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if path is None:
        sys.exit(f"{name} is missing: apt install mosquitto dbus")
    return path


def plain_environment() -> dict[str, str]:
    """Return this process's environment without what would alter what is measured.

    Python would compile at each start, or the light would be on other pins.
    """
    altering = ("PYTHONDONTWRITEBYTECODE", "GPIOZERO_PIN_FACTORY")
    return {key: value for key, value in os.environ.items() if key not in altering}


def compile_sensed() -> None:
    """Compile sensed's sources once, as installing it does."""
    compileall.compile_dir(Path(sensed.__file__).parent, quiet=1)


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command, silent, until the block ends."""
    process = subprocess.Popen(  # noqa: S603 - programs of the system and this very Python
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**plain_environment(), **(environment or {})},
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def broker(directory: Path) -> Iterator[int]:
    """Run a mosquitto on a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    config = directory / f"mosquitto-{port}.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n"
        "max_queued_messages 0\n"
    )
    with running([program("mosquitto"), "-c", str(config)]):
        _await_listener(lambda: socket.create_connection(("127.0.0.1", port)).close())
        yield port


@contextmanager
def system_bus(directory: Path) -> Iterator[str]:
    """Run a dbus-daemon on which nobody offers anything; give its address."""
    path = directory / "bus"
    config = directory / "bus.conf"
    config.write_text(_BUS.format(path=path))
    with running([program("dbus-daemon"), f"--config-file={config}", "--nofork"]):

        def connect_once() -> None:
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(path))

        _await_listener(connect_once)
        yield f"unix:path={path}"


def _await_listener(connect_once: object) -> None:
    deadline_s = time.monotonic() + _START_S
    while True:
        try:
            connect_once()  # type: ignore[operator]
        except OSError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.02)
        else:
            return


class Tty:
    """A meter's line: what is written to it arrives at the device ``path``."""

    def __init__(self) -> None:
        """Make a pseudo terminal, raw."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)

    def write(self, octets: bytes) -> None:
        """Send; waits while nobody reads."""
        os.write(self._master, octets)

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Close both ends."""
        os.close(self._master)
        os.close(self._slave)


class Subscriber:
    """A bare MQTT 3.1.1 client that knows only how many PUBLISH packets have come."""

    def __init__(self, port: int, topic: str) -> None:
        """Connect without a keepalive and subscribe with QoS 0."""
        name = f"listen-{os.urandom(4).hex()}".encode()
        rest = b"\x00\x04MQTT\x04\x02\x00\x00" + len(name).to_bytes(2, "big") + name
        self._sock = socket.create_connection(("127.0.0.1", port))
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wanted = topic.encode()
        subscribe = b"\x00\x01" + len(wanted).to_bytes(2, "big") + wanted + b"\x00"
        self._sock.sendall(
            bytes((0x10, len(rest))) + rest + bytes((0x82, len(subscribe))) + subscribe
        )
        self._held = b""
        self._wait(4 + 5)
        self._held = self._held[4 + 5 :]

    def publishes(self, count: int, within_s: float) -> int:
        """Wait until ``count`` messages have come, or the time is over; return how many have."""
        deadline_s = time.monotonic() + within_s
        seen = 0
        while seen < count:
            while (length := self._packet_length()) is None:
                self._sock.settimeout(max(0.001, deadline_s - time.monotonic()))
                try:
                    self._receive()
                except TimeoutError:
                    return seen
            seen += self._held[0] >> 4 == 3  # noqa: PLR2004 - PUBLISH
            self._held = self._held[length:]
        return seen

    def drain(self, quiet_s: float) -> int:
        """Take messages until none has come for ``quiet_s``; return how many came."""
        seen = 0
        while self.publishes(1, quiet_s):
            seen += 1
        return seen

    def close(self) -> None:
        """Hang up."""
        self._sock.close()

    def _packet_length(self) -> int | None:
        length = shift = 0
        for index, octet in enumerate(self._held[1:5]):
            length |= (octet & 127) << shift
            shift += 7
            if octet < 128:  # noqa: PLR2004 - the last octet of a length (MQTT 3.1.1, 2.2.3)
                whole = 2 + index + length
                return whole if len(self._held) >= whole else None
        return None

    def _wait(self, octets: int) -> None:
        self._sock.settimeout(_START_S)
        while len(self._held) < octets:
            self._receive()

    def _receive(self) -> None:
        data = self._sock.recv(65536)
        if not data:
            raise ConnectionError("the broker hung up")
        self._held += data


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used since its start; ``wakeups`` are voluntary context switches."""

    at_s: float
    cpu_s: float
    wakeups: int
    written_octets: int
    write_calls: int


def usage(process_id: int) -> Usage:
    """Read the use of all threads of a process from proc(5)."""
    root = Path(f"/proc/{process_id}")
    fields = (root / "stat").read_text().rpartition(")")[2].split()
    io = dict(line.split(": ") for line in (root / "io").read_text().splitlines())
    return Usage(
        time.monotonic(),
        (int(fields[11]) + int(fields[12])) * _TICK_S,
        sum(_field(task / "status", "voluntary_ctxt_switches") for task in root.glob("task/*")),
        int(io["write_bytes"]),
        int(io["syscw"]),
    )


def resident_mib(process_id: int) -> float:
    """Return the resident memory of a process."""
    return _field(Path(f"/proc/{process_id}/status"), "VmRSS") / 1024


def _field(path: Path, name: str) -> int:
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0])
    raise LookupError(name)


def processor_times() -> list[int]:
    """Ticks of all processors together, by what they went to (proc(5), stat)."""
    return [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]


@dataclass(slots=True)
class Load:
    """How busy the machine was from its making until ``words`` are asked for."""

    _before: list[int] = field(default_factory=processor_times)

    def words(self) -> str:
        """Return the load and the share of time that the host gave to other machines."""
        spent = [b - a for a, b in zip(self._before, processor_times(), strict=True)]
        stolen = spent[7] / max(1, sum(spent[:8]))
        return f"load {os.getloadavg()[0]:.1f}, {stolen:.1%} stolen"


def relay_command(device: str, port: int) -> list[str]:
    """Return the least that can do the way: octets in, one message out."""
    return [sys.executable, "-c", _RELAY, device, str(port)]


def sensed_command(directory: Path, device: str, port: int, extra: str = "") -> list[str]:
    """Return sensed with its configuration; its topics start with ``sensed/bench``."""
    config = directory / "sensed.toml"
    config.write_text(
        f'[device]\nid = "bench"\n[meter]\nport = "{device}"\n'
        f'[mqtt]\nhost = "127.0.0.1"\nport = {port}\n{extra}'
    )
    return [sys.executable, "-m", "sensed", "run", "--config", str(config)]


def sensed_environment(directory: Path, bus: str | None) -> dict[str, str]:
    """Return where sensed keeps things and what it finds.

    With a ``bus`` also gpiozero's mock pins, else no bus and the pins of this machine.
    """
    for name in ("state", "run"):
        (directory / name).mkdir(exist_ok=True)
    pins = {"GPIOZERO_PIN_FACTORY": "mock"} if bus else {}
    return {
        **pins,
        "STATE_DIRECTORY": str(directory / "state"),
        "RUNTIME_DIRECTORY": str(directory / "run"),
        "DBUS_SYSTEM_BUS_ADDRESS": bus or f"unix:path={directory}/no-bus",
        "PYTHONFAULTHANDLER": "1",
    }


def collector_command(directory: Path, device: str, port: int) -> list[str] | None:
    """Return smartmeter-datacollector with one MQTT message per list; None if not installed."""
    path = Path(sys.executable).with_name("smartmeter-datacollector")
    if not path.exists():
        return None
    config = directory / "collector.ini"
    config.write_text(
        f"[reader0]\ntype = kamstrup_han\nport = {device}\n"
        f"[sink0]\ntype = mqttrldsp\nhost = 127.0.0.1\nport = {port}\ntopic_group = bench\n"
        "[logging]\ndefault = CRITICAL\ncollector = CRITICAL\nsmartmeter = CRITICAL\n"
        "sink = CRITICAL\n"
    )
    return [str(path), "-c", str(config)]


COLLECTOR_TOPIC: Final = "dt/bench/#"


class Manager:
    """Stands for systemd: hears what a service says at NOTIFY_SOCKET."""

    def __init__(self, directory: Path) -> None:
        """Listen in ``directory``."""
        self.path = directory / "notify"
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind(str(self.path))
        self._sock.settimeout(_START_S)

    def await_ready(self) -> float:
        """Return when READY=1 came, on the monotonic clock."""
        while b"READY=1" not in self._sock.recv(4096):
            pass
        return time.monotonic()

    def close(self) -> None:
        """Listen no more."""
        self._sock.close()
        self.path.unlink()
