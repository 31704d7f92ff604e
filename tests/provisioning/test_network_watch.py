"""NetworkManager's facts as they change, over a real D-Bus."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
from dbus_fast import Variant

from sensed.provisioning._bus import Bus
from sensed.provisioning.network_watch import (
    ACTIONS,
    ActiveLink,
    NetworkFacts,
    NetworkWatch,
    Reachable,
)
from tests.provisioning.conftest import BOTH_LIBRARIES, Daemon, running
from tests.provisioning.fake_network_manager import ETHERNET, NM, PATH, WLAN, FakeNetworkManager
from tests.waiting import until

CABLE = ActiveLink("eth0", "ethernet", ("10.0.0.2",))


@contextlib.asynccontextmanager
async def watching() -> AsyncIterator[list[NetworkFacts]]:
    bus = await Bus.connect()
    told: list[NetworkFacts] = []
    try:
        async with running(NetworkWatch(bus, told.append).run()):
            yield told
    finally:
        await bus.close()


@contextlib.asynccontextmanager
async def network_manager(dbus: Daemon) -> AsyncIterator[FakeNetworkManager]:
    manager = await FakeNetworkManager(dbus.address).start()
    try:
        yield manager
    finally:
        await manager.disconnect()


async def arrives(told: list[NetworkFacts], **expected: object) -> NetworkFacts:
    def there() -> bool:
        return bool(told) and all(
            getattr(told[-1], name) == value for name, value in expected.items()
        )

    await until(there)
    return told[-1]


@BOTH_LIBRARIES
async def test_a_cable_is_a_link_with_an_address_until_it_is_pulled(dbus: Daemon) -> None:
    async with network_manager(dbus) as manager, watching() as told:
        nothing = await arrives(told, available=True)
        assert nothing.needs_wifi
        assert (nothing.addresses, nothing.wifi_blocked) == ((), None)
        manager.connect_cable()
        there = await arrives(told, active_links=(CABLE,))
        assert there.addresses == ("10.0.0.2",)
        assert not there.needs_wifi
        manager.pull_cable()
        await arrives(told, active_links=(), addresses=())
        assert told[-1].needs_wifi


async def test_without_networkmanager_nothing_else_is_known_and_it_may_come_and_go(
    dbus: Daemon,
) -> None:
    async with watching() as told:
        assert await arrives(told, available=False) == NetworkFacts()
        assert not told[-1].needs_wifi  # unknown is not missing
        async with network_manager(dbus) as manager:
            manager.connect_cable()
            await arrives(told, available=True, active_links=(CABLE,))
        assert await arrives(told, available=False) == NetworkFacts()
    assert len(told) <= 4


async def test_only_saved_profiles_of_networks_to_join_count(dbus: Daemon) -> None:
    async with network_manager(dbus) as manager, watching() as told:
        await arrives(told, available=True, wifi_profiles=0)
        manager.add_profile("ours", mode="ap")
        path = manager.add_profile("home")
        await arrives(told, wifi_profiles=1)
        assert not told[-1].needs_wifi
        manager.change(path, f"{NM}.Settings.Connection", Unsaved=Variant("b", True))
        await arrives(told, wifi_profiles=0)
        manager.change(path, f"{NM}.Settings.Connection", Unsaved=Variant("b", False))
        await arrives(told, wifi_profiles=1)
        manager.methods[f"{NM}.Settings.Connection.Delete"](path, "")
        await arrives(told, wifi_profiles=0)


async def test_an_address_that_only_this_link_knows_is_no_address(dbus: Daemon) -> None:
    async with network_manager(dbus) as manager, watching() as told:
        manager.connect_cable("169.254.7.7")
        link = ActiveLink("eth0", "ethernet", ())
        assert (await arrives(told, active_links=(link,))).addresses == ()
        manager.connect_cable("10.0.0.2")
        await arrives(told, active_links=(CABLE,), addresses=("10.0.0.2",))


@pytest.mark.parametrize("state", [30, 40, 50, 70, 110, 120])
async def test_a_link_on_its_way_up_or_down_is_not_active(dbus: Daemon, state: int) -> None:
    async with network_manager(dbus) as manager, watching() as told:
        manager.connect_cable()
        await arrives(told, active_links=(CABLE,))
        manager.set_state(ETHERNET, state)
        await arrives(told, active_links=())


async def test_why_there_can_be_no_wifi(dbus: Daemon) -> None:
    async with network_manager(dbus) as manager, watching() as told:
        await arrives(told, wifi_blocked=None, available=True)
        manager.set_state(WLAN, 10)
        await arrives(told, wifi_blocked="unmanaged")
        manager.set_state(WLAN, 20)
        await arrives(told, wifi_blocked="unavailable")
        manager.block_wifi()
        await arrives(told, wifi_blocked="rfkill-soft")
        manager.block_wifi(hardware=True)
        await arrives(told, wifi_blocked="rfkill-hard")
        manager.change(PATH, NM, Devices=Variant("ao", [ETHERNET]))
        await arrives(told, wifi_blocked="no-wifi")


async def test_a_saved_network_in_reach_that_nobody_joins_is_left_idle(dbus: Daemon) -> None:
    async with network_manager(dbus) as manager, watching() as told:
        home = manager.add_profile("home")
        hotspot = manager.add_profile("ours", mode="ap")
        by_hand = manager.add_profile("by hand")
        connection = manager.profiles[by_hand].settings["connection"]
        connection["autoconnect"] = Variant("b", False)
        manager.reaches(hotspot, by_hand)
        await arrives(told, wifi_profiles=2, left_idle=(), seeking=(WLAN,))
        manager.reaches(hotspot, by_hand, home)
        left = (Reachable(WLAN, home),)
        await arrives(told, left_idle=left, seeking=())
        manager.set_state(WLAN, 40)
        await arrives(told, left_idle=())
        manager.set_state(WLAN, 30, 7)
        await arrives(told, left_idle=left)
        manager.set_state(WLAN, 30, 39)  # A person has ended it.
        await arrives(told, left_idle=())
        manager.set_state(WLAN, 30)
        await arrives(told, left_idle=left)
        manager.change(WLAN, f"{NM}.Device", Autoconnect=Variant("b", False))
        await arrives(told, left_idle=())


async def test_a_password_taken_for_wrong_is_remembered_until_the_next_outcome(
    dbus: Daemon,
) -> None:
    async with network_manager(dbus) as manager, watching() as told:
        home = manager.add_profile("home")
        manager.reaches(home)
        left = (Reachable(WLAN, home),)
        await arrives(told, left_idle=left, given_up=False)
        manager.set_state(WLAN, 120, 7)
        manager.set_state(WLAN, 30)  # The device's own reason is gone with this.
        await arrives(told, left_idle=left, given_up=True)
        manager.set_state(WLAN, 40)
        await arrives(told, left_idle=(), given_up=False)
        manager.set_state(WLAN, 30)
        await arrives(told, left_idle=left, given_up=True)
        manager.set_state(WLAN, 120, 53)
        manager.set_state(WLAN, 30)
        await arrives(told, left_idle=left, given_up=False)
        manager.set_state(WLAN, 120, 7)
        manager.set_state(WLAN, 30)
        await arrives(told, left_idle=left, given_up=True)
        manager.set_state(WLAN, 100)
        await arrives(told, left_idle=())
        manager.set_state(WLAN, 30)
        await arrives(told, left_idle=left, given_up=False)


async def test_a_device_seeks_only_what_it_would_join_by_itself(dbus: Daemon) -> None:
    async with network_manager(dbus) as manager, watching() as told:
        await arrives(told, available=True, seeking=())
        home = manager.add_profile("home")
        await arrives(told, seeking=(WLAN,))
        manager.set_state(WLAN, 70)
        await arrives(told, seeking=())
        manager.set_state(WLAN, 30, 53)
        await arrives(told, seeking=(WLAN,))
        manager.set_state(WLAN, 30, 39)  # A person has ended it.
        await arrives(told, seeking=())
        manager.set_state(WLAN, 30, 53)
        await arrives(told, seeking=(WLAN,))
        manager._delete(home, "")
        await arrives(told, wifi_profiles=0, seeking=())


async def test_rights_are_asked_for_again_only_when_they_may_have_changed(dbus: Daemon) -> None:
    async with network_manager(dbus) as manager, watching() as told:
        await arrives(told, available=True, missing_permissions=())
        manager.connect_cable()
        await arrives(told, active_links=(CABLE,))
        assert manager.calls.count("GetPermissions") == 1
        manager.change_permission(ACTIONS[0], "auth")
        await arrives(told, missing_permissions=(ACTIONS[0],))
        manager.change_permission(f"{NM}.settings.modify.hostname", "yes")
        await arrives(told, may_rename_host=True)


async def test_what_has_not_changed_is_not_told_again(dbus: Daemon) -> None:
    async with network_manager(dbus) as manager, watching() as told:
        await arrives(told, available=True)
        for _ in range(20):
            manager.set_state(ETHERNET, 20)
        manager.connect_cable()
        await arrives(told, active_links=(CABLE,))
        assert len(told) == 2
