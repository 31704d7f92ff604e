"""A network on trial, over a real D-Bus: whatever goes wrong, what was there is there again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from sensed.provisioning import network_manager, trial
from sensed.provisioning._bus import Bus
from sensed.provisioning.bus_objects import BusError
from sensed.provisioning.network_manager import JoinOutcome, NetworkManager
from sensed.provisioning.network_objects import PROFILE
from sensed.secret import Secret
from tests.provisioning.conftest import BOTH_LIBRARIES, Daemon
from tests.provisioning.fake_network_manager import WPA2, FakeNetworkManager, House
from tests.waiting import until

PASSWORD = Secret("grautfat")


@dataclass
class Stage:
    """NetworkManager with a network in use, and what asks it for another one."""

    nm: FakeNetworkManager
    manager: NetworkManager
    before: str = ""

    def join(self, name: str) -> asyncio.Task[JoinOutcome]:
        return asyncio.create_task(self.manager.join(name.encode(), PASSWORD))

    async def asked(self) -> None:
        """Wait until NetworkManager has been asked for a second network."""
        await until(lambda: self.nm.calls.count("AddAndActivateConnection2") == 2)

    def is_as_before(self) -> bool:
        return list(self.nm.profiles) == [self.before] and self.nm.activated == [self.before]


@pytest.fixture
async def stage(dbus: Daemon) -> AsyncIterator[Stage]:
    nm = FakeNetworkManager(dbus.address)
    nm.houses = {
        "Hjemme": House("grautfat", rsn=WPA2),
        "Hytta": House("grautfat", rsn=WPA2),
        "Slow": House("grautfat", rsn=WPA2, stops_at=70),
    }
    await nm.start()
    bus = await Bus.connect()
    made = Stage(nm, NetworkManager(bus))
    await made.manager.start()
    assert (await made.manager.join(b"Hjemme", PASSWORD)).cause is None
    (made.before,) = nm.profiles
    yield made
    await bus.close()
    await nm.disconnect()


@BOTH_LIBRARIES
async def test_who_leaves_before_networkmanager_has_answered_leaves_nothing_behind(
    stage: Stage,
) -> None:
    stage.nm.polkit_s = 0.3
    join = stage.join("Hytta")
    await stage.asked()
    join.cancel()
    with pytest.raises(asyncio.CancelledError):
        await join
    assert stage.is_as_before()


async def test_who_is_sent_away_twice_leaves_nothing_behind_either(stage: Stage) -> None:
    stage.nm.polkit_s = 0.3
    join = stage.join("Hytta")
    await stage.asked()
    for _ in range(3):
        join.cancel()
        await asyncio.sleep(0.01)
    assert not join.done()
    with pytest.raises(asyncio.CancelledError):
        await join
    assert stage.is_as_before()


async def test_a_limit_that_passes_before_the_answer_undoes_what_it_brings(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_manager, "JOIN_LIMIT_S", 1.0)
    stage.nm.polkit_s = 1.5
    outcome = await stage.join("Hytta")
    assert outcome.cause == "timeout"
    assert stage.is_as_before()


async def test_an_answer_that_never_comes_is_not_waited_for_without_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_UNDO_LIMIT_S", 0.05)
    stage.nm.polkit_s = 30
    join = stage.join("Hytta")
    await stage.asked()
    join.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await join
        stage.nm.polkit_s = 0
        assert (await stage.join("Hytta")).cause is None


async def test_who_leaves_while_an_older_profile_is_replaced_does_not_take_both(
    stage: Stage,
) -> None:
    delete = stage.nm.methods[f"{PROFILE}.Delete"]

    def leave_and_delete(path: str, sender: str) -> object:
        join.cancel()
        return delete(path, sender)

    stage.nm.methods[f"{PROFILE}.Delete"] = leave_and_delete
    join = stage.join("Hjemme")
    with pytest.raises(asyncio.CancelledError):
        await join
    assert stage.nm.saved == ["sensed-Hjemme"]


@pytest.mark.parametrize(("name", "polkit_s"), [("Slow", 0.0), ("Hytta", 0.3)])
async def test_a_reset_gives_up_the_joins_under_way_and_forgets_them_too(
    stage: Stage, name: str, polkit_s: float
) -> None:
    stage.nm.polkit_s = polkit_s
    first = stage.join(name)
    await stage.asked()
    second = stage.join("Hytta")
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        assert await stage.manager.forget() == 1
    assert stage.nm.profiles == {}
    for join in (first, second):
        outcome = await join
        assert (outcome.cause, outcome.detail) == ("timeout", "Set-up was reset meanwhile.")
    await asyncio.sleep(0.1)
    assert stage.nm.profiles == {}
    stage.nm.polkit_s = 0
    assert (await stage.join("Hytta")).cause is None


async def test_a_reset_is_not_put_off_without_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_manager, "_FORGET_LIMIT_S", 0.1)
    async with stage.manager._lock:
        with pytest.raises(BusError, match="too long"):
            await stage.manager.forget()
    assert await stage.manager.forget() == 1
