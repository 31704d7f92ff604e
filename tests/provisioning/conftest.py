"""A D-Bus of the test's own, and sensed on it with either D-Bus library."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from sensed.provisioning import _bus

_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


class Daemon:
    """dbus-daemon on a socket of its own."""

    def __init__(self, folder: Path) -> None:
        self._config = folder / "bus.conf"
        self._socket = folder / "bus"
        self._config.write_text(_CONFIG.format(path=self._socket))
        self.address = f"unix:path={self._socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["dbus-daemon", f"--config-file={self._config}", "--nofork", "--print-address=1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None
        self._socket.unlink(missing_ok=True)


BOTH_LIBRARIES = pytest.mark.parametrize("library", ["dbus_next", "dbus_fast"], indirect=True)


@pytest.fixture
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which D-Bus library sensed uses; what depends on it must hold with both."""
    name: str = getattr(request, "param", "dbus_next")
    importlib.import_module(f"{name}.aio")

    def chosen() -> ModuleType:
        return importlib.import_module(name)

    monkeypatch.setattr(_bus, "_library", chosen)
    return name


@pytest.fixture
def dbus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str) -> Iterator[Daemon]:
    assert library
    daemon = Daemon(tmp_path)
    daemon.start()
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", daemon.address)
    yield daemon
    daemon.stop()


@contextlib.asynccontextmanager
async def running(work: object) -> AsyncIterator[asyncio.Task[None]]:
    """Run a part beside the test; a failure of it is a failure of the test."""
    task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[arg-type]  # a coroutine
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
