"""From a device that knows nothing to readings at a broker, by a phone with the set-up code."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import tomllib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sensed.provisioning import read_code
from sensed.provisioning.improv import SERVICE_UUID, Characteristic, Command, checksum
from sensed.simulator.play import PtySink
from tests.integration.tools import ended, playing, sensed
from tests.mosquitto import Mosquitto
from tests.provisioning.conftest import Daemon
from tests.provisioning.fake_bluez import FakeBluez, Phone
from tests.provisioning.fake_network_manager import WPA2, FakeNetworkManager, House
from tests.provisioning.setup_client import SetupClient
from tests.uplink.tools import listening
from tests.waiting import until

SECRETS = ("grautfat", "hemmelig", "00112233445566778899aabbccddeeff")


@contextlib.asynccontextmanager
async def house(dbus: Daemon) -> AsyncIterator[FakeBluez]:
    bluez = FakeBluez(dbus.address)
    network = House("grautfat", rsn=WPA2, strength=80)
    manager = FakeNetworkManager(dbus.address, {"Hjemme": network})
    await bluez.start()
    await manager.start()
    try:
        yield bluez
    finally:
        await bluez.disconnect()
        await manager.disconnect()


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    folder = tmp_path / "bus"
    folder.mkdir()
    daemon = Daemon(folder)
    daemon.start()
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", daemon.address)
    yield daemon
    daemon.stop()


async def test_a_phone_with_the_code_sets_everything_up(
    tmp_path: Path, bus: Daemon, pty: PtySink
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    etc = tmp_path / "sensed.toml"
    etc.write_text(
        f'[device]\nid = "test"\n[meter]\nport = "{pty.device}"\n[fuse]\nnet = "TN"\n'
        f'[history]\nfile = "{tmp_path}/history.sqlite"\n'
    )
    environment = {"STATE_DIRECTORY": str(state), "RUNTIME_DIRECTORY": str(tmp_path)}
    with Mosquitto(tmp_path, passwords={"u": "hemmelig"}) as broker:
        account = {"username": "u", "password": "hemmelig"}
        async with (
            house(bus) as bluez,
            listening(broker.port, "sensed/test/#", **account) as listener,
            playing("kaifa-3ph", pty),
            sensed("run", "--config", str(etc), **environment) as process,
        ):
            await until(
                lambda: bluez.advertisement.get("ServiceUUIDs") == [SERVICE_UUID], within_s=10
            )
            code = read_code(state)
            phone = await Phone(bluez, "AA", mtu=185).connect()
            client = await SetupClient(phone, code).begin()
            assert (await client.ask("hello"))["device_id"] == "test"
            assert (await client.ask("status"))["state"] == "not_configured"
            joined = await client.ask("wifi.join", ssid="Hjemme", password="grautfat")
            assert joined["ok"]
            mqtt = {
                "mqtt.host": "127.0.0.1",
                "mqtt.port": broker.port,
                "mqtt.username": "u",
                "mqtt.password": "wrong",
            }
            refused = await client.ask("settings.set", values=mqtt)
            assert refused["code"] == "broker-not-authorised"
            taken = await client.ask("settings.set", values={**mqtt, "mqtt.password": "hemmelig"})
            assert taken["settings"]["mqtt.password"] == {"set": True, "locked": False}
            refused = await client.ask("settings.set", values={"fuse.net": "IT"})
            assert (refused["code"], refused["key"]) == ("locked", "fuse.net")
            others = {
                "fuse.main_a": 25,
                "device.name": "Hytta",
                "light.brightness": 40,
                "meter.key": "00112233445566778899aabbccddeeff",
            }
            assert (await client.ask("settings.set", values=others))["ok"]
            for _ in range(100):
                status = await client.ask("status")
                if status["state"] == "active":
                    break
                await asyncio.sleep(0.1)
            assert status["state"] == "active"
            assert status["reading"]["power_import_w"] >= 0
            assert status["reading"]["age_s"] < 30
            assert status["meter"]["maker"] == "Kaifa"
            assert bluez.advertisement["LocalName"] == "Hytta"
            heard = await listener.wait_for("headroom", 2, within_s=15)
            assert heard[-1].json["fuse_a"] == 25
            assert (await client.ask("finish"))["ok"]
            code_of_exit, journal = await ended(process, signal.SIGTERM)
        assert code_of_exit == 0
        for secret in (*SECRETS, code.symbols.reveal(), code.grouped):
            assert secret not in journal
        # Whoever takes the card out finds the secrets in one file, which only one user reads.
        kept = state / "settings.toml"
        assert kept.stat().st_mode & 0o777 == 0o600
        assert [path for path in state.iterdir() if b"hemmelig" in path.read_bytes()] == [kept]

        async with (
            listening(broker.port, "sensed/test/#", **account) as listener,
            playing("kaifa-3ph", pty),
            sensed("run", "--config", str(etc), **environment) as process,
        ):
            await listener.wait_for("power", within_s=15)
            await ended(process, signal.SIGTERM)
        assert read_code(state) == code


async def test_the_code_is_not_for_everybody_on_the_control_socket(
    tmp_path: Path, bus: Daemon
) -> None:
    etc = tmp_path / "sensed.toml"
    etc.write_text('[device]\nid = "test"\n[meter]\nport = "/dev/does-not-exist"\n')
    environment = {"STATE_DIRECTORY": str(tmp_path), "RUNTIME_DIRECTORY": str(tmp_path)}
    async with house(bus), sensed("run", "--config", str(etc), **environment) as process:
        await until((tmp_path / "control").exists, within_s=10)
        code = read_code(tmp_path)
        async with sensed("status", "--json", **environment) as status:
            told, _ = await status.communicate()
        assert json.loads(told)["state"]
        assert code.symbols.reveal() not in told.decode()
        assert os.access(tmp_path / "setup-code", os.R_OK)
        await ended(process, signal.SIGTERM)


async def test_an_improv_app_names_the_device_unless_etc_does(tmp_path: Path, bus: Daemon) -> None:
    etc = tmp_path / "sensed.toml"
    etc.write_text('[device]\nid = "test"\n[meter]\nport = "/dev/does-not-exist"\n')
    environment = {"STATE_DIRECTORY": str(tmp_path), "RUNTIME_DIRECTORY": str(tmp_path)}
    kept = tmp_path / "settings.toml"
    async with house(bus) as bluez:
        async with sensed("run", "--config", str(etc), **environment) as process:
            phone = await named(bluez, "Hytta")
            assert b"\x05Hytta" in await phone.hears(Characteristic.RESULT.uuid)
            await until(lambda: bluez.advertisement.get("LocalName") == "Hytta")
            assert tomllib.loads(kept.read_text()) == {"device": {"name": "Hytta"}}
            assert kept.stat().st_mode & 0o777 == 0o600
            await ended(process, signal.SIGTERM)
        kept.unlink()
        etc.write_text(etc.read_text().replace("[meter]", 'name = "Fast"\n[meter]'))
        async with sensed("run", "--config", str(etc), **environment) as process:
            phone = await named(bluez, "Hytta")
            assert await phone.hears(Characteristic.ERROR.uuid) == b"\xff"
            _, journal = await ended(process, signal.SIGTERM)
    assert not kept.exists()
    assert "device.name is set in /etc/sensed/sensed.toml" in journal


async def named(bluez: FakeBluez, name: str) -> Phone:
    """Give the device a name as an Improv app does."""
    await until(lambda: bluez.advertisement.get("ServiceUUIDs") == [SERVICE_UUID], within_s=10)
    phone = await Phone(bluez, "AA", mtu=185).connect()
    for characteristic in (Characteristic.RESULT, Characteristic.ERROR):
        await phone.subscribe(characteristic.uuid)
    octets = bytes((Command.DEVICE_NAME, len(name))) + name.encode()
    await phone.write(Characteristic.COMMAND.uuid, octets + bytes((checksum(octets),)))
    return phone
