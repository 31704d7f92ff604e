"""Set-up for as long as one connection to the bus lives: phone, window and network together."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

import structlog

from sensed.provisioning import improv_server as server
from sensed.provisioning._bus import DISCONNECTED, Bus
from sensed.provisioning.bluez import Listeners, Peripheral, Presence, Trouble
from sensed.provisioning.bus_objects import BusError
from sensed.provisioning.improv import Capability, Characteristic, Command, State
from sensed.provisioning.improv_server import Action, Description, ImprovServer
from sensed.provisioning.network_manager import JoinOutcome, NetworkManager
from sensed.provisioning.network_watch import NetworkFacts, NetworkWatch
from sensed.provisioning.visitors import Visitors
from sensed.provisioning.window import Window
from sensed.watchdog import GRACE_S

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What the session tells; none may block."""

    on_identify: Callable[[], None]
    on_facts: Callable[[NetworkFacts], None]
    on_trouble: Callable[[Trouble, str], None]
    on_join: Callable[[JoinOutcome], None]
    on_window: Callable[[], None]
    on_rename: Callable[[str], None] | None


class Session:
    """One life of the bus. :meth:`run` ends with BusError when the bus is lost."""

    def __init__(
        self,
        bus: Bus,
        window: Window,
        description: Description,
        callbacks: Callbacks,
        *,
        url: str = "",
    ) -> None:
        """Serve ``description`` whenever ``window`` is open."""
        self._bus = bus
        self._window = window
        self._callbacks = callbacks
        self._url = url
        self._server = ImprovServer(description)
        self._visitors = Visitors()
        self._facts = NetworkFacts()
        self._wake = asyncio.Event()
        self._was_open = False
        self._due_s = math.inf
        self._now_s = asyncio.get_running_loop().time
        self._tasks = asyncio.TaskGroup()
        self._manager = NetworkManager(bus)
        self._watch = NetworkWatch(bus, self._facts_changed)
        self._peripheral = Peripheral(
            bus,
            self,
            Listeners(self._arrived, self._gone, callbacks.on_trouble),
            name=description.device_name,
            service_data=self._server.service_data,
        )

    @property
    def manager(self) -> NetworkManager:
        """NetworkManager, for what is not asked for by a phone."""
        return self._manager

    def wake(self) -> None:
        """Look at the window again."""
        self._wake.set()

    def stuck(self, now_s: float) -> bool:
        """Tell whether something that was due has not been done for long."""
        return now_s - self._due_s > GRACE_S

    async def run(self) -> None:
        """Serve until cancelled. Raises BusError, in a group, when the bus is lost."""
        await self._manager.start()
        async with self._tasks:
            for part in (self._watch.run, self._peripheral.run, self._keep_time):
                self._tasks.create_task(part())
            await self._bus.lost()
            raise BusError(DISCONNECTED, "the bus was lost")

    # -- what clients do (gatt.Server) -----------------------------------------------

    def read(self, characteristic: Characteristic, device: str) -> bytes:
        """Answer a read."""
        self._note(device)
        return self._server.value(characteristic)

    def write(self, octets: bytes, device: str, mtu: int | None) -> bool:
        """Take a write, from one client at a time."""
        self._note(device)
        if not self._visitors.take_slot(device):
            return False
        self._act(self._server.written(octets, mtu, self._now_s()))
        return True

    def released(self) -> None:
        """Note that BlueZ dropped the advertisement."""
        self._peripheral.advertisement_released()

    def _note(self, device: str) -> None:
        self._peripheral.link_changed(device, connected=True)
        self._visitors.active(device, self._now_s())
        self._wake.set()

    def _arrived(self, device: str) -> None:
        if self._window.is_open:
            self._visitors.arrived(device, self._now_s())
            self._wake.set()

    def _gone(self, device: str) -> None:
        if self._visitors.gone(device):
            self._server.client_gone()
        self._wake.set()

    # -- time ------------------------------------------------------------------------

    async def _keep_time(self) -> None:
        while True:
            self._wake.clear()
            self._settle()
            deadlines_s = (
                self._server.deadline_s,
                self._visitors.deadline_s,
                None if self._joining else self._window.until_s,
            )
            deadline_s = min((at for at in deadlines_s if at is not None), default=None)
            self._due_s = math.inf if deadline_s is None else deadline_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(deadline_s):
                    await self._wake.wait()

    def _settle(self) -> None:
        """Bring window, state and presence together."""
        now_s = self._now_s()
        if self._joining:
            if self._visitors.holder:
                self._visitors.active(self._visitors.holder, now_s)
        else:
            self._window.need(needed=self._facts.needs_wifi, now_s=now_s)
            self._window.tick(now_s)
        window = self._window
        if window.is_offered or not window.is_open:
            self._act(self._server.authorize(allowed=window.is_authorized))
        self._act(self._server.tick(now_s))
        for device in self._visitors.overdue(now_s):
            self._turn_out(device, "It was silent for too long.")
        if self._was_open and not window.is_open:
            for device in self._visitors.everyone_served():
                self._turn_out(device, "Set-up was closed.")
        if self._was_open is not window.is_open:
            self._was_open = window.is_open
            self._callbacks.on_window()
        self._peripheral.want(self._presence())

    @property
    def _joining(self) -> bool:
        return self._server.state is State.PROVISIONING

    def _presence(self) -> Presence:
        if self._window.is_offered or self._joining:
            return Presence.ADVERTISED
        return Presence.CONNECTABLE if self._window.is_open else Presence.NONE

    def _turn_out(self, device: str, why: str) -> None:
        served = self._visitors.was_served(device)
        self._gone(device)
        _log.info("setup_client_dropped", client=device.rpartition("/")[2], why=why)
        self._start(self._peripheral.hang_up(device, even_if_paired=served))

    # -- the network -----------------------------------------------------------------

    def _facts_changed(self, facts: NetworkFacts) -> None:
        self._facts = facts
        capabilities = self._server.description.capabilities & ~Capability.HOSTNAME
        if facts.may_rename_host:
            capabilities |= Capability.HOSTNAME
        self._describe(replace(self._server.description, capabilities=capabilities))
        self._callbacks.on_facts(facts)
        self._wake.set()

    def _describe(self, description: Description) -> None:
        self._act(self._server.describe(description))

    # -- what the state machine wants ------------------------------------------------

    def _act(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case server.Notify(characteristic, value):
                    self._peripheral.notify(characteristic, value)
                case server.Advertise(service_data):
                    self._peripheral.advertise(service_data)
                case server.Identify():
                    _log.info("identify")
                    self._callbacks.on_identify()
                case server.Scan():
                    self._start(self._scan())
                case server.Join():
                    self._start(self._join(action))
                case server.SetHostname(name):
                    self._start(self._rename(Command.HOSTNAME, name))
                case server.SetDeviceName(name):
                    self._start(self._rename(Command.DEVICE_NAME, name))
        if actions:
            self._wake.set()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.create_task(work)

    async def _scan(self) -> None:
        try:
            found = await self._manager.scan()
        except BusError as error:
            _log.warning("wifi_scan_failed", detail=error.text)
            found = []
        self._act(self._server.scanned(found))

    async def _join(self, wanted: server.Join) -> None:
        outcome = await self._manager.join(wanted.ssid, wanted.password)
        if outcome.cause is None:
            _log.info("wifi_joined", ssid=_shown(wanted.ssid))
            self._window.succeeded(self._now_s())
            self._act(self._server.joined(self._url))
        else:
            _log.warning(
                "wifi_join_failed",
                ssid=_shown(wanted.ssid),
                cause=outcome.cause.value,
                detail=outcome.detail,
            )
            self._window.failed(self._now_s())
            self._act(self._server.join_failed())
        self._callbacks.on_join(outcome)

    async def _rename(self, what: Command, name: str) -> None:
        before = self._server.description
        try:
            if what is Command.HOSTNAME:
                await self._manager.set_hostname(name)
                after = replace(before, hostname=name)
            else:
                if self._callbacks.on_rename is not None:
                    self._callbacks.on_rename(name)
                after = replace(before, device_name=name)
        except BusError as error:
            _log.debug("bus_refused", detail=str(error))
            self._act(self._server.refused())
            return
        self._describe(after)
        self._act(self._server.named(what, name))


def _shown(ssid: bytes) -> str:
    return ssid.decode(errors="backslashreplace")
