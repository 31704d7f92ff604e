"""When a network that NetworkManager leaves alone is joined again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise

import pytest

from sensed.provisioning.bus_objects import BusError
from sensed.provisioning.network_watch import ActiveLink, NetworkFacts, Reachable
from sensed.provisioning.rejoin import GIVEN_UP, JOINING, SEEKING, Rejoin
from tests.leds.clock import run_on_fake_clock

HOME, CABIN = Reachable("/wlan0", "/home"), Reachable("/wlan0", "/cabin")
NOTHING = NetworkFacts(available=True)
AWAY = NetworkFacts(available=True, seeking=("/wlan0",))
IDLE = NetworkFacts(available=True, left_idle=(HOME, CABIN))
GIVEN_UP_IDLE = replace(IDLE, given_up=True)
JOINED = NetworkFacts(available=True, active_links=(ActiveLink("wlan0", "wifi", ("10.0.0.2",)),))


class Joins:
    """NetworkManager's side: what it was asked for, and when."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, Reachable]] = []
        self.scans: list[tuple[float, str]] = []
        self.refuses = False

    async def join_again(self, device: str, profile: str) -> str:
        self.asked.append((asyncio.get_running_loop().time(), Reachable(device, profile)))
        if self.refuses:
            raise BusError("busy", "not now")
        return "Hjemme"

    async def look_around(self, device: str) -> None:
        self.scans.append((asyncio.get_running_loop().time(), device))
        if self.refuses:
            raise BusError("busy", "not now")


@contextlib.asynccontextmanager
async def rejoining(joins: Joins) -> AsyncIterator[Rejoin]:
    rejoin = Rejoin(joins, now_s=asyncio.get_running_loop().time)
    task = asyncio.create_task(rejoin.run())
    yield rejoin
    task.cancel()
    await asyncio.wait([task])


async def stays(rejoin: Rejoin, facts: NetworkFacts) -> None:
    """Let it be so for ten hours; other facts change all the time."""
    for _ in range(3600):
        rejoin.look(facts)
        await asyncio.sleep(10)


def test_networkmanager_has_time_for_its_own_tries() -> None:
    async def main() -> None:
        joins = Joins()
        async with rejoining(joins) as rejoin:
            for _ in range(20):
                rejoin.look(IDLE)
                await asyncio.sleep(JOINING.first_s / 2 - 1)
                rejoin.look(NOTHING)
                await asyncio.sleep(5)
        assert joins.asked == []

    run_on_fake_clock(main())


def test_what_stays_idle_is_tried_in_turn_less_and_less_often() -> None:
    async def main() -> None:
        joins = Joins()
        joins.refuses = True
        async with rejoining(joins) as rejoin:
            await stays(rejoin, IDLE)
        times_s = [at_s for at_s, _ in joins.asked]
        assert JOINING.first_s / 2 <= times_s[0] <= JOINING.first_s
        waits_s = [later - sooner for sooner, later in pairwise(times_s)]
        assert all(wait_s <= JOINING.longest_s for wait_s in waits_s)
        assert all(wait_s >= JOINING.longest_s / 2 for wait_s in waits_s[5:])
        assert [wanted for _, wanted in joins.asked[:4]] == [HOME, CABIN, HOME, CABIN]

    run_on_fake_clock(main())


def test_a_network_that_was_joined_starts_the_count_anew() -> None:
    async def main() -> None:
        joins = Joins()
        async with rejoining(joins) as rejoin:
            rejoin.look(IDLE)
            await asyncio.sleep(36_000)
            rejoin.look(JOINED)
            await asyncio.sleep(36_000)
            before = len(joins.asked)
            rejoin.look(IDLE)
            await asyncio.sleep(JOINING.first_s)
            assert [wanted for _, wanted in joins.asked[before:]] == [HOME]

    run_on_fake_clock(main())


def test_the_first_handshake_that_fails_is_tried_again_at_once_and_the_next_is_not() -> None:
    async def main() -> None:
        joins = Joins()
        loop = asyncio.get_running_loop()
        async with rejoining(joins) as rejoin:
            for tries in (1, 2):
                since_s = loop.time()
                while len(joins.asked) < tries:
                    rejoin.look(GIVEN_UP_IDLE)  # The facts are told again at every change.
                    await asyncio.sleep(0.1)
                took_s = joins.asked[-1][0] - since_s
                rejoin.look(NOTHING)
                await asyncio.sleep(5)
                if tries == 1:
                    assert GIVEN_UP.first_s / 2 <= took_s <= GIVEN_UP.longest_s
                else:
                    assert took_s >= JOINING.first_s

            rejoin.look(JOINED)
            since_s = loop.time()
            rejoin.look(IDLE)
            await asyncio.sleep(2)
            rejoin.look(GIVEN_UP_IDLE)
            await asyncio.sleep(GIVEN_UP.longest_s)
            assert len(joins.asked) == 3
            assert joins.asked[-1][0] - since_s <= 2 + GIVEN_UP.longest_s

    run_on_fake_clock(main())


@pytest.mark.parametrize("refuses", [False, True])
def test_a_network_that_is_out_of_reach_is_looked_for_until_it_is_seen(*, refuses: bool) -> None:
    async def main() -> None:
        joins = Joins()
        joins.refuses = refuses
        async with rejoining(joins) as rejoin:
            await stays(rejoin, AWAY)
            rejoin.look(IDLE)
            before = len(joins.scans)
            await asyncio.sleep(3600)
            assert len(joins.scans) == before
        times_s = [0.0, *(at_s for at_s, _ in joins.scans)]
        waits_s = [later - sooner for sooner, later in pairwise(times_s)]
        assert {device for _, device in joins.scans} == {"/wlan0"}
        assert all(SEEKING.first_s / 2 <= wait_s <= SEEKING.longest_s for wait_s in waits_s)

    run_on_fake_clock(main())


def test_nothing_is_looked_for_while_a_cable_has_an_address() -> None:
    async def main() -> None:
        joins = Joins()
        async with rejoining(joins) as rejoin:
            rejoin.look(replace(AWAY, addresses=("10.0.0.2",)))
            await asyncio.sleep(3600)
            assert joins.scans == []
            rejoin.look(AWAY)
            await asyncio.sleep(SEEKING.first_s)
            assert len(joins.scans) == 1

    run_on_fake_clock(main())
