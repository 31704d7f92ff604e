from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from sensed.control import ControlServer
from sensed.doctor import Finding, Place, examine
from sensed.doctor.machine import Machine, service_user
from sensed.simulator.play import PtySink
from tests.mosquitto import mosquitto
from tests.provisioning.conftest import dbus, library, running
from tests.waiting import until

__all__ = ["dbus", "library", "mosquitto"]

Patient = Callable[..., Place]
Findings = Mapping[str, Finding]

WELL: Mapping[str, Any] = {"holds": True, "cause": None, "detail": None, "age_s": 1.0}
"""One of the daemon's facts, when all is well."""

FACTS = ("configured", "meter", "address", "cloud", "light", "bluetooth", "network_manager")


def ill(cause: str, detail: str) -> Mapping[str, Any]:
    """Return one of the daemon's facts when something is wrong."""
    return {"holds": False, "cause": cause, "detail": detail, "age_s": 1.0}


@pytest.fixture(autouse=True)
def no_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep this machine's own bus out of it; a test that wants a bus has its own."""
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/no-bus")


@pytest.fixture
def pty(tmp_path: Path) -> Iterator[PtySink]:
    sink = PtySink(tmp_path / "mbus")
    yield sink
    sink.unplug()


@pytest.fixture
def patient(tmp_path: Path, pty: PtySink) -> Patient:
    """Return a place to examine: ``config`` is added to a pty as port and a fuse."""

    def make(config: str = "", **other: Any) -> Place:
        path = tmp_path / "sensed.toml"
        path.write_text(
            f'[device]\nid = "test"\n[meter]\nport = "{pty.device}"\n[fuse]\nmain_a = 25\n{config}'
        )
        other = {
            "state": tmp_path / "settings.toml",
            "socket": tmp_path / "control",
            "machine": Machine(tmp_path / "root"),
            # Whether or not the service is installed here, the tests' files are not its own.
            "user": service_user("nobody-of-this-name"),
            **other,
        }
        return Place(config=path, **other)

    return make


async def examined(place: Place) -> Findings:
    """Return the findings by their check."""
    return {finding.check: finding for finding in await examine(place)}


def daemon(
    folder: Path, port: Mapping[str, Any] | None = None, **facts: Mapping[str, Any]
) -> AbstractAsyncContextManager[object]:
    """Be a daemon that tells these facts, and that all else is well."""

    async def status(_request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            "state": "active",
            "words": "configured and active",
            "age_s": 1.0,
            "facts": {**dict.fromkeys(FACTS, WELL), **facts},
            "meter": {"last_list_age_s": 1.4, "list_interval_s": 2.5},
            "port": port or {},
        }

    @contextlib.asynccontextmanager
    async def serving() -> AsyncIterator[object]:
        socket = folder / "control"
        async with running(ControlServer(socket, {"status": status}).run()) as server:
            await until(socket.is_socket)
            yield server

    return serving()
