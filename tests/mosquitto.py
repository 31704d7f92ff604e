"""A real mosquitto on a loopback port, to start, stop, freeze and kill."""

from __future__ import annotations

import contextlib
import getpass
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import pytest

_SEARCHED = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
_START_DEADLINE_S = 10.0


def find(program: str) -> str:
    """Return the path of one of mosquitto's programs."""
    path = shutil.which(program) or shutil.which(program, path=_SEARCHED)
    assert path is not None, f"{program} is missing: apt install mosquitto mosquitto-clients"
    return path


def free_port() -> int:
    """Return a loopback port that nothing listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Mosquitto:
    """One broker with its files in ``directory``; ``config`` lines follow the listener's.

    Retained messages do not outlive ``stop`` or ``kill``, as persistence is off.
    """

    def __init__(
        self,
        directory: Path,
        *,
        passwords: Mapping[str, str] | None = None,
        config: str = "",
        port: int | None = None,
    ) -> None:
        self.port = port or free_port()
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        lines = ["persistence false", f"user {getpass.getuser()}"]
        if passwords:
            lines += ["allow_anonymous false", f"password_file {self._password_file(passwords)}"]
        else:
            lines += ["allow_anonymous true"]
        lines += [f"listener {self.port} 127.0.0.1", "set_tcp_nodelay true"]
        lines += ["max_queued_messages 0", config]  # subscribers in a busy test lag behind
        self._config = directory / f"mosquitto-{self.port}.conf"
        self._log = self._config.with_suffix(".log")
        self._config.write_text("\n".join(lines) + "\n")

    def start(self) -> Self:
        """Start and wait until the port answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [find("mosquitto"), "-c", str(self._config)], stdout=log, stderr=log
            )
        deadline_s = time.monotonic() + _START_DEADLINE_S
        while time.monotonic() < deadline_s:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return self
            assert self._process.poll() is None, self.log()
            time.sleep(0.005)
        raise AssertionError(f"mosquitto does not answer: {self.log()}")

    def stop(self) -> None:
        """End it as systemd would: connections are closed in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let it hang: the kernel goes on acknowledging, the broker does not."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def log(self) -> str:
        """Return what it has written."""
        return self._log.read_text(errors="replace")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)
        process.wait(timeout=10)

    def _password_file(self, passwords: Mapping[str, str]) -> Path:
        path = self._directory / "passwords"
        path.write_text("".join(f"{user}:{word}\n" for user, word in passwords.items()))
        path.chmod(0o600)
        subprocess.run([find("mosquitto_passwd"), "-U", str(path)], check=True, timeout=10)
        return path


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running broker that lets everybody in."""
    with Mosquitto(tmp_path) as broker:
        yield broker
