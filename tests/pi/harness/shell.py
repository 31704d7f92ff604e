"""A root shell on the Pi over one kept connection."""

from __future__ import annotations

import shlex
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

_LOGIN_DEADLINE_S = 120.0
_AS_ON_THE_PI = "nsenter --target 1 --net --mount"


class CommandFailedError(AssertionError):
    """A command on the Pi ended with another status than 0."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    status: int
    output: str
    errors: str


class Shell:
    """Runs commands as if typed at the Pi: the wire's end there has network and /sys of its own."""

    def __init__(self, port: int, key: Path, folder: Path) -> None:
        self._socket = folder / "ssh"
        self._base = [
            *("ssh", "-F", "none", "-p", str(port), "-i", str(key), "-S", str(self._socket)),
            *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
            *("-o", "LogLevel=ERROR", "-o", "BatchMode=yes", "-o", "ConnectTimeout=60"),
            *("-o", "ServerAliveInterval=0"),
        ]
        self._socket.unlink(missing_ok=True)
        self._master = self._log_in()

    def try_run(self, command: str, *, stdin: bytes = b"", within_s: float = 300.0) -> Outcome:
        """Run a command and return how it ended."""
        ended = subprocess.run(
            self._call(command),
            input=stdin,
            capture_output=True,
            timeout=within_s,
            check=False,
        )
        return Outcome(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    def run(self, command: str, *, stdin: bytes = b"", within_s: float = 300.0) -> str:
        """Run a command and return what it printed; CommandFailedError when its status is not 0."""
        outcome = self.try_run(command, stdin=stdin, within_s=within_s)
        if outcome.status:
            raise CommandFailedError(
                f"{command}\nended with {outcome.status}\n{outcome.output}{outcome.errors}"
            )
        return outcome.output

    def start(self, command: str, *, listens: bool = False) -> subprocess.Popen[bytes]:
        """Start a command and return its end here, to read what it prints as it comes.

        One that ``listens`` has a stdin.
        """
        stdin = subprocess.PIPE if listens else subprocess.DEVNULL
        return subprocess.Popen(self._call(command), stdin=stdin, stdout=subprocess.PIPE)

    def bring_here(self, there: str, here: Path) -> None:
        """Have a socket of the Pi's lead to one of this machine's, while the connection lasts."""
        self.run(f"rm -f {there}")
        forward = ["-O", "forward", "-R", f"{there}:{here}", "root@127.0.0.1"]
        subprocess.run([*self._base, *forward], check=True, timeout=_LOGIN_DEADLINE_S)

    def _call(self, command: str) -> list[str]:
        remote = f"exec {_AS_ON_THE_PI} bash -c {shlex.quote(command)}"
        return [*self._base, "root@127.0.0.1", remote]

    def _log_in(self) -> subprocess.Popen[bytes]:
        deadline_s = time.monotonic() + _LOGIN_DEADLINE_S
        while True:
            master = subprocess.Popen(
                [*self._base, "-M", "-N", "root@127.0.0.1"], stdin=subprocess.DEVNULL
            )
            while master.poll() is None:
                if self._socket.exists():
                    return master
                if time.monotonic() > deadline_s:
                    master.kill()
                time.sleep(0.1)
            assert time.monotonic() < deadline_s, f"no login within {_LOGIN_DEADLINE_S:.0f} s"
            time.sleep(1)

    def close(self) -> None:
        """Hang up."""
        self._master.terminate()
        self._master.wait()
