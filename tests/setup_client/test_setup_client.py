"""``sensed setup`` on a laptop against the device's own code, with bleak between them."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("bleak", reason="needs bleak")

from sensed.cli import main, setup_client
from sensed.errors import SensedError
from sensed.provisioning import SetupMode
from sensed.provisioning.encrypted import SetupCode, lockout
from sensed.provisioning.improv import SERVICE_UUID as IMPROV
from sensed.setup_client import LinkLostError, conversation, find, link
from tests.provisioning.conftest import Daemon, running
from tests.provisioning.test_encrypted import ENCRYPTED, Stage
from tests.setup_client.radio import Air, Scanner, on_air
from tests.waiting import until

HERE = "AA:BB:CC:DD:EE:01"


@pytest.fixture
async def stage(dbus: Daemon, tmp_path: Path) -> AsyncIterator[Stage]:
    made = Stage(dbus, tmp_path)
    await made.bluez.start()
    await made.nm.start()
    yield made
    await made.bluez.disconnect()
    await made.nm.disconnect()


@pytest.fixture
async def air(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Air:
    monkeypatch.setattr(link, "_OTHERS_S", 0.1)
    monkeypatch.setattr(setup_client, "_SEARCH_S", 0.5)
    made = on_air(monkeypatch)
    made.devices[HERE] = stage.bluez
    return made


class Laptop:
    """The command line, beside the device."""

    def __init__(self, stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
        self._stage = stage
        self._capsys = capsys
        self.code_file = stage.folder / "typed-code"

    async def types(self, *arguments: str) -> tuple[int, str, str]:
        self._capsys.readouterr()
        code = await asyncio.to_thread(main, ["setup", *arguments])
        out, err = self._capsys.readouterr()
        kept = [line for line in out.splitlines() if not line.startswith("20")]
        return code, "\n".join(kept), err

    async def asks(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        if not self.code_file.exists():
            self.code_file.write_text(self._stage.code.grouped.lower() + "\n")
        arguments = (*arguments, "--code-file", str(self.code_file), "--json")
        code, out, err = await self.types(*arguments)
        assert err == ""
        return code, json.loads(out)


@pytest.fixture
def laptop(stage: Stage, air: Air, capsys: pytest.CaptureFixture[str]) -> Laptop:
    assert air.devices
    return Laptop(stage, capsys)


@pytest.mark.parametrize("mtu", [23, 517])
async def test_a_laptop_sets_everything_up(
    stage: Stage, air: Air, laptop: Laptop, tmp_path: Path, mtu: int
) -> None:
    air.mtu = mtu
    secret = tmp_path / "secret"
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        code, out, _ = await laptop.types("find", "--seconds", "0.1")
        assert (code, out) == (0, f"{'sensed-42':<30} {HERE}  -50 dBm")
        assert await laptop.asks("identify") == (0, {})
        assert stage.identified == 1
        _, seen = await laptop.asks("wifi")
        assert seen["networks"] == [{"ssid": "Hjemme", "rssi_dbm": -60, "auth": "WPA2"}]
        secret.write_text("wrong-password\n")
        code, refused = await laptop.asks("wifi", "Hjemme", "--password-file", str(secret))
        assert (code, refused["error"]) == (1, "wrong-password")
        secret.write_text("grautfat\n")
        code, joined = await laptop.asks("wifi", "Hjemme", "--password-file", str(secret))
        assert (code, joined) == (0, {"addresses": ["192.168.1.7"]})
        await stage.advertised(ENCRYPTED)
        _, around = await laptop.asks("mqtt")
        assert around["brokers"][0]["host"] == "localhost"
        code, _ = await laptop.asks(
            "mqtt", "b.example", "--tls", "--username", "u", "--password-file", str(secret)
        )
        assert code == 1
        assert stage.keeper.values == {}
        code, refused = await laptop.asks("mqtt", "b.example")
        assert (refused["error"], refused["key"]) == ("locked", "mqtt.port")
        secret.write_text("00112233445566778899aabbccddeeff")
        assert (await laptop.asks("meter", "--key-file", str(secret)))[0] == 0
        assert stage.keeper.values == {"meter.key": "00112233445566778899aabbccddeeff"}
        code, told = await laptop.asks("set", "fuse.main_a=25", "device.name=42", "mqtt.tls=true")
        assert stage.keeper.values["fuse.main_a"] == 25
        assert stage.keeper.values["device.name"] == "42"
        assert stage.keeper.values["mqtt.tls"] is True
        assert told["settings"]["fuse.main_a"] == {"value": 25, "locked": False}
        await laptop.asks("set", "fuse.main_a=", "fuse.margin_a=2.5")
        assert stage.keeper.values["fuse.main_a"] is None
        assert stage.keeper.values["fuse.margin_a"] == 2.5
        assert (await laptop.asks("status"))[1]["state"] == "no_cloud"
        # Each command hangs up, so that the next client gets in.
        await until(lambda: not any(one.is_connected for one in air.links))


async def test_answers_are_words_for_people(stage: Stage, laptop: Laptop) -> None:
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        await laptop.asks("identify")
        code_file = ("--code-file", str(laptop.code_file))
        for arguments, shown in [
            (("wifi",), "Hjemme"),
            (("wifi", "Hjemme", "--open"), ""),
            (("mqtt",), "localhost:1883 (wants an account)"),
            (("set", "light.brightness=40"), "light.brightness   40"),
            (("status",), "xxx"),
            (("identify",), "flashes white"),
        ]:
            code, out, err = await laptop.types(*arguments, *code_file)
            assert shown in out
            assert (code == 0) == (err == "")
        assert code == 0


async def test_the_qr_code_s_text_will_do(stage: Stage, laptop: Laptop) -> None:
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        laptop.code_file.write_text(stage.code.address("https://page.example/", "x"))
        assert (await laptop.asks("identify"))[0] == 0


async def test_a_wrong_code_and_a_lock_have_their_exit_code(stage: Stage, laptop: Laptop) -> None:
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        laptop.code_file.write_text(SetupCode.generate().grouped)
        for _ in range(lockout.TRIES - 1):
            code, told = await laptop.asks("status")
            assert (code, told["error"]) == (4, "wrong-code")
        code, told = await laptop.asks("status")
        assert (code, told["error"]) == (4, "locked")
        assert "60 s" in told["text"]


async def test_a_typing_mistake_costs_no_try(stage: Stage, laptop: Laptop) -> None:
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        laptop.code_file.write_text("0123456-789ABCD-EFGHJKX")
        code, _, err = await laptop.types("status", "--code-file", str(laptop.code_file))
        assert (code, "typing mistake" in err) == (2, True)
        assert stage.state.lockout.tries_left == lockout.TRIES


async def test_nobody_there_and_several_there_are_told(
    stage: Stage, air: Air, laptop: Laptop
) -> None:
    assert stage.make()
    code, told = await laptop.asks("status")
    assert (code, told["error"]) == (3, "no-device")
    assert (await laptop.types("find", "--seconds", "0.1"))[0] == 3
    async with running(stage.sensed.run()):
        await stage.advertised(IMPROV)
        air.devices["AA:BB:CC:DD:EE:02"] = stage.bluez
        code, told = await laptop.asks("status")
        assert (code, told["error"]) == (3, "several")
        assert HERE in told["text"]
        assert (await laptop.asks("status", "--device", HERE.lower()))[0] == 0
        assert (await laptop.asks("status", "--device", "another"))[0] == 3


async def test_a_device_without_the_service_is_told(stage: Stage, laptop: Laptop) -> None:
    async with running(stage.make(encrypted=SetupMode.OFF).run()):
        await stage.advertised(IMPROV)
        code, told = await laptop.asks("status")
        assert (code, told["error"]) == (5, "connection")
        assert "no encrypted set-up" in told["text"]


async def test_a_device_that_is_busy_or_closed_is_told(
    stage: Stage, air: Air, laptop: Laptop
) -> None:
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        (device,) = await find(0.1)
        async with conversation(device, stage.code) as talk:
            assert await talk.ask("identify") == {}
            code, told = await laptop.asks("status")
            assert (code, "another client" in told["text"]) == (5, True)
        assert len(air.links) == 2


async def test_a_link_that_breaks_is_told_at_once(stage: Stage, air: Air) -> None:
    stage.keeper.slow_s = 30
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        (device,) = await find(0.1)

        def cut(_word: str) -> None:
            assert air.links[0]._phone is not None
            air.links[0]._phone.lose_link()

        with pytest.raises(LinkLostError, match="was lost"):
            async with conversation(device, stage.code) as talk:
                await talk.ask("settings.set", cut, values={})


async def test_a_scan_that_does_not_end_takes_nothing_from_what_was_found(
    stage: Stage, air: Air, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def stop(scanner: Scanner) -> None:
        scanner._task.cancel()
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Scanner, "stop", stop)
    monkeypatch.setattr(link, "_CALL_S", 0.2)
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        async with asyncio.timeout(5):
            found = await find(0.1)
    assert [one.address for one in found] == list(air.devices)
    assert asked.is_set()


async def test_without_a_system_bus_the_remedy_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    with pytest.raises(LinkLostError, match="apt install dbus bluez"):
        await find(0.1)


async def test_a_bus_that_says_nothing_is_not_waited_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/bus")
    monkeypatch.setattr(link, "_CALL_S", 0.2)
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(f"{tmp_path}/bus")
        mute.listen()
        with pytest.raises(LinkLostError, match="systemctl status bluetooth"):
            await find(0.1)


async def test_without_bleak_the_remedy_is_told(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bleak", None)
    with pytest.raises(SensedError, match="python3-bleak"):
        await find(0.1)
    code, _, err = await laptop.types("find")
    assert (code, "python3-bleak" in err) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("set", "fuse.main_a"),
        ("meter", "--key-file", "/does/not/exist"),
        ("mqtt", "host", "--ca-file", "/dev/null/x"),
    ],
)
async def test_wrong_use_is_told_before_the_radio(
    stage: Stage, air: Air, laptop: Laptop, arguments: tuple[str, ...]
) -> None:
    assert stage.make()
    code, _, err = await laptop.types(*arguments)
    assert code == 2
    assert err.startswith("sensed: ")
    assert air.links == []


async def test_no_secret_is_an_argument() -> None:
    from sensed.cli import build_parser
    from sensed.manual.model import read_parser

    program = read_parser(build_parser())
    flags = {
        flag
        for command in program.walk()
        if command.path[:2] == ("sensed", "setup")
        for option in command.options
        for flag in option.flags
    }
    assert {"--password-file", "--key-file", "--code-file"} <= flags
    assert not flags & {"--password", "--key", "--code"}
