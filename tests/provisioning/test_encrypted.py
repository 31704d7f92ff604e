"""The encrypted service end to end on a real D-Bus: a phone, BlueZ's rules, NetworkManager."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog

from sensed.provisioning import (
    House,
    Provisioning,
    RefusedError,
    SetupError,
    SetupMode,
    SetupSettings,
    SetupState,
    desk,
    encrypted,
    read_code,
    session,
    setup_state,
    visitors,
    window,
)
from sensed.provisioning.encrypted import End, SessionEndedError, SetupCode, lockout
from sensed.provisioning.encrypted import session as protocol
from sensed.provisioning.improv import SERVICE_UUID as IMPROV
from sensed.provisioning.improv import Characteristic
from tests.provisioning.conftest import BOTH_LIBRARIES, Daemon, running
from tests.provisioning.fake_bluez import FakeBluez, Phone
from tests.provisioning.fake_network_manager import WPA2, FakeNetworkManager
from tests.provisioning.fake_network_manager import House as Network
from tests.provisioning.peer import PeerError
from tests.provisioning.setup_client import INFO, RX, TX, SetupClient
from tests.waiting import until

ENCRYPTED = "e11e0000-deca-47b1-8ff5-e6e0c62470de"


class FakeKeeper:
    """The rest of the daemon."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self.slow_s = 0.0
        self.cancelled = 0

    def about(self) -> Mapping[str, object]:
        return {"device_id": "pi-1"}

    def status(self) -> Mapping[str, object]:
        return {"state": "no_cloud", "words": "x" * 900, "facts": {}, "reading": None}

    def settings(self) -> Mapping[str, object]:
        return {name: {"value": value, "locked": False} for name, value in self.values.items()}

    async def change(self, values: Mapping[str, object]) -> None:
        try:
            await asyncio.sleep(self.slow_s)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if "mqtt.port" in values:
            raise RefusedError("locked", "The administrator has fixed it.", "mqtt.port")
        self.values.update(values)

    async def brokers(self) -> Sequence[Mapping[str, object]]:
        return [{"host": "localhost", "port": 1883, "tls": False, "login": True}]


class Stage:
    def __init__(self, daemon: Daemon, folder: Path) -> None:
        self.bluez = FakeBluez(daemon.address)
        self.nm = FakeNetworkManager(
            daemon.address, {"Hjemme": Network("grautfat", rsn=WPA2, strength=80)}
        )
        self.folder = folder
        self.keeper = FakeKeeper()
        self.identified = 0
        self.resets = 0
        self.uplink_set = False

    def make(
        self, improv: SetupMode = SetupMode.AUTO, encrypted: SetupMode = SetupMode.AUTO
    ) -> Provisioning:
        self.state = SetupState(self.folder, asyncio.get_running_loop().time())
        self.sensed = Provisioning(
            SetupSettings(improv=improv, encrypted=encrypted, device_name="sensed-42"),
            on_identify=self._identify,
            on_facts=lambda _facts: None,
            on_reset=self._reset,
            uplink_set=lambda: self.uplink_set,
            house=House(self.state, self.keeper),
        )
        return self.sensed

    def _identify(self) -> None:
        self.identified += 1

    def _reset(self) -> None:
        self.resets += 1

    @property
    def code(self) -> SetupCode:
        return read_code(self.folder)

    async def advertised(self, uuid: str) -> None:
        await until(lambda: self.bluez.advertisement.get("ServiceUUIDs") == [uuid])

    async def client(
        self, name: str = "AA", *, code: SetupCode | None = None, **options: Any
    ) -> SetupClient:
        phone = await Phone(self.bluez, name, **options).connect()
        return SetupClient(phone, code or self.code)


@pytest.fixture
async def stage(
    dbus: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stage]:
    monkeypatch.setattr(session, "_GOODBYE_S", 0.05)
    made = Stage(dbus, tmp_path)
    await made.bluez.start()
    await made.nm.start()
    yield made
    await made.bluez.disconnect()
    await made.nm.disconnect()


@BOTH_LIBRARIES
@pytest.mark.parametrize("mtu", [23, 185, 517])
async def test_a_phone_sets_everything_up(stage: Stage, mtu: int) -> None:
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        client = await stage.client(mtu=mtu)
        info = await client.info()
        assert (info.name, info.busy, info.locked_s) == ("sensed-42", False, 0)
        assert info.frame == min(mtu - 3, 244)
        await client.begin()
        hello = await client.ask("hello")
        assert (hello["device_id"], hello["name"]) == ("pi-1", "sensed-42")
        assert hello["open_s"] > 800
        assert (await client.ask("identify"))["ok"]
        assert stage.identified == 1
        assert (await client.ask("wifi.scan"))["networks"] == [
            {"ssid": "Hjemme", "rssi_dbm": -60, "auth": "WPA2"}
        ]
        wrong = await client.ask("wifi.join", ssid="Hjemme", password="wrong-password")
        assert (wrong["ok"], wrong["code"]) == (False, "wrong-password")
        assert wrong["text"].endswith(".")
        joined = await client.ask("wifi.join", ssid="Hjemme", password="grautfat")
        assert joined["addresses"] == ["192.168.1.7"]
        assert set(client.progress) == {"scanning", "joining"}
        assert stage.nm.saved == ["sensed-Hjemme"]
        # Improv is done with, but the broker is still missing.
        await stage.advertised(ENCRYPTED)
        assert (await client.ask("broker.suggest"))["brokers"][0]["host"] == "localhost"
        told = await client.ask("settings.set", values={"mqtt.host": "localhost"})
        assert told["settings"]["mqtt.host"] == {"value": "localhost", "locked": False}
        refused = await client.ask("settings.set", values={"mqtt.port": 1})
        assert (refused["code"], refused["key"]) == ("locked", "mqtt.port")
        status = await client.ask("status")
        assert status["wifi"] == {"ssid": "Hjemme", "rssi_dbm": -60}
        assert (status["state"], status["words"]) == ("no_cloud", "x" * 900)
        assert status["addresses"] == ["192.168.1.7"]
        assert (await client.ask("finish"))["ok"]
        assert (await client.ended()).why is End.CLOSED
        await client.lost()
        await until(lambda: not stage.bluez.characteristics)


async def test_a_configured_device_opens_only_on_request(stage: Stage) -> None:
    stage.uplink_set = True
    stage.nm.connect_cable()
    async with running(stage.make().run()):
        await asyncio.sleep(0.1)
        assert not stage.bluez.advertisement
        assert stage.sensed.open_window() > 290
        await stage.advertised(IMPROV)
        client = await (await stage.client()).begin()
        assert (await client.ask("status"))["ok"]
        stage.sensed.close_window()
        assert (await client.ended()).why is End.CLOSED
        await client.lost()
        assert not stage.bluez.advertisement


async def test_without_a_broker_it_is_open_though_there_is_a_network(stage: Stage) -> None:
    stage.nm.connect_cable()
    async with running(stage.make().run()):
        await stage.advertised(ENCRYPTED)
        assert stage.bluez.service_data[:1] == b"\x01"
        phone = (await stage.client()).phone
        assert await phone.read(Characteristic.STATE.uuid) == b"\x01"
        stage.uplink_set = True
        stage.sensed.look()
        await until(lambda: not stage.bluez.characteristics)


async def test_with_improv_off_nothing_of_it_is_there(stage: Stage) -> None:
    async with running(stage.make(improv=SetupMode.OFF).run()):
        await stage.advertised(ENCRYPTED)
        assert stage.bluez.advertisement["ServiceData"] == {}
        assert set(stage.bluez.characteristics) == {INFO, RX, TX}
        client = await (await stage.client()).begin()
        joined = await client.ask("wifi.join", ssid="Hjemme", password="grautfat")
        assert joined["ok"]


@pytest.mark.parametrize("mode", [SetupMode.BUTTON, SetupMode.OFF])
async def test_what_is_not_open_is_refused(stage: Stage, mode: SetupMode) -> None:
    async with running(stage.make(encrypted=mode).run()):
        await stage.advertised(IMPROV)
        assert (RX in stage.bluez.characteristics) == (mode is SetupMode.BUTTON)
        client = await stage.client()
        if mode is SetupMode.BUTTON:
            with pytest.raises(PeerError, match="NotAuthorized"):
                await client.begin()
        stage.sensed.open_window()
        if mode is SetupMode.BUTTON:
            await client.begin()


async def test_the_page_may_come_back_for_a_while_after_the_broker_is_set(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sensed.provisioning.windows.LINGER_S", 1.0)
    stage.nm.connect_cable()
    async with running(stage.make().run()):
        await stage.advertised(ENCRYPTED)
        client = await (await stage.client()).begin()
        await client.ask("settings.set", values={"mqtt.host": "localhost"})
        stage.uplink_set = True
        stage.sensed.look()
        await client.ask("status")
        client.phone.lose_link()
        again = await (await stage.client("BB")).begin()
        assert (await again.ask("settings.get"))["ok"]
        again.phone.lose_link()
        await until(lambda: not stage.bluez.characteristics)


async def test_one_client_at_a_time_and_the_next_one_when_it_has_gone(stage: Stage) -> None:
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        first = await (await stage.client("AA")).begin()
        await first.ask("hello")
        second = await stage.client("BB")
        assert (await second.info()).busy
        with pytest.raises(PeerError, match="NotAuthorized"):
            await second.begin()
        # What the first one is told reaches the second one too, and says nothing to it.
        await first.ask("status")
        first.phone.lose_link()
        await until(lambda: second.phone.told.qsize() > 3)
        await second.begin()
        assert (await second.ask("hello"))["ok"]
        assert not (await second.info()).busy


async def test_wrong_codes_lock_and_the_lock_outlives_a_restart(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = SetupCode.generate()
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        client = await stage.client(code=other)
        for _ in range(lockout.TRIES - 1):
            with pytest.raises(SessionEndedError, match="another set-up code"):
                await client.begin()
        assert client.phone.is_connected
        with pytest.raises(SessionEndedError, match="none for 60 s"):
            await client.begin()
        await client.lost()
        assert 50 < (await (await stage.client("BB")).info()).locked_s <= 60
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        owner = await stage.client("CC")
        assert 50 < (await owner.info()).locked_s <= 60
        with pytest.raises(SessionEndedError, match="none for"):
            await owner.begin()
    monkeypatch.setattr(lockout, "FIRST_S", 0.05)
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        owner = await stage.client("DD")
        await asyncio.sleep(0.06)
        await owner.begin()
        await owner.ask("hello")
    assert SetupState(stage.folder, 0.0).lockout.tries_left == lockout.TRIES


async def test_reset_forgets_everything_and_makes_a_new_code(stage: Stage) -> None:
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        before = stage.code
        client = await (await stage.client()).begin()
        await client.ask("wifi.join", ssid="Hjemme", password="grautfat")
        assert (await client.ask("reset"))["networks"] == 1
        assert (await client.ended()).why is End.RESET
        await client.lost()
        assert (stage.resets, stage.nm.saved) == (1, [])
        assert stage.code != before
        await stage.advertised(IMPROV)
        with pytest.raises(SessionEndedError, match="another set-up code"):
            await (await stage.client("BB", code=before)).begin()
        await (await stage.client("CC")).begin()


async def test_a_reset_on_the_device_ends_the_session(stage: Stage) -> None:
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        client = await (await stage.client()).begin()
        await client.ask("hello")
        await stage.sensed.commands["setup-reset"]({})
        assert (await client.ended()).why is End.RESET


async def test_who_goes_away_leaves_nothing_half_done(stage: Stage) -> None:
    stage.keeper.slow_s = 30
    stage.nm.houses["Slow"] = Network("12345678", rsn=WPA2, stops_at=70)
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        for number, (do, arguments) in enumerate(
            [
                ("settings.set", {"values": {"mqtt.host": "x"}}),
                ("wifi.join", {"ssid": "Slow", "password": "12345678"}),
            ]
        ):
            client = await (await stage.client(f"A{number}")).begin()
            await client.request(do, **arguments)
            while (await client.hear() or {}).get("progress") is None:
                pass
            client.phone.lose_link()
            await until(lambda: not stage.nm.profiles)
        assert stage.keeper.cancelled == 1
        assert stage.keeper.values == {}
        assert (await (await (await stage.client("BB")).begin()).ask("hello"))["ok"]


async def test_a_second_request_waits_its_turn_but_status_does_not(stage: Stage) -> None:
    stage.keeper.slow_s = 0.3
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        client = await (await stage.client()).begin()
        number = await client.request("settings.set", values={"device.name": "x"})
        assert (await client.ask("wifi.scan"))["code"] == "busy"
        assert (await client.ask("identify"))["ok"]
        assert (await client.ask("status"))["ok"]
        assert (await client.answer(number))["ok"]
        assert (await client.ask("wifi.scan"))["ok"]


async def test_status_is_not_answered_without_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> dict[str, Any]:
        await asyncio.sleep(30)
        return {}

    monkeypatch.setattr("sensed.provisioning.requests.Requests._status", never)
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        client = await (await stage.client()).begin()
        for _ in range(desk._MOST_AT_ONCE):
            await client.request("status")
        assert (await client.ask("status"))["code"] == "busy"


async def test_who_comes_back_at_once_is_not_taken_for_the_one_who_had_to_go(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_GOODBYE_S", 0.2)
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        client = await (await stage.client("AA")).begin()
        await client.ask("status")
        await client.phone.write(RX, b"\x01\x00" + bytes(18))
        await client.phone.write(RX, b"\x03\x01" + bytes(18))
        assert (await client.ended()).why is None
        client.phone.lose_link()
        again = await (await stage.client("AA")).begin()
        await asyncio.sleep(0.3)
        assert (await again.ask("status"))["ok"]


async def test_what_takes_too_long_is_given_up_and_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.keeper.slow_s = 30
    quick = {**desk.RULES, "settings.set": desk._Rule(0.2, {"values": desk._is_object})}
    monkeypatch.setattr(desk, "RULES", quick)
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        client = await (await stage.client()).begin()
        assert (await client.ask("settings.set", values={}))["code"] == "timeout"


async def test_progress_is_told_again_so_that_the_client_knows(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "_SAY_AGAIN_S", 0.05)
    stage.keeper.slow_s = 0.3
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        client = await (await stage.client()).begin()
        await client.ask("settings.set", values={})
        assert client.progress.count("testing-broker") >= 3


@pytest.mark.parametrize(
    ("do", "arguments", "code"),
    [
        ("dance", {}, "unknown-request"),
        ("status", {"more": 1}, "bad-request"),
        ("wifi.join", {"ssid": "x"}, "bad-request"),
        ("wifi.join", {"ssid": "x", "password": 1}, "bad-request"),
        ("wifi.join", {"ssid": "", "password": ""}, "ssid-not-found"),
        ("wifi.join", {"ssid": "x" * 33, "password": ""}, "ssid-not-found"),
        ("settings.set", {"values": []}, "bad-request"),
        ("settings.set", {}, "bad-request"),
    ],
)
async def test_what_cannot_be_done_is_refused(
    stage: Stage, do: str, arguments: dict[str, Any], code: str
) -> None:
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        client = await (await stage.client(mtu=517)).begin()
        assert (await client.ask(do, **arguments))["code"] == code
        assert (await client.ask("hello"))["ok"]


async def test_without_networkmanager_the_cause_is_told(stage: Stage) -> None:
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        client = await (await stage.client()).begin()
        await stage.nm.disconnect()
        assert (await client.ask("wifi.scan"))["code"] == "network-manager"
        joined = await client.ask("wifi.join", ssid="Hjemme", password="grautfat")
        assert joined["code"] == "network-manager"
        assert (await client.ask("reset"))["code"] == "network-manager"
        assert (await client.ask("status"))["wifi"] is None


async def test_a_silent_client_with_the_code_is_told_and_dropped(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitors, "IDLE_S", 0.8)
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        client = await (await stage.client()).begin()
        await client.ask("hello")
        assert (await client.ended()).why is End.TIMEOUT
        await client.lost()


async def test_who_waits_for_us_is_not_dropped(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitors, "IDLE_S", 0.5)
    stage.keeper.slow_s = 1.2
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        client = await (await stage.client()).begin()
        assert (await client.ask("settings.set", values={}))["ok"]


async def test_a_handshake_that_stops_frees_the_device(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HANDSHAKE_S", 0.8)
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        squatter = await (await stage.client("AA")).begin()
        await squatter.lost()
        assert (await (await (await stage.client("BB")).begin()).ask("hello"))["ok"]


@pytest.fixture
def slow_card(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """What a session imports, on a slow card: there when the event is set."""
    there = threading.Event()
    monkeypatch.setattr(encrypted, "is_loaded", there.is_set)
    monkeypatch.setattr(encrypted, "load", lambda: there.wait(10))
    yield there
    there.set()


async def test_a_write_is_answered_before_all_that_a_session_needs_is_loaded(
    stage: Stage, slow_card: threading.Event
) -> None:
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        gone = await stage.client("AA")
        await gone.phone.subscribe(TX)
        await gone.hello()
        gone.phone.lose_link()
        client = await stage.client("BB")
        await client.phone.subscribe(TX)
        async with asyncio.timeout(2):
            await client.hello()

        slow_card.set()
        while not client.is_verified:
            await client.hear()
        assert (await client.ask("hello"))["ok"]


async def test_a_flood_before_all_is_loaded_is_no_hindrance_to_the_next_client(
    stage: Stage, slow_card: threading.Event
) -> None:
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        hostile = await stage.client("AA")
        await hostile.phone.subscribe(TX)
        for _ in range(100):
            await hostile.hello()
        slow_card.set()
        hostile.phone.lose_link()
        assert (await (await (await stage.client("BB")).begin()).ask("hello"))["ok"]


async def test_nobody_is_cut_off_when_the_time_is_over(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "AUTOMATIC_S", 3.0)
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        client = await (await stage.client()).begin()
        await client.ask("hello")
        await asyncio.sleep(3.2)
        assert (await client.ask("status"))["ok"]
        await client.ask("finish")
        await until(lambda: not stage.bluez.characteristics)


@pytest.mark.parametrize("octets", [b"", b"\x81", b"\x00" * 244, b"\x83\x00" + bytes(20)])
async def test_malformed_writes_do_no_harm(stage: Stage, octets: bytes) -> None:
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        hostile = await stage.client("AA", mtu=517)
        await hostile.phone.subscribe(TX)
        await hostile.phone.write(RX, octets)
        await hostile.lost()
        with pytest.raises(PeerError, match="InvalidValueLength"):
            await (await stage.client("BB", mtu=517)).phone.write(RX, bytes(245))
        assert (await (await (await stage.client("CC")).begin()).ask("hello"))["ok"]


async def test_who_asks_while_all_comes_to_its_end_is_refused(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    late: list[asyncio.Task[int]] = []
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        client = await (await stage.client()).begin()
        method = "org.bluez.LEAdvertisingManager1.UnregisterAdvertisement"
        unregister = stage.bluez.methods[method]

        def ask_and_unregister(*arguments: str) -> object:
            late.append(asyncio.ensure_future(client.request("hello")))
            return unregister(*arguments)

        stage.bluez.methods[method] = ask_and_unregister  # type: ignore[assignment]  # the same answer
    with pytest.raises(PeerError, match=r"NotAuthorized|UnknownObject|NoReply|ServiceUnknown"):
        await late[0]
    assert not caplog.records


async def test_a_new_name_is_advertised_and_cuts_nobody_off(stage: Stage) -> None:
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        client = await (await stage.client()).begin()
        stage.sensed.rename("Hytta")
        await until(lambda: stage.bluez.advertisement.get("LocalName") == "Hytta")
        assert (await client.ask("hello"))["name"] == "Hytta"


async def test_bluetoothd_restarted_in_the_middle_costs_one_session(
    stage: Stage, dbus: Daemon
) -> None:
    async with running(stage.make().run()):
        await stage.advertised(IMPROV)
        await (await stage.client()).begin()
        await stage.bluez.disconnect()
        stage.bluez = FakeBluez(dbus.address)
        await stage.bluez.start()
        await stage.advertised(IMPROV)
        assert (await (await (await stage.client()).begin()).ask("hello"))["ok"]


async def test_no_secret_and_no_code_is_logged(stage: Stage) -> None:
    with structlog.testing.capture_logs() as logs:
        async with running(stage.make().run()):
            await stage.advertised(IMPROV)
            client = await (await stage.client()).begin()
            await client.ask("wifi.join", ssid="Hjemme", password="wrong-pass-1")
            await client.ask("wifi.join", ssid="Hjemme", password="grautfat")
            await client.ask("settings.set", values={"mqtt.password": "hemmelig-2"})
            await client.ask("dance", password="hemmelig-3")
            await client.ask("reset")
            await client.lost()
    said = repr(logs)
    for secret in ("wrong-pass-1", "grautfat", "hemmelig", client.code.symbols.reveal()):
        assert secret not in said
    events = [entry["event"] for entry in logs]
    for event in ("setup_code_made", "setup_session_begun", "setup_session_ended", "wifi_joined"):
        assert event in events


async def test_a_code_that_cannot_be_kept_leaves_improv_as_it_is(stage: Stage) -> None:
    stage.folder = stage.folder / "absent"
    with structlog.testing.capture_logs() as logs:
        made = stage.make()
    assert [entry["event"] for entry in logs] == ["setup_code_unavailable"]
    async with running(made.run()):
        await stage.advertised(IMPROV)
        assert RX not in stage.bluez.characteristics


async def test_a_reset_that_cannot_change_the_code_says_so_and_keeps_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stage.make()
    code = stage.state.code
    assert code is not None

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with running(made.run()):
        await stage.advertised(IMPROV)
        monkeypatch.setattr(setup_state, "write_private", full)
        with pytest.raises(SetupError, match="but the set-up code, which stays: No space left"):
            await made.reset()
    assert stage.state.code == code == read_code(stage.folder)


async def test_the_code_stays_and_is_this_user_s_alone(tmp_path: Path) -> None:
    code = SetupState(tmp_path, 0.0).code
    assert code is not None
    assert SetupState(tmp_path, 0.0).code == code == read_code(tmp_path)
    file = tmp_path / setup_state.CODE_FILE
    assert file.stat().st_mode & 0o777 == 0o600
    for damage in (b"", b"\xff\xff", b"0123", file.read_bytes()[::-1]):
        file.write_bytes(damage)
        fresh = SetupState(tmp_path, 0.0).code
        assert fresh is not None
        assert fresh != code
        assert read_code(tmp_path) == fresh
