"""When a network that NetworkManager leaves alone is joined again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from itertools import pairwise

from sensed.provisioning.bus_objects import BusError
from sensed.provisioning.network_watch import ActiveLink, NetworkFacts, Reachable
from sensed.provisioning.rejoin import BACKOFF, Rejoin
from tests.leds.clock import run_on_fake_clock

HOME, CABIN = Reachable("/wlan0", "/home"), Reachable("/wlan0", "/cabin")
NOTHING = NetworkFacts(available=True)
IDLE = NetworkFacts(available=True, left_idle=(HOME, CABIN))
JOINED = NetworkFacts(available=True, active_links=(ActiveLink("wlan0", "wifi", ("10.0.0.2",)),))


class Joins:
    """NetworkManager's side: what it was asked for, and when."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, Reachable]] = []
        self.refuses = False

    async def __call__(self, wanted: Reachable) -> str:
        self.asked.append((asyncio.get_running_loop().time(), wanted))
        if self.refuses:
            raise BusError("busy", "not now")
        return "Hjemme"


@contextlib.asynccontextmanager
async def rejoining(joins: Joins) -> AsyncIterator[Rejoin]:
    rejoin = Rejoin(joins, now_s=asyncio.get_running_loop().time)
    task = asyncio.create_task(rejoin.run())
    yield rejoin
    task.cancel()
    await asyncio.wait([task])


def test_networkmanager_has_time_for_its_own_tries() -> None:
    async def main() -> None:
        joins = Joins()
        async with rejoining(joins) as rejoin:
            for _ in range(20):
                rejoin.look(IDLE)
                await asyncio.sleep(BACKOFF.first_s / 2 - 1)
                rejoin.look(NOTHING)
                await asyncio.sleep(5)
        assert joins.asked == []

    run_on_fake_clock(main())


def test_what_stays_idle_is_tried_in_turn_less_and_less_often() -> None:
    async def main() -> None:
        joins = Joins()
        joins.refuses = True
        async with rejoining(joins) as rejoin:
            rejoin.look(IDLE)
            for _ in range(3600):
                await asyncio.sleep(10)
                rejoin.look(IDLE)  # Other facts change all the time.
        times_s = [at_s for at_s, _ in joins.asked]
        assert BACKOFF.first_s / 2 <= times_s[0] <= BACKOFF.first_s
        waits_s = [later - sooner for sooner, later in pairwise(times_s)]
        assert all(wait_s <= BACKOFF.longest_s for wait_s in waits_s)
        assert all(wait_s >= BACKOFF.longest_s / 2 for wait_s in waits_s[4:])
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
            await asyncio.sleep(BACKOFF.first_s)
            assert [wanted for _, wanted in joins.asked[before:]] == [HOME]

    run_on_fake_clock(main())
