"""Systems that are really broken: the probe, its judgement and the remedy, together."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dbus_fast import Variant

from sensed.doctor import CHECKS, Level, examination
from sensed.doctor.machine import Machine, User, service_user
from sensed.simulator.play import PtySink
from tests.doctor.conftest import WELL, Patient, daemon, examined, ill
from tests.mosquitto import Mosquitto, free_port
from tests.provisioning.conftest import Daemon
from tests.provisioning.fake_bluez import ADAPTER, FakeBluez
from tests.provisioning.fake_network_manager import FakeNetworkManager
from tests.provisioning.peer import Peer
from tests.uplink.test_tls import Authority, encrypted_broker
from tests.waiting import until

OK, WARN, FAIL = Level.OK, Level.WARN, Level.FAIL
NOBODY = User("nobody-here", 54321, frozenset({54321}))


# -- adapter -------------------------------------------------------------------------


async def test_a_port_that_works_is_left_as_it_was(patient: Patient, pty: PtySink) -> None:
    descriptor = os.open(pty.path, os.O_RDWR | os.O_NOCTTY)
    before = termios.tcgetattr(descriptor)
    os.close(descriptor)
    found = await examined(patient())
    assert (found["adapter"].level, found["adapter"].text) == (OK, f"{pty.device} can be used.")
    descriptor = os.open(pty.path, os.O_RDWR | os.O_NOCTTY)
    assert termios.tcgetattr(descriptor) == before
    os.close(descriptor)


async def test_a_port_the_service_may_not_read(patient: Patient, pty: PtySink) -> None:
    os.chmod(pty.path, 0o600)  # noqa: PTH101
    found = await examined(patient(user=NOBODY))
    assert found["adapter"].level is FAIL
    assert "nobody-here may not read" in found["adapter"].text
    assert "usermod -aG" in found["adapter"].remedy


async def test_no_port_at_all(patient: Patient, pty: PtySink) -> None:
    place = patient()
    pty.unplug()
    found = await examined(place)
    assert (found["adapter"].level, found["modem_manager"].level) == (FAIL, OK)
    assert "no adapter" in found["adapter"].text


async def test_a_port_that_is_a_file(patient: Patient, tmp_path: Path, pty: PtySink) -> None:
    pty.unplug()
    (tmp_path / "mbus").write_text("not a tty")
    found = await examined(patient())
    assert found["adapter"].level is FAIL
    assert "not a serial device" in found["adapter"].text


@contextmanager
def taken(device: str) -> Iterator[int]:
    """Have another program hold the port as pyserial does, alone."""
    code = (
        "import serial, sys; port = serial.Serial(sys.argv[1], exclusive=True); "
        "print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, device], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"open\n"
        yield process.pid
        process.stdin.close()


async def test_a_port_that_another_program_has(patient: Patient, pty: PtySink) -> None:
    with taken(pty.device) as pid:
        found = await examined(patient(machine=Machine()))
    assert found["adapter"].level is FAIL
    assert f"process {pid}" in found["adapter"].text
    assert "End that program" in found["adapter"].remedy


async def test_a_serial_server_that_refuses(patient: Patient, tmp_path: Path) -> None:
    place = patient()
    path = tmp_path / "sensed.toml"
    path.write_text(f'[meter]\nport = "socket://127.0.0.1:{free_port()}"\n')
    found = await examined(place)
    assert found["adapter"].level is FAIL
    assert "serial server" in found["adapter"].text
    with socket.create_server(("127.0.0.1", 0)) as server:
        path.write_text(f'[meter]\nport = "socket://127.0.0.1:{server.getsockname()[1]}"\n')
        assert (await examined(place))["adapter"].level is OK


async def test_the_line_format_found_last_is_told(patient: Patient, tmp_path: Path) -> None:
    (tmp_path / "line").write_text("2400 8N1\n")
    assert "2400 8N1" in (await examined(patient()))["meter"].text


# -- a running daemon ------------------------------------------------------------------


async def test_a_running_daemon_is_asked_and_its_port_and_name_are_left_alone(
    patient: Patient, pty: PtySink, tmp_path: Path, mosquitto: Mosquitto
) -> None:
    place = patient(f'[mqtt]\nhost = "127.0.0.1"\nport = {mosquitto.port}\n')
    port = {"device": pty.device, "open": True, "line": "2400 8E1"}
    await until(lambda: "closed its connection" in mosquitto.log())  # The fixture's own.
    before = mosquitto.log()
    with taken(pty.device):  # The daemon's own.
        async with daemon(tmp_path, port):
            found = await examined(place)
    assert {found[name].level for name in ("daemon", "adapter", "meter", "light", "broker")} == {OK}
    assert found["meter"].text == "Lists come, the last 1 s ago; line format 2400 8E1."
    assert mosquitto.log() == before


@pytest.mark.parametrize(
    ("fact", "check", "level", "text", "remedy"),
    [
        ("meter:permission", "adapter", FAIL, "denied", "usermod"),
        ("meter:busy", "adapter", FAIL, "in use by", "End"),
        ("meter:permission", "meter", FAIL, "No list", "adapter"),
        ("meter:no_octets", "meter", FAIL, "Wrong", "Mend it."),
        ("cloud:dns", "dns", FAIL, "Wrong", "Mend it."),
        ("cloud:clock", "tls", FAIL, "Wrong", "Mend it."),
        ("cloud:not_authorised", "broker", FAIL, "Wrong", "Mend it."),
        ("network_manager:permission", "polkit", WARN, "join networks", "reinstall"),
    ],
)
async def test_what_the_daemon_tells_is_found(
    *,
    fact: str,
    check: str,
    level: Level,
    text: str,
    remedy: str,
    patient: Patient,
    tmp_path: Path,
) -> None:
    name, _, cause = fact.partition(":")
    place = patient('[mqtt]\nhost = "broker.invalid"\n')
    async with daemon(tmp_path, **{name: ill(cause, "Wrong: mend it.")}):
        found = (await examined(place))[check]
    assert (found.level, text in found.text, remedy in found.remedy) == (level, True, True)


async def test_a_daemon_that_has_not_tried_the_broker_yet(patient: Patient, tmp_path: Path) -> None:
    async with daemon(tmp_path, cloud={**WELL, "holds": None}):
        found = await examined(patient('[mqtt]\nhost = "broker.invalid"\n'))
    assert found["broker"].level is WARN
    assert "not tried" in found["broker"].text


async def test_a_daemon_that_hangs_keeps_its_port_and_its_name(
    patient: Patient, pty: PtySink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "_DAEMON_S", 0.3)

    with Mosquitto(tmp_path) as broker:
        place = patient(f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n')
        with socket.socket(socket.AF_UNIX) as mute, taken(pty.device):
            mute.bind(str(tmp_path / "control"))
            mute.listen()
            found = await examined(place)
        assert "sensed-test" not in broker.log()
    assert found["daemon"].level is FAIL
    assert "not tried" in found["adapter"].text
    assert (found["dns"].level, found["broker"].level) == (OK, WARN)


AS_NOBODY = """
import contextlib, io, os, sys
from sensed.cli import main
with contextlib.redirect_stdout(io.StringIO()):
    main(["doctor", "--config", sys.argv[2]])  # afterwards everything is imported
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
sys.exit(main(["doctor", "--json", *sys.argv[1:]]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, which only root can")
def test_a_plain_user_is_told_what_it_cannot_see(tmp_path: Path) -> None:
    config, control = tmp_path / "sensed.toml", tmp_path / "control"
    config.write_text("[mqtt]\n")
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    config.chmod(0o600)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(control))
        control.chmod(0o660)
        listener.listen()
        out = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, "--config", str(config), "--socket", str(control)],
            check=False,
            stdout=subprocess.PIPE,
            timeout=25,
        ).stdout
    told = json.loads(out)
    found = {finding["check"]: finding for finding in told["findings"]}
    for check, text in (
        ("configuration", "cannot see all of the configuration"),
        ("daemon", "may not ask the daemon"),
        ("broker", "cannot see which broker"),
    ):
        assert found[check]["level"] == "warn"
        assert text in found[check]["text"]
        assert "root" in found[check]["remedy"]


# -- the way to the broker -------------------------------------------------------------


async def test_a_broker_that_works_is_not_met_under_the_daemons_name(
    patient: Patient, mosquitto: Mosquitto
) -> None:
    found = await examined(patient(f'[mqtt]\nhost = "127.0.0.1"\nport = {mosquitto.port}\n'))
    assert [found[name].level for name in ("configuration", "dns", "tls", "broker")] == [OK] * 4
    assert "sensed-test-d" in mosquitto.log()
    assert "sensed-test " not in mosquitto.log()


async def test_a_broker_that_refuses(patient: Patient) -> None:
    found = await examined(patient(f'[mqtt]\nhost = "127.0.0.1"\nport = {free_port()}\n'))
    assert (found["dns"].level, found["broker"].level) == (OK, FAIL)
    assert "refuses port" in found["broker"].text
    assert "broker runs" in found["broker"].remedy


async def test_a_broker_that_does_not_know_the_password(patient: Patient, tmp_path: Path) -> None:
    with Mosquitto(tmp_path, passwords={"pi": "right"}) as broker:
        found = await examined(
            patient(
                f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n'
                'username = "pi"\npassword = "wrong-one"\n'
            )
        )
    assert found["broker"].level is FAIL
    assert "user name or password" in found["broker"].text
    assert not any("wrong-one" in str(finding) for finding in found.values())


async def test_a_broker_with_another_certificate(patient: Patient, tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    with encrypted_broker(tmp_path, theirs.issue("127.0.0.1")) as broker:
        mqtt = f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\ntls = true\n'
        found = await examined(patient(f'{mqtt}ca_file = "{ours.path}"\n'))
        assert found["tls"].level is FAIL
        assert "certificates" in found["tls"].remedy
        assert "broker" not in found
        found = await examined(patient(f'{mqtt}ca_file = "{theirs.path}"\n'))
        assert (found["tls"].level, found["broker"].level) == (OK, OK)
        found = await examined(patient(f'{mqtt}ca_file = "{tmp_path}/missing.pem"\n'))
        assert "missing.pem" in found["tls"].remedy


async def test_a_certificate_from_the_future_is_the_clock_s_fault(
    patient: Patient, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "ours")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with encrypted_broker(tmp_path, authority.issue("127.0.0.1", valid_from=tomorrow)) as broker:
        found = await examined(
            patient(
                f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\ntls = true\n'
                f'ca_file = "{authority.path}"\n'
            )
        )
    assert found["tls"].level is FAIL
    assert "clock is wrong" in found["tls"].text


async def test_a_broker_whose_name_nobody_knows(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sensed.uplink.trial._CONNECT_S", 3.0)
    found = await examined(patient('[mqtt]\nhost = "does-not-exist.invalid"\n'))
    assert FAIL in (found.get("dns") or found["broker"]).level
    assert found["dns"].level is FAIL or "does not answer" in found["broker"].text


# -- the services about ----------------------------------------------------------------


async def test_without_a_bus_nothing_is_claimed(patient: Patient) -> None:
    found = await examined(patient())
    for check in ("modem_manager", "bluetooth", "network_manager", "clock"):
        assert found[check].level is WARN, check
    assert "D-Bus" in found["bluetooth"].text


async def test_services_that_are_off(patient: Patient, dbus: Daemon) -> None:
    assert dbus.address
    found = await examined(patient())
    assert "bluetooth is not running" in found["bluetooth"].text
    assert "does not run" in found["network_manager"].text
    assert found["modem_manager"].level is OK


async def test_services_that_are_on_are_only_looked_at(patient: Patient, dbus: Daemon) -> None:
    bluez = await FakeBluez(dbus.address, powered=False).start()
    manager = await FakeNetworkManager(dbus.address).start()
    clock = Peer(dbus.address)
    timedate = "org.freedesktop.timedate1"
    clock.objects["/org/freedesktop/timedate1"] = {
        timedate: {"NTPSynchronized": Variant("b", True)}
    }
    await clock.connect(timedate)
    try:
        found = await examined(patient())
    finally:
        for peer in (bluez, manager, clock):
            await peer.disconnect()
    assert [found[name].level for name in ("bluetooth", "network_manager", "clock")] == [OK] * 3
    assert bluez.adapter["Powered"] is False
    assert ADAPTER in bluez.objects
    assert {"Set", "RegisterApplication", "RequestScan", "AddAndActivateConnection2"}.isdisjoint(
        bluez.calls + manager.calls + clock.calls
    )


async def test_a_clock_nobody_has_set(patient: Patient, dbus: Daemon) -> None:
    clock = Peer(dbus.address)
    timedate = "org.freedesktop.timedate1"
    clock.objects["/org/freedesktop/timedate1"] = {
        timedate: {"NTPSynchronized": Variant("b", False)}
    }
    await clock.connect(timedate)
    try:
        found = await examined(patient())
    finally:
        await clock.disconnect()
    assert found["clock"].level is WARN
    assert "not been set" in found["clock"].text


async def test_a_clock_that_is_before_the_software(patient: Patient) -> None:
    found = await examined(patient(now=lambda: datetime(1970, 1, 1, tzinfo=UTC)))
    assert found["clock"].level is FAIL


class Mute(Peer):
    async def _answer(self, message: Any) -> None:
        """Leave every call unanswered."""


async def test_services_that_never_answer_cost_a_bounded_time(
    patient: Patient, dbus: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "_LOOK_S", 0.3)
    mute = Mute(dbus.address)
    await mute.connect("org.bluez")
    await mute.bus.request_name("org.freedesktop.NetworkManager")
    began_s = asyncio.get_running_loop().time()
    try:
        found = await examined(patient())
    finally:
        await mute.disconnect()
    assert asyncio.get_running_loop().time() - began_s < 5
    assert "does not answer" in found["bluetooth"].text
    assert "does not answer" in found["network_manager"].text
    assert found["modem_manager"].level is OK


async def test_modem_manager_on_the_port(
    patient: Patient, pty: PtySink, dbus: Daemon, tmp_path: Path
) -> None:
    number = os.stat(pty.path).st_rdev  # noqa: PTH116
    record = tmp_path / f"root/run/udev/data/c{os.major(number)}:{os.minor(number)}"
    record.parent.mkdir(parents=True)
    modem_manager = Peer(dbus.address)
    await modem_manager.connect("org.freedesktop.ModemManager1")
    try:
        record.write_text("E:ID_BUS=usb\n")
        found = await examined(patient())
        assert found["modem_manager"].level is WARN
        assert "mask --now ModemManager" in found["modem_manager"].remedy
        record.write_text("E:ID_BUS=usb\nE:ID_MM_PORT_IGNORE=1\n")
        assert (await examined(patient()))["modem_manager"].level is OK
    finally:
        await modem_manager.disconnect()


# -- the kernel's files ----------------------------------------------------------------


def radio(root: Path, name: str, kind: str, *, soft: int = 0, hard: int = 0) -> None:
    folder = root / "sys/class/rfkill" / name
    folder.mkdir(parents=True)
    for file, value in (("type", kind), ("soft", soft), ("hard", hard)):
        (folder / file).write_text(f"{value}\n")


def country(root: Path, code: str) -> None:
    folder = root / "sys/module/cfg80211/parameters"
    folder.mkdir(parents=True)
    (folder / "ieee80211_regdom").write_text(f"{code}\n")


async def test_radios_that_are_blocked(patient: Patient, tmp_path: Path) -> None:
    root = tmp_path / "root"
    radio(root, "rfkill0", "wlan", soft=1)
    radio(root, "rfkill1", "bluetooth", soft=1)
    country(root, "00")
    found = await examined(patient())
    assert (found["wifi"].level, found["bluetooth"].level) == (WARN, WARN)
    assert "do_wifi_country" in found["wifi"].remedy
    assert "rfkill unblock bluetooth" in found["bluetooth"].remedy


async def test_a_radio_that_is_free(patient: Patient, tmp_path: Path) -> None:
    radio(tmp_path / "root", "rfkill0", "wlan")
    country(tmp_path / "root", "NO")
    assert "NO" in (await examined(patient()))["wifi"].text


@pytest.mark.parametrize(
    ("rule", "level"), [('subject.user === "sensed"', OK), ("something else", WARN)]
)
async def test_polkit_rules(rule: str, level: Level, patient: Patient, tmp_path: Path) -> None:
    folder = tmp_path / "root/usr/share/polkit-1/rules.d"
    folder.mkdir(parents=True)
    (folder / "50-sensed.rules").write_text(rule)
    assert (await examined(patient()))["polkit"].level is level


def test_the_packages_rule_and_udev_marks_are_those_that_are_looked_for(tmp_path: Path) -> None:
    debian = Path(__file__).parents[2] / "debian"
    folder = tmp_path / "usr/share/polkit-1/rules.d"
    folder.mkdir(parents=True)
    (folder / "50-sensed.rules").write_text((debian / "polkit/50-sensed.rules").read_text())
    assert Machine(tmp_path).polkit_rule() is True
    assert 'ENV{ID_MM_PORT_IGNORE}="1"' in (debian / "sensed.udev").read_text()


async def test_lines_the_service_may_not_use(patient: Patient, tmp_path: Path) -> None:
    chip = tmp_path / "root/dev/gpiochip0"
    chip.parent.mkdir(parents=True)
    chip.touch(0o600)
    found = await examined(patient(user=NOBODY))
    assert found["light"].level is WARN
    assert "may not use the GPIO" in found["light"].text


@pytest.mark.parametrize(
    ("mode", "user", "may"),
    [
        (0o600, User("owner", os.geteuid() or 1, frozenset()), os.geteuid() != 0),
        (0o660, User("member", 7, frozenset({os.getegid()})), True),
        (0o640, User("member", 7, frozenset({os.getegid()})), False),
        (0o666, NOBODY, True),
        (0o664, NOBODY, False),
        (0o000, User("root", 0, frozenset()), True),
    ],
)
def test_who_may(*, mode: int, user: User, may: bool, tmp_path: Path) -> None:
    path = tmp_path / "device"
    path.touch()
    path.chmod(mode)
    assert user.may(str(path)) is may
    assert user.may(str(tmp_path / "absent")) is None


def test_without_the_services_user_it_is_about_whoever_asks() -> None:
    assert service_user("no-such-user-here").uid == os.geteuid()
    assert service_user("root").uid == 0


# -- the whole -------------------------------------------------------------------------


async def test_a_wrong_configuration_does_not_end_the_examination(
    patient: Patient, tmp_path: Path
) -> None:
    place = patient()
    (tmp_path / "sensed.toml").write_text("[mqtt]\nhots = 1\n")
    found = await examined(place)
    assert found["configuration"].level is FAIL
    assert "write host" in found["configuration"].text
    assert [check for check in CHECKS if check not in found] == ["dns", "tls"]


async def test_a_check_that_hangs_or_breaks_is_told_as_unseen(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_device: str) -> None:
        await asyncio.sleep(60)

    async def broken(_deadline_s: float) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(examination, "_CHECK_S", 0.1)
    monkeypatch.setattr(examination, "try_port", hang)
    monkeypatch.setattr(examination, "look_around", broken)
    found = await examined(patient())
    assert "longer than" in found["adapter"].text
    assert "Too many open files" in found["clock"].text
    assert [found[name].level for name in ("adapter", "clock", "bluetooth")] == [WARN] * 3
