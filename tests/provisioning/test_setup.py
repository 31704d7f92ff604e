"""Set-up end to end on a real D-Bus: a phone, BlueZ's rules, NetworkManager's outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sensed.backoff import Backoff
from sensed.provisioning import (
    NetworkFacts,
    Provisioning,
    RefusedError,
    SetupError,
    SetupFacts,
    SetupMode,
    SetupSettings,
    improv,
    network_manager,
    rejoin,
    visitors,
    window,
)
from sensed.provisioning.improv import Characteristic
from tests.provisioning.conftest import BOTH_LIBRARIES, Daemon, running
from tests.provisioning.fake_bluez import FakeBluez, Phone
from tests.provisioning.fake_network_manager import SAE, WLAN, WPA2, FakeNetworkManager, House
from tests.waiting import until

STATE = Characteristic.STATE.uuid
ERROR = Characteristic.ERROR.uuid
COMMAND = Characteristic.COMMAND.uuid
RESULT = Characteristic.RESULT.uuid
CAPABILITIES = Characteristic.CAPABILITIES.uuid

HOME = House(password="grautfat", rsn=WPA2, strength=80)


def packet(command: int, data: bytes = b"") -> bytes:
    octets = bytes((command, len(data))) + data
    return octets + bytes((sum(octets) & 0xFF,))


def drained(told: asyncio.Queue[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return [told.get_nowait() for _ in range(told.qsize())]


def wifi(ssid: str, password: str) -> bytes:
    strings = [ssid.encode(), password.encode()]
    return packet(1, b"".join(bytes((len(text),)) + text for text in strings))


def strings(result: bytes) -> list[str]:
    assert result[1] == len(result) - 3
    assert result[-1] == sum(result[:-1]) & 0xFF
    found, rest = [], result[2:-1]
    while rest:
        found.append(rest[1 : 1 + rest[0]].decode())
        rest = rest[1 + rest[0] :]
    return found


class Stage:
    """Everything around one Provisioning."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.identified = 0
        self.resets = 0
        self.facts: list[NetworkFacts] = []
        self.setup: list[SetupFacts] = []
        self.names: list[str] = []
        self.refused_names: set[str] = set()
        self.bluez = FakeBluez(daemon.address)
        self.nm = FakeNetworkManager(daemon.address, {"Hjemme": HOME})
        self.sensed = self.make()

    def make(self, mode: SetupMode = SetupMode.AUTO) -> Provisioning:
        self.sensed = Provisioning(
            SetupSettings(improv=mode, device_name="sensed-42"),
            on_identify=self._identify,
            on_facts=self.facts.append,
            on_setup=self.setup.append,
            on_reset=self._reset,
            on_rename=self._rename,
        )
        return self.sensed

    def _identify(self) -> None:
        self.identified += 1

    async def _rename(self, name: str) -> None:
        if name in self.refused_names:
            raise RefusedError("locked", "The name is fixed.")
        self.names.append(name)
        self.sensed.rename(name)

    def _reset(self) -> None:
        self.resets += 1

    async def advertised(self, state: int) -> None:
        await until(lambda: self.bluez.service_data[:1] == bytes((state,)))

    async def phone(self, name: str = "AA", **options: Any) -> Phone:
        phone = await Phone(self.bluez, name, **options).connect()
        for uuid in (STATE, ERROR, RESULT):
            await phone.subscribe(uuid)
        return phone


@pytest.fixture
async def stage(dbus: Daemon) -> AsyncIterator[Stage]:
    made = Stage(dbus)
    await made.bluez.start()
    await made.nm.start()
    yield made
    await made.bluez.disconnect()
    await made.nm.disconnect()


@BOTH_LIBRARIES
async def test_a_phone_puts_the_device_on_wifi(stage: Stage) -> None:
    async with running(stage.sensed.run()):
        await stage.advertised(2)
        assert stage.bluez.adapter == {"Powered": True, "Pairable": False}
        assert stage.bluez.advertisement["LocalName"] == "sensed-42"
        phone = await stage.phone()
        assert await phone.read(CAPABILITIES) == b"\x07"
        assert await phone.read(STATE) == b"\x02"
        await phone.write(COMMAND, packet(2))
        await phone.write(COMMAND, packet(3))
        assert strings(await phone.hears(RESULT))[::3] == ["sensed", "sensed-42"]
        await phone.write(COMMAND, packet(4))
        assert strings(await phone.hears(RESULT)) == ["Hjemme", "-60", "WPA2"]
        await phone.write(COMMAND, wifi("Hjemme", "grautfat"))
        told = [(await asyncio.wait_for(phone.told.get(), 5)) for _ in range(3)]
        assert told[:2] == [(STATE, b"\x03"), (STATE, b"\x04")]
        assert told[2][0] == RESULT
        assert strings(told[2][1]) == []
        assert stage.identified == 1
        assert stage.nm.saved == ["sensed-Hjemme"]
        await until(lambda: stage.facts[-1].addresses == ("192.168.1.7",))
        assert stage.facts[-1].wifi_profiles == 1
        # Nothing more is offered, and nothing more is taken.
        await until(lambda: not stage.bluez.advertisement)
        await phone.write(COMMAND, wifi("Hjemme", "grautfat"))
        assert await phone.hears(ERROR) == b"\x04"


@pytest.mark.parametrize(
    ("house", "password", "cause"),
    [
        (HOME, "wrong-password", "wrong-password"),
        (HOME, "short", "wrong-password"),
        (HOME, "", "wrong-password"),
        (None, "whatever", "ssid-not-found"),
        (House("grautfat", rsn=WPA2, dhcp=False), "grautfat", "no-dhcp"),
        (House("grautfat", rsn=SAE, reason=11), "grautfat", "supplicant"),
        (House("", rsn=0x200), "grautfat", "security-unsupported"),
        (House("", flags=1), "grautfat", "security-unsupported"),
        (House("", flags=0), "grautfat", "wrong-password"),
    ],
)
async def test_the_cause_of_a_failure_is_told_and_the_next_try_can_come_at_once(
    stage: Stage, house: House | None, password: str, cause: str
) -> None:
    stage.nm.houses = {"Bad": house} if house else {}
    stage.nm.houses["Hjemme"] = HOME
    old = stage.nm.add_profile("old", mode="ap")
    async with running(stage.sensed.run()):
        await stage.advertised(2)
        phone = await stage.phone()
        await phone.write(COMMAND, wifi("Bad", password))
        assert await phone.hears(STATE) == b"\x03"
        assert await phone.hears(ERROR) == b"\x03"
        assert await phone.hears(STATE) == b"\x02"
        join = stage.setup[-1].join
        assert join is not None
        assert join.cause == cause
        assert join.detail.endswith(".")
        assert list(stage.nm.profiles) == [old]
        await phone.write(COMMAND, wifi("Hjemme", "grautfat"))
        assert await phone.hears(ERROR) == b"\x00"
        assert await phone.hears(RESULT)
        assert stage.nm.saved == ["old", "sensed-Hjemme"]


@pytest.mark.parametrize(
    ("house", "password"),
    [
        (House("12345678", rsn=WPA2), "12345678"),
        (House("12345678", wpa=WPA2, rsn=WPA2 | SAE), "12345678"),
        (House("12345678", rsn=SAE), "12345678"),
        (House("", flags=1, rsn=0x800), ""),
        (House(""), ""),
        (House("a" * 64, rsn=WPA2), "a" * 64),
        (House("12345678", rsn=WPA2, hidden=True), "12345678"),
        (House("", hidden=True), ""),
    ],
    ids=["wpa2", "mixed", "wpa3", "owe", "open", "psk", "hidden", "hidden-open"],
)
async def test_every_kind_of_network_is_joined(stage: Stage, house: House, password: str) -> None:
    stage.nm.houses = {"Ø-nett": house, "Hjemme": HOME}
    async with running(stage.sensed.run()):
        await stage.advertised(2)
        phone = await stage.phone(mtu=517)
        await phone.write(COMMAND, wifi("Ø-nett", password), response=False)
        assert strings(await phone.hears(RESULT)) == []
        (profile,) = stage.nm.profiles.values()
        assert profile.settings["802-11-wireless"]["hidden"].value is house.hidden


async def test_a_network_that_is_never_seen_is_told_with_its_likely_reason(stage: Stage) -> None:
    async with running(stage.sensed.run()):
        await stage.advertised(2)
        phone = await stage.phone()
        await phone.write(COMMAND, wifi("5 GHz only", "12345678"))
        assert await phone.hears(ERROR) == b"\x03"
        await until(lambda: stage.setup[-1].join)
        assert stage.setup[-1].join is not None
        assert "2.4 GHz" in stage.setup[-1].join.detail


@pytest.mark.parametrize("obeys", [True, False])
async def test_blocked_wifi_is_switched_on_or_told(stage: Stage, obeys: bool) -> None:  # noqa: FBT001 - a parameter of the test
    async with running(stage.sensed.run()):
        await stage.advertised(2)
        stage.nm.block_wifi(obeys=obeys, hardware=not obeys)
        await until(lambda: stage.facts[-1].wifi_blocked)
        assert stage.facts[-1].wifi_blocked == ("rfkill-soft" if obeys else "rfkill-hard")
        phone = await stage.phone()
        await phone.write(COMMAND, wifi("Hjemme", "grautfat"))
        if obeys:
            assert await phone.hears(RESULT)
        else:
            assert await phone.hears(ERROR) == b"\x03"
            await until(lambda: stage.setup[-1].join)
            assert stage.setup[-1].join is not None
            assert stage.setup[-1].join.cause == "wifi-blocked"


async def test_missing_permission_is_told(stage: Stage) -> None:
    stage.nm.permissions["org.freedesktop.NetworkManager.network-control"] = "auth"
    stage.nm.refusal = "org.freedesktop.NetworkManager.PermissionDenied"
    async with running(stage.sensed.run()):
        await stage.advertised(2)
        missing = ("org.freedesktop.NetworkManager.network-control",)
        assert stage.facts[-1].missing_permissions == missing
        phone = await stage.phone()
        await phone.write(COMMAND, wifi("Hjemme", "grautfat"))
        assert await phone.hears(ERROR) == b"\x03"
        await until(lambda: stage.setup[-1].join)
        assert stage.setup[-1].join is not None
        assert stage.setup[-1].join.cause == "permission"


async def test_permissions_are_asked_for_again_only_when_they_change(stage: Stage) -> None:
    action = "org.freedesktop.NetworkManager.wifi.scan"
    async with running(stage.sensed.run()):
        await until(lambda: stage.facts and stage.facts[-1].available)
        stage.nm.connect_cable("10.0.0.2")
        await until(lambda: stage.facts[-1].addresses == ("10.0.0.2",))
        stage.nm.pull_cable()
        await until(lambda: not stage.facts[-1].addresses)
        assert stage.nm.calls.count("GetPermissions") == 1

        stage.nm.change_permission(action, "no")
        await until(lambda: stage.facts[-1].missing_permissions == (action,))
        assert stage.nm.calls.count("GetPermissions") == 2


async def test_a_profile_that_cannot_be_saved_is_no_success(stage: Stage) -> None:
    stage.nm.can_save = False
    async with running(stage.sensed.run()):
        await stage.advertised(2)
        phone = await stage.phone()
        await phone.write(COMMAND, wifi("Hjemme", "grautfat"))
        assert await phone.hears(ERROR) == b"\x03"
        assert stage.nm.profiles == {}


async def test_a_failed_trial_returns_to_the_network_in_use(stage: Stage) -> None:
    async with running(stage.sensed.run()):
        await stage.advertised(2)
        phone = await stage.phone()
        await phone.write(COMMAND, wifi("Hjemme", "grautfat"))
        assert await phone.hears(RESULT)
        (before,) = stage.nm.profiles
        stage.sensed.open_window()
        await stage.advertised(2)
        await phone.write(COMMAND, wifi("Hjemme", "wrong-password"))
        assert await phone.hears(ERROR) == b"\x03"
        assert stage.nm.activated == [before]
        assert list(stage.nm.profiles) == [before]
        # The same network with a new password takes the old profile's place.
        stage.nm.houses["Hjemme"] = House("new-password", rsn=WPA2)
        await phone.write(COMMAND, wifi("Hjemme", "new-password"))
        assert await phone.hears(RESULT)
        assert len(stage.nm.profiles) == 1
        assert before not in stage.nm.profiles


async def test_a_join_without_end_is_cut_off_and_the_client_kept_meanwhile(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_manager, "JOIN_LIMIT_S", 0.5)
    monkeypatch.setattr("sensed.provisioning.improv_server._RENOTIFY_S", 0.1)
    stage.nm.houses = {"Slow": House("12345678", rsn=WPA2, stops_at=70)}
    async with running(stage.sensed.run()):
        await stage.advertised(2)
        phone = await stage.phone()
        await phone.write(COMMAND, wifi("Slow", "12345678"))
        for _ in range(3):
            assert await phone.hears(STATE) == b"\x03"
        assert await phone.hears(ERROR) == b"\x03"
        await until(lambda: stage.setup[-1].join)
        assert stage.setup[-1].join is not None
        assert stage.setup[-1].join.cause == "no-dhcp"
        assert stage.nm.profiles == {}


async def test_a_scan_that_is_refused_gives_what_is_known(stage: Stage) -> None:
    async with running(stage.sensed.run()):
        await stage.advertised(2)
        phone = await stage.phone()
        await phone.write(COMMAND, packet(4))
        first = await phone.hears(RESULT)
        stage.nm.may_scan = False
        await phone.write(COMMAND, packet(4))
        assert await phone.hears(RESULT) == first


async def test_the_first_scan_after_a_start_waits_for_the_one_that_is_under_way(
    stage: Stage,
) -> None:
    stage.nm.may_scan = False
    async with running(stage.sensed.run()):
        await stage.advertised(2)
        phone = await stage.phone()
        await phone.write(COMMAND, packet(4))
        asyncio.get_running_loop().call_later(0.5, stage.nm.scans)
        assert strings(await phone.hears(RESULT))


@pytest.mark.parametrize("mtu", [23, 185, 517])
async def test_results_fit_every_link(stage: Stage, mtu: int) -> None:
    stage.nm.houses = {
        f"net-{number}" + "x" * number: House("p", rsn=WPA2, strength=90 - number)
        for number in range(25)
    }
    async with running(stage.sensed.run()):
        await stage.advertised(2)
        phone = await stage.phone(mtu=mtu)
        await phone.write(COMMAND, packet(4))
        found = strings(await phone.hears(RESULT))
        assert found[:3] == ["net-0", "-55", "WPA2"]
        assert len(found) % 3 == 0
        await phone.write(COMMAND, packet(3))
        assert len(strings(await phone.hears(RESULT))) == 4
        assert strings(await phone.read(RESULT))[0][:1] == "s"


async def test_ethernet_makes_wifi_optional(stage: Stage) -> None:
    stage.nm.connect_cable()
    async with running(stage.sensed.run()):
        await until(lambda: stage.facts)
        assert stage.facts[-1].addresses == ("10.0.0.2",)
        assert [link.kind for link in stage.facts[-1].active_links] == ["ethernet"]
        await asyncio.sleep(0.05)
        assert not stage.bluez.advertisement
        stage.nm.pull_cable()
        await stage.advertised(2)
        stage.nm.connect_cable()
        await until(lambda: not stage.bluez.advertisement)


async def test_button_mode_waits_for_a_press(stage: Stage) -> None:
    async with running(stage.make(SetupMode.BUTTON).run()):
        await stage.advertised(1)
        phone = await stage.phone()
        await phone.write(COMMAND, wifi("Hjemme", "grautfat"))
        assert await phone.hears(ERROR) == b"\x04"
        assert stage.sensed.open_window() > 290
        assert await phone.hears(STATE) == b"\x02"
        await stage.advertised(2)
        await phone.write(COMMAND, wifi("Hjemme", "grautfat"))
        assert await phone.hears(RESULT)


async def test_off_is_off(stage: Stage) -> None:
    async with running(stage.make(SetupMode.OFF).run()):
        await until(lambda: stage.facts)
        with pytest.raises(SetupError, match="switched off"):
            stage.sensed.open_window()
        await asyncio.sleep(0.05)
        assert not stage.bluez.characteristics


async def test_what_is_overdue_is_told_to_the_watchdog(stage: Stage) -> None:
    assert not stage.sensed.stuck(0.0)
    async with running(stage.sensed.run()):
        await stage.advertised(2)
        now_s = asyncio.get_running_loop().time()
        assert not stage.sensed.stuck(now_s + window.AUTOMATIC_S)
        assert stage.sensed.stuck(now_s + window.AUTOMATIC_S + 6)


@BOTH_LIBRARIES
async def test_the_window_closes_and_turns_everybody_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "AUTOMATIC_S", 1.5)
    async with running(stage.sensed.run()):
        await stage.advertised(2)
        phone = await stage.phone()
        await phone.read(STATE)
        await until(lambda: not phone.is_connected)
        await until(lambda: not stage.bluez.characteristics)
        assert stage.setup[-1].open_s == 0


async def test_a_silent_phone_loses_its_link_and_the_next_one_gets_in(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitors, "IDLE_S", 0.3)
    async with running(stage.sensed.run()):
        await stage.advertised(2)
        keyboard = await Phone(stage.bluez, "KB", paired=True).connect()
        lurker = await Phone(stage.bluez, "LU").connect()
        first = await stage.phone("AA")
        second = await stage.phone("BB")
        await first.write(COMMAND, packet(3))
        assert await first.hears(RESULT)
        await second.write(COMMAND, packet(3))
        await second.write(COMMAND, wifi("Hjemme", "grautfat"))
        assert await first.read(STATE) == b"\x02"
        assert RESULT not in {uuid for uuid, _ in drained(first.told)}
        await until(lambda: not first.is_connected)
        await until(lambda: not lurker.is_connected)
        assert keyboard.is_connected
        third = await stage.phone("CC")
        await third.write(COMMAND, packet(3))
        assert await third.hears(RESULT)


async def test_a_new_link_starts_without_the_last_ones_remains(stage: Stage) -> None:
    async with running(stage.sensed.run()):
        await stage.advertised(2)
        first = await stage.phone("AA")
        await first.write(COMMAND, b"\x03\x00\xff")
        assert await first.hears(ERROR) == b"\x01"
        await first.write(COMMAND, b"\x01\x20half a packet")
        first.lose_link()
        second = await stage.phone("BB")
        await until(lambda: True)
        assert await second.read(ERROR) == b"\x00"
        await second.write(COMMAND, packet(3))
        assert await second.hears(RESULT)


@pytest.mark.parametrize(
    "octets", [b"", b"\x00", b"\xff" * 512, b"\x09\x00\x09", b"\x01\x01\x05\x07"]
)
@pytest.mark.parametrize("response", [True, False])
async def test_hostile_writes_do_no_harm(stage: Stage, octets: bytes, response: bool) -> None:  # noqa: FBT001 - a parameter of the test
    async with running(stage.sensed.run()):
        await stage.advertised(2)
        phone = await stage.phone()
        for _ in range(3):
            await phone.write(COMMAND, octets, response=response)
        phone.lose_link()
        other = await stage.phone("BB")
        await other.write(COMMAND, packet(3))
        assert await other.hears(RESULT)
        await other.write(COMMAND, b"x" * 513)
        await other.write(COMMAND, packet(3))
        assert await other.hears(RESULT)


@BOTH_LIBRARIES
async def test_bluetoothd_restarted_in_the_middle(stage: Stage) -> None:
    async with running(stage.sensed.run()):
        await stage.advertised(2)
        phone = await stage.phone()
        await phone.write(COMMAND, packet(3))
        assert await phone.hears(RESULT)
        await stage.bluez.disconnect()
        await until(lambda: stage.setup[-1].trouble == "no-bluez")
        stage.bluez = await FakeBluez(stage.daemon.address, powered=False).start()
        await stage.advertised(2)
        phone = await stage.phone("BB")
        await phone.write(COMMAND, packet(3))
        assert await phone.hears(RESULT)
        await until(lambda: stage.setup[-1].trouble == "")


@BOTH_LIBRARIES
async def test_an_adapter_that_is_pulled_blocked_or_full_is_mended(stage: Stage) -> None:
    async with running(stage.sensed.run()):
        await stage.advertised(2)
        stage.bluez.unplug()
        await until(lambda: stage.setup[-1].trouble == "no-adapter")
        stage.bluez.refuse_advertisements = 1
        stage.bluez.plug_in()
        await stage.advertised(2)
        stage.bluez.block()
        await until(lambda: stage.setup[-1].trouble == "adapter-blocked")
        stage.bluez.blocked = False
        await stage.advertised(2)
        await until(lambda: stage.setup[-1].trouble == "")


@BOTH_LIBRARIES
async def test_everything_may_be_absent(dbus: Daemon) -> None:
    dbus.stop()
    stage = Stage(dbus)
    async with running(stage.sensed.run()):
        await until(lambda: stage.setup)
        assert stage.setup[-1].trouble == "no-dbus"
        assert stage.facts == [NetworkFacts()]
        with pytest.raises(SetupError, match="D-Bus"):
            await stage.sensed.reset()
        dbus.start()
        await until(lambda: stage.setup[-1].trouble == "no-bluez")
        assert not stage.facts[-1].available
        await stage.nm.start()
        await stage.bluez.start()
        await stage.advertised(2)
        dbus.stop()
        await until(lambda: not stage.facts[-1].available)
    await stage.nm.disconnect()
    await stage.bluez.disconnect()


async def test_reset_forgets_what_setup_made_and_opens_again(stage: Stage) -> None:
    stage.nm.add_profile("Hjemme", name="sensed-Hjemme")
    async with running(stage.sensed.run()):
        await until(lambda: stage.facts and stage.facts[-1].wifi_profiles == 1)
        assert not stage.bluez.advertisement
        assert await stage.sensed.reset() == 1
        assert stage.resets == 1
        await stage.advertised(2)
    await until(lambda: not stage.bluez.advertisement)


@BOTH_LIBRARIES
async def test_names_are_read_and_set(stage: Stage) -> None:
    stage.nm.permissions["org.freedesktop.NetworkManager.settings.modify.hostname"] = "yes"
    async with running(stage.sensed.run()):
        await until(lambda: stage.bluez.service_data[:2] == b"\x02\x0f")
        phone = await stage.phone()
        await phone.write(COMMAND, packet(5, b"\x04pi-1"))
        assert strings(await phone.hears(RESULT)) == ["pi-1"]
        assert stage.nm.hostname == "pi-1"
        await phone.write(COMMAND, packet(5, b"pi-2"))
        assert strings(await phone.hears(RESULT)) == ["pi-2"]
        await phone.write(COMMAND, packet(5, b"-bad-"))
        assert await phone.hears(ERROR) == b"\x05"
        await phone.write(COMMAND, packet(6, "Målerskap".encode()))
        assert strings(await phone.hears(RESULT)) == ["Målerskap"]
        assert stage.names == ["Målerskap"]
        await phone.write(COMMAND, packet(6))
        assert strings(await phone.hears(RESULT)) == ["Målerskap"]
        await until(lambda: stage.bluez.advertisement.get("LocalName") == "Målerskap")
        stage.refused_names.add("Fixed")
        await phone.write(COMMAND, packet(6, b"Fixed"))
        assert await phone.hears(ERROR) == b"\xff"
        assert stage.names == ["Målerskap"]


def test_the_service_is_what_clients_look_for() -> None:
    assert improv.SERVICE_UUID == "00467768-6228-2272-4663-277478268000"
    assert COMMAND == "00467768-6228-2272-4663-277478268003"


@pytest.mark.parametrize("late", [False, True])
async def test_a_network_that_networkmanager_leaves_alone_is_joined_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, *, late: bool
) -> None:
    monkeypatch.setattr(rejoin, "JOINING", Backoff(0.2, 0.2))
    stage.nm.registers_too_late = late
    profile = stage.nm.add_profile("Hjemme")
    async with running(stage.sensed.run()):
        await until(lambda: stage.facts)
        stage.nm.blocked.add(profile)
        stage.nm.set_state(WLAN, 30, 7)
        stage.nm.reaches(profile)
        await until(lambda: profile in stage.nm.activated)
        await until(lambda: not stage.nm.blocked)
        await until(lambda: not stage.nm.agents)
        stage.nm.set_state(WLAN, 40)
        await until(lambda: stage.facts[-1].left_idle == ())
        tried = len(stage.nm.activated)
        await asyncio.sleep(0.4)
        assert len(stage.nm.activated) == tried


async def test_a_saved_network_out_of_reach_is_looked_for_until_the_device_is_in_use(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejoin, "SEEKING", Backoff(0.2, 0.2))
    stage.nm.add_profile("Hjemme")
    async with running(stage.sensed.run()):
        await until(lambda: stage.facts and stage.facts[-1].seeking)
        await until(lambda: stage.nm.calls.count("RequestScan") > 1)
        stage.nm.may_scan = False
        refused = stage.nm.calls.count("RequestScan")
        await until(lambda: stage.nm.calls.count("RequestScan") > refused)
        stage.nm.set_state(WLAN, 40)
        await until(lambda: not stage.facts[-1].seeking)
        asked = stage.nm.calls.count("RequestScan")
        await asyncio.sleep(0.4)
        assert stage.nm.calls.count("RequestScan") == asked
