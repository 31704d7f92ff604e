"""A look at the system's services over D-Bus: nothing is changed, nothing is kept."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sensed.provisioning._bus import Bus
from sensed.provisioning.bluez import Trouble, look_for_adapter
from sensed.provisioning.bus_objects import BusError
from sensed.provisioning.network_watch import NetworkFacts, NetworkWatch

_Answer = TypeVar("_Answer")

_MODEM_MANAGER: Final = "org.freedesktop.ModemManager1"
_TIMEDATE: Final = "org.freedesktop.timedate1"
_TIMEDATE_PATH: Final = "/org/freedesktop/timedate1"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What was seen; ``None`` where the answer did not come in time or was refused.

    ``trouble`` is why set-up over Bluetooth cannot be had, and ``trouble_text`` says it;
    what ``network`` says of permissions holds for the user who looks.
    """

    trouble: Trouble | None = None
    trouble_text: str = ""
    network: NetworkFacts | None = None
    modem_manager_runs: bool | None = None
    clock_synchronised: bool | None = None


async def look_around(deadline_s: float) -> Surroundings:
    """Ask BlueZ, NetworkManager, ModemManager and systemd's clock, all at once.

    Raises BusError when there is no system bus.
    """
    bus = await Bus.connect()
    try:
        async with asyncio.TaskGroup() as group:
            bluetooth = group.create_task(_in_time(look_for_adapter(bus), deadline_s))
            network = group.create_task(_in_time(_network(bus), deadline_s))
            modem_manager = group.create_task(_in_time(bus.is_owned(_MODEM_MANAGER), deadline_s))
            clock = group.create_task(_in_time(_clock(bus), deadline_s))
    finally:
        await bus.close()
    trouble, text = bluetooth.result() or (None, "")
    return Surroundings(trouble, text, network.result(), modem_manager.result(), clock.result())


async def _in_time(question: Coroutine[Any, Any, _Answer], deadline_s: float) -> _Answer | None:
    with contextlib.suppress(BusError, TimeoutError):
        async with asyncio.timeout(deadline_s):
            return await question
    return None


async def _network(bus: Bus) -> NetworkFacts:
    first: asyncio.Future[NetworkFacts] = asyncio.get_running_loop().create_future()

    def take(facts: NetworkFacts) -> None:
        if not first.done():
            first.set_result(facts)

    watching = asyncio.create_task(NetworkWatch(bus, take).run())
    either: set[asyncio.Future[Any]] = {watching, first}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not first.done():
            await watching  # It has failed: raises what it has.
        return first.result()
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def _clock(bus: Bus) -> bool:
    properties = await bus.properties(_TIMEDATE, _TIMEDATE_PATH, _TIMEDATE)
    return bool(properties.get("NTPSynchronized", False))
