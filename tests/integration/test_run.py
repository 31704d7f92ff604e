"""The main job, end to end: a meter on a pty, ``sensed run``, a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from sensed.cli import main
from sensed.config import load_config
from sensed.daemon import Daemon
from sensed.leds.gpio import GpioDriver, LightSettings
from sensed.simulator.play import PtySink
from tests.integration.tools import (
    BLUE,
    GREEN,
    OFF,
    RED,
    YELLOW,
    colour,
    config_file,
    ended,
    exact,
    first_of_each_kind,
    playing,
    quantities,
    sensed,
    shown,
)
from tests.mosquitto import Mosquitto
from tests.uplink.tools import listening
from tests.waiting import until

pytestmark = pytest.mark.timeout(60)

MAKERS = {
    "aidon-3ph-tn": {"power", "phases"},
    "kaifa-3ph": {"power", "phases"},
    "kamstrup-3ph": {"power", "phases"},
}


@contextlib.asynccontextmanager
async def daemon_in_process(config: Path) -> AsyncIterator[None]:
    """The daemon with gpiozero's mock pins, whose states only this process can see."""
    stop = asyncio.Event()
    daemon = Daemon(
        load_config(config, None),
        make_driver=lambda _config: GpioDriver(LightSettings()),
        standalone=True,
    )
    task = asyncio.create_task(daemon.run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 8)


@pytest.mark.parametrize("meter", MAKERS)
async def test_a_meters_lists_reach_a_subscriber_exactly(
    meter: str, mosquitto: Mosquitto, pty: PtySink, tmp_path: Path
) -> None:
    config = config_file(tmp_path, device=pty.device, broker_port=mosquitto.port)
    async with (
        listening(mosquitto.port, "sensed/test/#") as listener,
        sensed("run", "--config", str(config)) as process,
    ):
        await listener.wait_for("state", within_s=10)
        async with playing(meter, pty) as sent:
            for name in MAKERS[meter]:
                await listener.wait_for(name, within_s=15)
        code, errors = await ended(process, signal.SIGTERM)
    assert code == 0, errors
    assert "Traceback" not in errors
    by_key = [quantities(telegram.reading) for telegram in sent if telegram.reading]
    for name in MAKERS[meter]:
        for heard in listener.on(name):
            values = exact(heard.payload)
            assert values.pop("seq") >= 1
            assert re.fullmatch(r"[0-9a-f]{32}", values.pop("boot_id"))
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", values.pop("received_at"))
            told = {key: value for key, value in values.items() if value is not None}
            assert told
            assert any(told.items() <= reading.items() for reading in by_key), told
    last = exact(listener.on("headroom")[-1].payload)
    assert (last["online"], last["reason"], last["failsafe_a"]) == (False, "stopping", 6)


async def test_the_state_topic_and_the_light_tell_the_same(
    mosquitto: Mosquitto, pty: PtySink, gpio: MockFactory, tmp_path: Path
) -> None:
    config = config_file(tmp_path, device=pty.device, broker_port=mosquitto.port)
    async with (
        listening(mosquitto.port, "sensed/test/#") as listener,
        daemon_in_process(config),
        playing("kaifa-3ph", pty),
    ):
        await shown(gpio, GREEN, within_s=10)
        await until(lambda: exact(listener.on("state")[-1].payload)["state"] == "active")
        facts = exact(listener.on("state")[-1].payload)["facts"]
        assert all(facts[name]["holds"] for name in ("configured", "meter", "address", "cloud"))
        assert exact((await listener.wait_for("meter"))[-1].payload)["maker"] == "Kaifa"
        expected = first_of_each_kind("kaifa-3ph")["list2"]
        # The short lists that may come first do not say whose they are.
        await until(lambda: exact(listener.on("meter")[-1].payload)["meter_id"], within_s=15)
        assert exact(listener.on("meter")[-1].payload)["meter_id"] == expected.meter_id
    assert colour(gpio) == OFF


async def test_the_adapter_may_be_pulled_and_given_back(
    mosquitto: Mosquitto, pty: PtySink, gpio: MockFactory, tmp_path: Path
) -> None:
    config = config_file(tmp_path, device=pty.device, broker_port=mosquitto.port)
    async with (
        listening(mosquitto.port, "sensed/test/#") as listener,
        daemon_in_process(config),
        playing("kaifa-3ph", pty),
    ):
        await shown(gpio, GREEN, within_s=10)
        pty.unplug()
        await shown(gpio, RED, within_s=3)
        await until(lambda: exact(listener.on("state")[-1].payload)["state"] == "no_meter_data")
        before = len(listener.on("power"))
        pty.plug_in()
        await shown(gpio, GREEN, within_s=10)
        await until(lambda: len(listener.on("power")) > before)


async def test_the_broker_may_stop_and_start(
    mosquitto: Mosquitto, pty: PtySink, gpio: MockFactory, tmp_path: Path
) -> None:
    config = config_file(tmp_path, device=pty.device, broker_port=mosquitto.port)
    async with daemon_in_process(config), playing("kaifa-3ph", pty):
        await shown(gpio, GREEN, within_s=10)
        mosquitto.stop()
        await shown(gpio, BLUE, within_s=3)
        mosquitto.start()
        await shown(gpio, GREEN, within_s=15)
        async with listening(mosquitto.port, "sensed/test/#") as listener:
            await listener.wait_for("power", within_s=10)


async def test_without_a_broker_the_light_says_not_configured(
    pty: PtySink, gpio: MockFactory, tmp_path: Path
) -> None:
    config = config_file(tmp_path, device=pty.device, broker_port=None)
    async with daemon_in_process(config):
        await shown(gpio, YELLOW)


async def test_systemd_is_told_of_start_state_and_end(
    mosquitto: Mosquitto, pty: PtySink, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        config = config_file(tmp_path, device=pty.device, broker_port=mosquitto.port)
        told: list[str] = []

        async def heard(what: str) -> None:
            async with asyncio.timeout(10):
                while not told or not told[-1].startswith(what):
                    data = await asyncio.get_running_loop().sock_recv(manager, 4096)
                    told.append(data.decode())

        async with sensed(
            "run", "--config", str(config), NOTIFY_SOCKET=str(tmp_path / "notify")
        ) as process:
            await heard("READY=1")
            await heard("STATUS=")
            process.send_signal(signal.SIGINT)
            await heard("STOPPING=1")
            assert await asyncio.wait_for(process.wait(), 8) == 0


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sensed", "run", *arguments],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def one_sentence(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What ``sensed run`` says as it refuses to start."""
    assert main(["run", *arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1, told.err
    return told.err.strip()


def test_a_wrong_configuration_ends_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "sensed.toml"
    path.write_text("[mqtt]\nprot = 1\n")
    done = run("--config", str(path))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.endswith(
        "unknown key mqtt.prot; write port (sensed.toml(5) lists them all).\n"
    )
    path.write_text('[mqtt]\nport = "1883"\n')
    assert "must be a whole number" in one_sentence(capsys, "--config", str(path))
    absent = str(tmp_path / "absent.toml")
    assert "no such file" in one_sentence(capsys, "--config", absent)


def test_a_right_configuration_can_be_checked(tmp_path: Path) -> None:
    path = tmp_path / "sensed.toml"
    path.write_text('[device]\nid = "pi"\n[mqtt]\nhost = "broker"\n')
    done = run("--check-config", "--config", str(path))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[mqtt]\nhost = "b"\npassword = "p"\n', "needs a user name"),
        ("[fuse]\nmain_a = 16\nmargin_a = 16\n", "must be below the main fuse"),
        ("[setup]\nbutton = 17\n", "both use line 17"),
        ('[mqtt]\nhost = "b"\nbase_topic = "a/#"\n', "a/#"),
    ],
)
def test_settings_that_contradict_each_other_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    path = tmp_path / "sensed.toml"
    path.write_text('[device]\nid = "pi"\n' + text)
    for arguments in (["--check-config"], []):
        assert says in one_sentence(capsys, *arguments, "--config", str(path))


def test_a_port_that_is_no_tty_ends_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = tmp_path / "port"
    port.touch()
    config = config_file(tmp_path, device=str(port), broker_port=1883)
    for arguments in (["--check-config"], []):
        told = one_sentence(capsys, *arguments, "--config", str(config))
        assert "is not a serial device" in told


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a tty unreadable for another user")
def test_an_unreadable_tty_ends_in_one_sentence(
    pty: PtySink, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(pty.path).chmod(0o600)
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
        config.write(f'[device]\nid = "pi"\n[meter]\nport = "{pty.path}"\n')
        config.flush()
        Path(config.name).chmod(0o644)
        # Another user may not be able to read the modules in this one's home.
        assert main(["run", "--config", f"{config.name}.absent"]) == 2
        capsys.readouterr()
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
        try:
            code = main(["run", "--config", config.name])
        finally:
            os.seteuid(0)
    assert code == 2
    told = capsys.readouterr().err
    assert "group dialout" in told
    assert told.count("\n") == 1
