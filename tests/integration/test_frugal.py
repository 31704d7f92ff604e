"""The whole daemon takes nothing that it has no use for: libraries, wake-ups, disk."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from sensed.simulator.play import PtySink
from tests.integration.tools import config_file, ended, playing, sensed
from tests.mosquitto import Mosquitto
from tests.uplink.tools import listening

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("own_lines")]

UNUSED = {
    "bleak",
    "cryptography",
    "dbus_next",
    "difflib",
    "getpass",
    "gpiozero",
    "segno",
    "sensed.cli.demo",
    "sensed.cli.setup",
    "sensed.demo",
    "sensed.doctor",
    "sensed.setup_client",
    "sensed.simulator",
    "sqlite3",
}


def surroundings(directory: Path) -> dict[str, str]:
    """Directories of its own, and neither a bus nor GPIO lines."""
    for name in ("state", "run"):
        (directory / name).mkdir()
    return {
        "STATE_DIRECTORY": str(directory / "state"),
        "RUNTIME_DIRECTORY": str(directory / "run"),
        "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={directory}/no-bus",
    }


@pytest.fixture
def own_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """What holds the light's lines is what does so on a Pi."""
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)


@pytest.mark.skipif(bool(list(Path("/dev").glob("gpiochip*"))), reason="this machine has GPIO")
async def test_no_library_is_loaded_that_is_not_in_use(
    mosquitto: Mosquitto, pty: PtySink, tmp_path: Path
) -> None:
    config = config_file(tmp_path, device=pty.device, broker_port=mosquitto.port)
    async with listening(mosquitto.port, "sensed/test/#") as listener:
        environment = {**os.environ, **surroundings(tmp_path), "PYTHONPROFILEIMPORTTIME": "1"}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sensed", "run", "--config", str(config)),
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
        # Nothing reads the pipe before the end, and so many lines would fill it.
        telling = asyncio.create_task(process.communicate())
        try:
            async with playing("aidon-3ph-tn", pty):
                await listener.wait_for("power", within_s=60)
        finally:
            process.send_signal(signal.SIGTERM)
            _, told = await asyncio.wait_for(telling, 20)
    loaded = set(re.findall(r"^import time:.*\| +(\S+)$", told.decode(), re.MULTILINE))
    assert {"paho.mqtt.client", "serial_asyncio", "sensed.uplink.store"} <= loaded
    packages = {name.rsplit(".", depth)[0] for name in loaded for depth in range(4)}
    assert not packages & UNUSED


def wakeups(process_id: int) -> int:
    """Return how often the threads of a process have begun to wait."""
    return sum(
        int(re.findall(r"^voluntary_ctxt_switches:\s+(\d+)", status.read_text(), re.MULTILINE)[0])
        for status in Path(f"/proc/{process_id}/task").glob("*/status")
    )


def octets_written(process_id: int) -> int:
    """Return how much a process has sent towards the disk."""
    text = Path(f"/proc/{process_id}/io").read_text()
    return int(re.findall(r"^write_bytes: (\d+)", text, re.MULTILINE)[0])


@pytest.mark.slow
async def test_while_online_nothing_is_written_and_between_lists_nothing_wakes(
    mosquitto: Mosquitto, pty: PtySink, tmp_path: Path
) -> None:
    config = config_file(tmp_path, device=pty.device, broker_port=mosquitto.port)
    async with (
        listening(mosquitto.port, "sensed/test/#") as listener,
        sensed("run", "--config", str(config), **surroundings(tmp_path)) as process,
    ):
        async with playing("aidon-3ph-tn", pty):
            await listener.wait_for("power", within_s=60)
            before = octets_written(process.pid)
            files = sorted((tmp_path / "state").iterdir())
            await asyncio.sleep(16)  # lists, and the meter's introduction
        await asyncio.sleep(1)
        woken = wakeups(process.pid)
        await asyncio.sleep(6)
        assert wakeups(process.pid) - woken <= 4  # a ping, its answer, a search for the bus
        assert octets_written(process.pid) == before
        assert sorted((tmp_path / "state").iterdir()) == files
        assert not (tmp_path / "history.sqlite").exists()
        code, errors = await ended(process, signal.SIGTERM)
    assert code == 0, errors
