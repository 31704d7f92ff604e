"""The product on the Pi: installed from its package and configured by its file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.patience import PATIENCE_S
from harness.pi import Pi

if TYPE_CHECKING:
    from harness.house import Broker
    from harness.outside import OutsideBroker

UNIT = "sensed.service"
CONFIGURATION = "/etc/sensed/sensed.toml"


@dataclass(frozen=True, slots=True)
class CpuTime:
    """How much processor time a process has used, in seconds, and when, on the Pi's clock."""

    pid: int
    used_s: float
    at_s: float

    def share_since(self, before: CpuTime) -> float:
        """Return the share of one core since an earlier look at the same process."""
        assert self.pid == before.pid, "another process runs by now"
        return (self.used_s - before.used_s) / (self.at_s - before.at_s)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a process has taken from the machine."""

    rss_kib: int
    descriptors: int
    threads: int


class Product:
    """The sensed package on a Pi."""

    def __init__(self, pi: Pi) -> None:
        self._pi = pi

    def install(self, package: Path) -> None:
        """Install the package with apt; everything it needs is on the card already."""
        self._pi.write("/tmp/sensed.deb", package.read_bytes())
        self._pi.run(
            "DEBIAN_FRONTEND=noninteractive apt-get -qq --yes"
            " --no-install-recommends install /tmp/sensed.deb",
            within_s=2 * PATIENCE_S,
        )

    def forget_everything(self) -> None:
        """Reset the product, and forget what was configured without it."""
        self._pi.forgets_networks()
        self._pi.run(f": >{CONFIGURATION}; sensed setup reset --yes")

    def setup_code(self) -> str:
        """Return the set-up code, as it is printed."""
        lines = self._pi.run("sensed setup code").splitlines()
        (line,) = (line for line in lines if "Set-up code" in line)
        return line.rpartition(" ")[2]

    def is_configured_for(self, broker: Broker) -> bool:
        """Return whether the configuration file names this broker."""
        return not self._pi.try_run(f"grep -q '{broker.host}' {CONFIGURATION}").status

    def configure(self, broker: Broker | OutsideBroker, more: str = "") -> None:
        """Name the broker in the configuration file, and more, and have it read."""
        text = f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\n{more}'
        self._pi.write(CONFIGURATION, text)
        self.reload()

    def unconfigure(self) -> None:
        """Empty the configuration file and have it read."""
        self._pi.run(f": >{CONFIGURATION}")
        self.reload()

    def reload(self) -> None:
        """Reload the service and wait until it says that it has."""
        self._pi.run(f"systemctl reload {UNIT}")

    @property
    def pid(self) -> int:
        """Return the daemon's process, 0 when there is none."""
        return int(self._pi.property_of(UNIT, "MainPID"))

    @property
    def restarts(self) -> int:
        """Return how often systemd had to start it again by itself."""
        return int(self._pi.property_of(UNIT, "NRestarts"))

    def signal(self, name: str) -> None:
        """Send the daemon a signal."""
        self._pi.run(f"kill -{name} {self.pid}")

    def cpu_time(self) -> CpuTime:
        """Return how much processor time the daemon has used so far."""
        pid = self.pid
        stat, uptime, ticks = self._pi.run(
            f"cat /proc/{pid}/stat /proc/uptime; getconf CLK_TCK"
        ).splitlines()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return CpuTime(pid, (int(user) + int(system)) / int(ticks), float(uptime.split()[0]))

    def holds(self) -> Holdings:
        """Return what the daemon has taken from the machine."""
        pid = self.pid
        counts = self._pi.run(
            f"awk '/^(VmRSS|Threads):/ {{print $2}}' /proc/{pid}/status; ls /proc/{pid}/fd | wc -l"
        )
        rss_kib, threads, descriptors = map(int, counts.split())
        return Holdings(rss_kib, descriptors, threads)

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Have the service stopped for a while."""
        self._pi.run(f"systemctl stop {UNIT}")
        yield
        self._pi.run(f"systemctl start {UNIT}")

    def is_ready(self) -> bool:
        """Return whether the service has said READY and not ended since."""
        return self._pi.property_of(UNIT, "ActiveState") == "active"

    @property
    def start_took_s(self) -> float:
        """How long it took from its start to READY, s, as systemd counts."""
        began_us, ready_us = (
            int(self._pi.property_of(UNIT, f"{moment}TimestampMonotonic"))
            for moment in ("InactiveExit", "ActiveEnter")
        )
        return (ready_us - began_us) / 1e6

    def wait_until_restarted(self, *, since: int) -> None:
        """Wait until systemd has started it again after ``since`` restarts, and it is ready."""
        self._pi.wait_until(
            f"[ $(systemctl show --value -p NRestarts {UNIT}) -gt {since} ]"
            f" && systemctl is-active -q {UNIT}"
        )
