"""SIGHUP: the configuration is read again, and what it concerns starts anew."""

from __future__ import annotations

import asyncio
import signal
import socket
from pathlib import Path

import pytest

from sensed.simulator.play import PtySink
from tests.integration.tools import config_file, ended, exact, playing, sensed
from tests.mosquitto import Mosquitto
from tests.uplink.tools import listening


class Manager:
    """systemd's end of sd_notify(3)."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    async def hears(self, what: str) -> None:
        async with asyncio.timeout(10):
            while True:
                told = await asyncio.get_running_loop().sock_recv(self._socket, 4096)
                if told.decode().startswith(what):
                    return

    def close(self) -> None:
        self._socket.close()


async def test_another_broker_port_and_device_take_effect_without_a_restart(
    mosquitto: Mosquitto, pty: PtySink, tmp_path: Path
) -> None:
    manager = Manager(tmp_path / "notify")
    config = config_file(tmp_path, device=pty.device, broker_port=None)
    async with (
        listening(mosquitto.port, "sensed/#") as listener,
        sensed("run", "--config", str(config), NOTIFY_SOCKET=str(tmp_path / "notify")) as process,
        playing("kaifa-3ph", pty),
    ):
        await manager.hears("READY=1")
        await manager.hears("STATUS=not configured")
        config_file(tmp_path, device=pty.device, broker_port=mosquitto.port)
        process.send_signal(signal.SIGHUP)
        await manager.hears("RELOADING=1")
        await manager.hears("READY=1")
        await listener.wait_for("power", within_s=10)
        await listener.wait_for("meter", within_s=12)

        config.write_text(config.read_text().replace('id = "test"', 'id = "other"'))
        process.send_signal(signal.SIGHUP)
        await manager.hears("READY=1")
        async with listening(mosquitto.port, "sensed/other/#") as other:
            await other.wait_for("power", within_s=10)
        gone = [exact(message.payload) for message in listener.on("headroom") if message.payload]
        assert "stopping" in {payload["reason"] for payload in gone}
        async with listening(mosquitto.port, "sensed/#") as late:
            await late.wait_for("state")
            await asyncio.sleep(0.1)
            kept = {message.topic.split("/")[1] for message in late.heard if message.retain}
        assert kept == {"other"}  # the old name leaves nothing behind
    manager.close()


async def test_a_wrong_configuration_is_told_and_the_old_one_stays(
    mosquitto: Mosquitto, pty: PtySink, tmp_path: Path
) -> None:
    manager = Manager(tmp_path / "notify")
    config = config_file(tmp_path, device=pty.device, broker_port=mosquitto.port)
    async with (
        listening(mosquitto.port, "sensed/test/#") as listener,
        sensed("run", "--config", str(config), NOTIFY_SOCKET=str(tmp_path / "notify")) as process,
        playing("kaifa-3ph", pty),
    ):
        await manager.hears("READY=1")
        config.write_text("[mqtt]\nprot = 1\n")
        process.send_signal(signal.SIGHUP)
        await manager.hears("READY=1")
        before = len(listener.on("power"))
        await listener.wait_for("power", before + 2, within_s=10)
        process.terminate()
        _, errors = await asyncio.wait_for(process.communicate(), 8)
    assert b"write port" in errors
    assert process.returncode == 0
    manager.close()


@pytest.mark.parametrize(
    ("more", "says", "end_told"),
    [
        ("[fuse]\nmain_a = 16\nmargin_a = 16\n", "must be below the main fuse", 1),
        ("", "", 0),
    ],
)
async def test_only_a_configuration_that_is_taken_changes_what_is_logged(
    pty: PtySink, tmp_path: Path, more: str, says: str, end_told: int
) -> None:
    manager = Manager(tmp_path / "notify")
    config = config_file(tmp_path, device=pty.device, broker_port=None)
    async with sensed(
        "run", "--config", str(config), NOTIFY_SOCKET=str(tmp_path / "notify")
    ) as process:
        await manager.hears("READY=1")
        config.write_text(config.read_text() + '[log]\nlevel = "error"\n' + more)
        process.send_signal(signal.SIGHUP)
        await manager.hears("READY=1")
        code, errors = await ended(process, signal.SIGTERM)
    assert code == 0
    assert says in errors
    assert errors.count("is stopping") == end_told
    manager.close()
