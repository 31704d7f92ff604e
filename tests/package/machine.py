"""A pristine Debian machine in name spaces of its own, with systemd as process 1.

No virtual machine and no image: an overlay on a cached root, thrown away afterwards. It has no
network but its loopback, so what it may want to install is downloaded before it starts.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Self

_BOOT_DEADLINE_S: Final = 60.0

_MOUNT: Final = r"""
lower=$1 work=$2 archives=$3 packages=$4; root=$work/root
mount -t overlay -o "lowerdir=$lower,upperdir=$work/upper,workdir=$work/overlay" overlay "$root"
mount -t proc proc "$root/proc"
mkdir -p "$root/var/cache/apt/archives"
mount --bind "$archives" "$root/var/cache/apt/archives"
# For downloads only: the machine's own /dev and /run come later.
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
    IFS=: read -r name major minor <<<"$device"
    mknod -m 666 "$root/dev/$name" c "$major" "$minor"
done
cp --remove-destination /etc/resolv.conf "$root/etc/resolv.conf"
printf 'APT::Keep-Downloaded-Packages "true";\n' >"$root/etc/apt/apt.conf.d/90keep"
export DEBIAN_FRONTEND=noninteractive
chroot "$root" apt-get -qq update
# shellcheck disable=SC2086
chroot "$root" apt-get -qq --yes --download-only install $packages
umount "$root/proc"
exec unshare --pid --fork --kill-child --uts --ipc --net --cgroup bash -euc "$BOOT" boot "$root"
"""

_BOOT: Final = r"""
root=$1
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
ip link set lo up
# A link with an address, as a house has it; nobody is at its other end.
ip link add house type veth peer name street
ip address add 192.0.2.10/24 dev house
ip link set house up
ip link set street up
hostname machine
cd "$root"
mkdir .old
pivot_root . .old
umount --lazy .old
rmdir .old
exec env -i container=machine PATH=/usr/sbin:/usr/bin \
    chroot . /usr/lib/systemd/systemd --system --log-target=journal
"""


class MachineError(AssertionError):
    """A command in the machine failed; the text has its output."""


class Machine:
    """One machine; a context manager that ends it and removes its files.

    ``lower`` is the pristine root, ``work`` a new folder on a file system that can carry an
    overlay, ``archives`` a folder of downloaded packages that is kept. ``put`` before the
    start, then ``start`` with all that is to be downloaded.
    """

    def __init__(self, lower: Path, work: Path, archives: Path) -> None:
        self._lower = lower
        self._work = work
        self._archives = archives
        self._launcher: subprocess.Popen[bytes] | None = None
        self._pid = 0
        self._cgroup = _cgroup_root() / f"machine-{os.getpid()}"
        for name in ("upper", "overlay", "root"):
            (work / name).mkdir(parents=True)
        archives.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, packages: Sequence[str]) -> None:
        """Download ``packages`` (names, or paths in the machine), then start systemd."""
        self._cgroup.mkdir()
        with (self._work / "launcher.log").open("wb") as log:
            self._launcher = subprocess.Popen(
                # The kernel ends the launcher, and it the machine, should this process die.
                [
                    *("setpriv", "--pdeathsig", "KILL"),
                    *("unshare", "--mount", "--propagation", "private"),
                    *("bash", "-euc", f'echo $$ >"$CGROUP"; {_MOUNT}', "mount"),
                    *(self._lower, self._work, self._archives, " ".join(packages)),
                ],
                env={"PATH": os.environ["PATH"], "BOOT": _BOOT}
                | {"CGROUP": str(self._cgroup / "cgroup.procs")},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._await_boot()

    def stop(self) -> None:
        """End process 1, and with it everything in the machine; remove its files."""
        if self._launcher is not None:
            self._launcher.kill()
            self._launcher.wait()
            self._launcher = None
        # The kernel takes a moment to end what was in it.
        self.until(self._left_cgroup, within_s=10, what="an empty control group")
        shutil.rmtree(self._work, ignore_errors=True)

    def run(
        self,
        command: str,
        *,
        user: str = "root",
        within_s: float = 120.0,
        check: bool = True,
    ) -> str:
        """Run a shell command in the machine; return what it printed."""
        done = subprocess.run(
            [
                *("nsenter", "--target", str(self._pid), "--all", "env", "-i"),
                *("PATH=/usr/sbin:/usr/bin", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"),
                *("runuser", "--user", user, "--", "sh", "-c", command),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=within_s,
            check=False,
        )
        output = done.stdout.decode(errors="backslashreplace")
        if check and done.returncode != 0:
            raise MachineError(f"{command}: exit code {done.returncode}\n{output}")
        return output

    def put(self, source: Path, path: str) -> None:
        """Copy a file or folder into the machine, before or after it has started."""
        inside = self._work / "upper" / path.lstrip("/")
        if self._pid:
            inside = Path(f"/proc/{self._pid}/root") / path.lstrip("/")
        inside.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, inside, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, inside)

    def write(self, path: str, text: str) -> None:
        """Put a file with this text into the running machine, keeping its mode if it exists."""
        (Path(f"/proc/{self._pid}/root") / path.lstrip("/")).write_text(text, encoding="utf-8")

    def until(self, holds: Callable[[], bool], *, within_s: float, what: str) -> float:
        """Wait until ``holds``; return how long that took. Raises MachineError."""
        started_s = time.monotonic()
        while not holds():
            if time.monotonic() - started_s > within_s:
                raise MachineError(f"not within {within_s} s: {what}")
            time.sleep(0.25)
        return time.monotonic() - started_s

    def _left_cgroup(self) -> bool:
        for folder, _, _ in os.walk(self._cgroup, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
        return not self._cgroup.exists()

    def _await_boot(self) -> None:
        launcher = self._launcher
        assert launcher is not None
        log = self._work / "launcher.log"
        while not self._pid:
            if launcher.poll() is not None:
                raise MachineError(f"the machine did not start:\n{log.read_text()}")
            self._pid = _systemd_beneath(launcher.pid)
            time.sleep(0.1)
        self.until(
            lambda: self.run("systemctl is-system-running", check=False).strip() == "running",
            within_s=_BOOT_DEADLINE_S,
            what="a machine that is running",
        )


def _systemd_beneath(launcher: int) -> int:
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    for child in children:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                return int(child)
    return 0


def _cgroup_root() -> Path:
    for line in Path("/proc/mounts").read_text().splitlines():
        _, path, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(path)
    raise MachineError("no cgroup2 file system is mounted; systemd needs one")
