"""Set-up for as long as one connection to the bus lives: phone, window and network together."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Final

import structlog

from sensed.provisioning import gatt
from sensed.provisioning import improv_server as server
from sensed.provisioning._bus import DISCONNECTED, Bus
from sensed.provisioning.bluez import Listeners, Peripheral, Presence
from sensed.provisioning.bus_objects import BusError
from sensed.provisioning.callbacks import Callbacks, House
from sensed.provisioning.encrypted import End, Endpoint, RefusedError
from sensed.provisioning.encrypted_server import EncryptedServer
from sensed.provisioning.improv import Capability, Characteristic, Command, State
from sensed.provisioning.improv_server import Action, Description, ImprovServer
from sensed.provisioning.network_manager import JoinOutcome, NetworkManager
from sensed.provisioning.network_watch import NetworkFacts, NetworkWatch
from sensed.provisioning.rejoin import Rejoin
from sensed.provisioning.requests import Requests
from sensed.provisioning.visitors import Visitors
from sensed.provisioning.window import Window
from sensed.provisioning.windows import Windows
from sensed.secret import Secret
from sensed.watchdog import GRACE_S

_log = structlog.get_logger(__name__)

_GOODBYE_S: Final = 0.5
"""For the last notification to reach the client before its link is dropped."""


class Session:
    """One life of the bus. :meth:`run` ends with BusError when the bus is lost."""

    def __init__(
        self,
        bus: Bus,
        windows: Windows,
        description: Description,
        callbacks: Callbacks,
        *,
        improv: bool = True,
        house: House | None = None,
    ) -> None:
        """Serve ``description`` whenever ``windows`` are open, over one service or both."""
        self._bus = bus
        self._windows = windows
        self._callbacks = callbacks
        self._server = ImprovServer(description)
        self._visitors = Visitors()
        self._facts = NetworkFacts()
        self._wake = asyncio.Event()
        self._was_open = False
        self._due_s = math.inf
        self._now_s = asyncio.get_running_loop().time
        self._tasks = asyncio.TaskGroup()
        self._ending = False
        self._manager = NetworkManager(bus)
        self._watch = NetworkWatch(bus, self._facts_changed)
        self._rejoin = Rejoin(self._manager, now_s=self._now_s)
        self._encrypted = self._encrypted_server(house)
        offered = ((gatt.IMPROV, improv), (gatt.ENCRYPTED, house is not None))
        self._has_improv = improv
        self._peripheral = Peripheral(
            bus,
            self,
            Listeners(self._arrived, self._gone, callbacks.on_trouble),
            name=description.device_name,
            # With neither, no window ever opens and nothing of it is seen.
            services=[service for service, there in offered if there] or [gatt.IMPROV],
            service_data=self._service_data,
        )

    def _encrypted_server(self, house: House | None) -> EncryptedServer | None:
        if house is None:
            return None
        return EncryptedServer(
            house.state,
            Requests(self, house.keeper, self._callbacks.reset).handlers,
            notify=lambda frame: self._peripheral.notify(Endpoint.TX, frame),
            hang_up=lambda why: self._let_go(self._visitors.holder, why),
            wake=self.wake,
            start=self._start,
        )

    @property
    def manager(self) -> NetworkManager:
        """NetworkManager, for what is not asked for by a phone."""
        return self._manager

    def wake(self) -> None:
        """Look at the windows again."""
        self._wake.set()

    def stuck(self, now_s: float) -> bool:
        """Tell whether something that was due has not been done for long."""
        return now_s - self._due_s > GRACE_S

    async def run(self) -> None:
        """Serve until cancelled. Raises BusError, in a group, when the bus is lost."""
        await self._manager.start()
        async with self._tasks:
            for part in (
                self._watch.run,
                self._rejoin.run,
                self._peripheral.run,
                self._keep_time,
            ):
                self._tasks.create_task(part())
            try:
                await self._bus.lost()
            finally:
                self._ending = True
            raise BusError(DISCONNECTED, "the bus was lost")

    def rename(self, name: str) -> None:
        """Go by this name from now on."""
        self._describe(replace(self._server.description, device_name=name))
        self._peripheral.rename(name)

    def end_encrypted(self) -> None:
        """End the encrypted session, if there is one, because the device was reset."""
        if self._encrypted is not None and self._encrypted.is_live:
            self._encrypted.end(End.RESET)

    # -- what clients do (gatt.Server) -----------------------------------------------

    def read(self, attribute: gatt.Attribute, device: str, mtu: int | None) -> bytes:
        """Answer a read."""
        self._note(device)
        if isinstance(attribute, Characteristic):
            return self._server.value(attribute)
        if self._encrypted is None:
            return b""
        busy = self._visitors.holder not in ("", device)
        return self._encrypted.info(name=self.description.device_name, mtu=mtu, busy=busy)

    def write(self, attribute: gatt.Attribute, octets: bytes, device: str, mtu: int | None) -> bool:
        """Take a write, from one client at a time, and from none while all comes to its end."""
        if self._ending:
            return False
        self._note(device)
        if isinstance(attribute, Characteristic):
            if not self._visitors.take_slot(device):
                return False
            self._act(self._server.written(octets, mtu, self._now_s()))
            return True
        is_open = self._windows.encrypted.is_open
        if self._encrypted is None or not is_open or not self._visitors.take_slot(device):
            return False
        if self._encrypted.put_off(lambda: self.write(attribute, octets, device, mtu)):
            return True
        self._encrypted.written(octets, mtu)
        if self._encrypted.deadline_s is None:
            # Nothing has come of it, so another one may try.
            self._visitors.release(device)
        return True

    def released(self) -> None:
        """Note that BlueZ dropped the advertisement."""
        self._peripheral.advertisement_released()

    def _note(self, device: str) -> None:
        self._peripheral.link_changed(device, connected=True)
        self._visitors.active(device, self._now_s())
        self._wake.set()

    def _arrived(self, device: str) -> None:
        if self._windows.is_open:
            if self._encrypted is not None and self._windows.encrypted.is_open:
                self._encrypted.prepare()
            self._visitors.arrived(device, self._now_s())
            self._wake.set()

    def _gone(self, device: str) -> None:
        if self._visitors.gone(device):
            self._server.client_gone()
            if self._encrypted is not None:
                self._encrypted.client_gone()
        self._wake.set()

    # -- what requests need (requests.Surroundings) ----------------------------------

    @property
    def facts(self) -> NetworkFacts:
        """What is known of the network."""
        return self._facts

    @property
    def description(self) -> Description:
        """How the device speaks of itself."""
        return self._server.description

    def open_s(self) -> float:
        """Return for how much longer set-up is open."""
        until_s = self._windows.until_s
        return 0.0 if until_s is None else max(until_s - self._now_s(), 0.0)

    def identify(self) -> None:
        """Show a person which device this is."""
        _log.info("identify")
        self._callbacks.on_identify()

    async def join(self, ssid: bytes, password: Secret) -> JoinOutcome:
        """Try a network, and keep it if it works."""
        outcome = await self._manager.join(ssid, password)
        if outcome.cause is None:
            _log.info("wifi_joined", ssid=_shown(ssid))
        else:
            _log.warning(
                "wifi_join_failed",
                ssid=_shown(ssid),
                cause=outcome.cause.value,
                detail=outcome.detail,
            )
        self._callbacks.on_join(outcome)
        return outcome

    def close(self) -> None:
        """Close set-up, once the client has been answered."""
        self._windows.close()

    # -- time ------------------------------------------------------------------------

    async def _keep_time(self) -> None:
        while True:
            self._wake.clear()
            self._settle()
            deadlines_s = (
                self._server.deadline_s,
                self._visitors.deadline_s,
                None if self._encrypted is None else self._encrypted.deadline_s,
                self._windows.next_s(but=self._held_open),
            )
            deadline_s = min((at for at in deadlines_s if at is not None), default=None)
            self._due_s = math.inf if deadline_s is None else deadline_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(deadline_s):
                    await self._wake.wait()

    def _settle(self) -> None:
        """Bring windows, states and presence together."""
        now_s = self._now_s()
        windows = self._windows
        self._settle_encrypted(now_s)
        if self._is_waited_for and self._visitors.holder:
            self._visitors.active(self._visitors.holder, now_s)
        needs_wifi = self._facts.needs_wifi
        windows.settle(
            needs_wifi=needs_wifi,
            needs_setup=needs_wifi or not self._callbacks.uplink_set(),
            now_s=now_s,
            but=self._held_open,
        )
        if windows.improv.is_offered or not windows.improv.is_open:
            self._act(self._server.authorize(allowed=windows.improv.is_authorized))
        self._act(self._server.tick(now_s))
        self._turn_out_who_must_go(now_s)
        if self._was_open is not windows.is_open:
            self._was_open = windows.is_open
            self._callbacks.on_window()
        self._show()

    def _settle_encrypted(self, now_s: float) -> None:
        if self._encrypted is None:
            return
        self._encrypted.tick()
        if self._encrypted.is_live and self._windows.is_open:
            self._windows.served(now_s)
        elif self._encrypted.is_live:
            self._encrypted.end(End.CLOSED)

    def _turn_out_who_must_go(self, now_s: float) -> None:
        for device in self._visitors.overdue(now_s):
            if self._encrypted is not None and self._is_live and device == self._visitors.holder:
                self._encrypted.end(End.TIMEOUT)
            else:
                self._turn_out(device, "It was silent for too long.")
        if self._was_open and not self._windows.is_open:
            for device in self._visitors.everyone_served():
                self._let_go(device, "Set-up was closed.")

    @property
    def _is_joining(self) -> bool:
        return self._server.state is State.PROVISIONING

    @property
    def _is_live(self) -> bool:
        return self._encrypted is not None and self._encrypted.is_live

    @property
    def _held_open(self) -> tuple[Window, ...]:
        """The windows that must not close under a client that is being served."""
        held = ((self._windows.improv, self._is_joining), (self._windows.encrypted, self._is_live))
        return tuple(window for window, holds in held if holds)

    @property
    def _is_waited_for(self) -> bool:
        """Whether a client is rightly silent, since it waits for us."""
        return self._is_joining or (self._encrypted is not None and self._encrypted.is_working)

    @property
    def _service_data(self) -> bytes:
        return self._server.service_data if self._has_improv else b""

    def _show(self) -> None:
        """Advertise what is offered: there is room for one service, and Improv needs it more."""
        windows = self._windows
        improv = windows.improv.is_offered or self._is_joining
        self._peripheral.advertise(
            gatt.IMPROV if improv or self._encrypted is None else gatt.ENCRYPTED,
            self._service_data,
        )
        if improv or (windows.encrypted.is_offered and self._encrypted is not None):
            self._peripheral.want(Presence.ADVERTISED)
        else:
            self._peripheral.want(Presence.CONNECTABLE if windows.is_open else Presence.NONE)

    def _turn_out(self, device: str, why: str) -> None:
        served = self._visitors.was_served(device)
        self._gone(device)
        _log.info("setup_client_dropped", client=device.rpartition("/")[2], why=why)
        self._start(self._peripheral.hang_up(device, even_if_paired=served))

    def _let_go(self, device: str, why: str) -> None:
        """Drop a client once it has been told why."""
        link = self._visitors.link(device)

        async def after_a_moment() -> None:
            await asyncio.sleep(_GOODBYE_S)
            if link is not None and self._visitors.link(device) is link:
                self._turn_out(device, why)

        self._start(after_a_moment())

    # -- the network -----------------------------------------------------------------

    def _facts_changed(self, facts: NetworkFacts) -> None:
        self._facts = facts
        capabilities = self._server.description.capabilities & ~Capability.HOSTNAME
        if facts.may_rename_host:
            capabilities |= Capability.HOSTNAME
        self._describe(replace(self._server.description, capabilities=capabilities))
        self._rejoin.look(facts)
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
                case server.Advertise():
                    self._show()
                case server.Identify():
                    self.identify()
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

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._tasks.create_task(work)

    async def _scan(self) -> None:
        try:
            found = await self._manager.scan()
        except BusError as error:
            _log.warning("wifi_scan_failed", detail=error.text)
            found = []
        self._act(self._server.scanned(found))

    async def _join(self, wanted: server.Join) -> None:
        outcome = await self.join(wanted.ssid, wanted.password)
        if outcome.cause is None:
            self._windows.improv.succeeded(self._now_s())
            self._act(self._server.joined())
        else:
            self._windows.improv.failed(self._now_s())
            self._act(self._server.join_failed())

    async def _rename(self, what: Command, name: str) -> None:
        try:
            if what is Command.HOSTNAME:
                await self._manager.set_hostname(name)
                self._describe(replace(self._server.description, hostname=name))
            elif self._callbacks.on_rename is not None:
                await self._callbacks.on_rename(name)
        except BusError as error:
            _log.debug("bus_refused", detail=str(error))
            self._act(self._server.refused())
        except RefusedError:
            self._act(self._server.refused())
        else:
            self._act(self._server.named(what, name))


def _shown(ssid: bytes) -> str:
    return ssid.decode(errors="backslashreplace")
