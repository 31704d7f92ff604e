"""Set-up from nearby, and what is known of the network: one part of the daemon.

A missing bus, BlueZ, adapter or NetworkManager is a fact that is told, never a failure.
"""

from __future__ import annotations

import asyncio
import platform
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from sensed import __version__
from sensed.backoff import Backoff
from sensed.errors import SensedError
from sensed.provisioning._bus import Bus
from sensed.provisioning.bluez import Trouble
from sensed.provisioning.bus_objects import BusError
from sensed.provisioning.callbacks import Callbacks, House
from sensed.provisioning.improv_server import Description
from sensed.provisioning.network_manager import JoinOutcome
from sensed.provisioning.network_watch import NetworkFacts
from sensed.provisioning.session import Session
from sensed.provisioning.window import SetupMode
from sensed.provisioning.windows import Windows

_log = structlog.get_logger(__name__)

_MODEL: Final = Path("/proc/device-tree/model")


class SetupError(SensedError):
    """Set-up cannot do what was asked; the text is one sentence with the remedy."""


@dataclass(frozen=True, slots=True)
class SetupSettings:
    """How set-up presents the device, and when it is open."""

    improv: SetupMode = SetupMode.AUTO
    encrypted: SetupMode = SetupMode.AUTO
    device_name: str = "sensed"


@dataclass(frozen=True, slots=True)
class SetupFacts:
    """What is known of set-up itself.

    ``open_s`` is how much longer it is open, 0 when closed; ``trouble`` a stable code for
    why Bluetooth cannot be used, "" for none; ``join`` the last join's outcome.
    """

    open_s: float = 0.0
    trouble: str = Trouble.NONE
    detail: str = ""
    join: JoinOutcome | None = None


class Provisioning:
    """The part to be supervised. Every callback is called in the loop and must not block.

    ``on_identify``: show a person which device this is. ``on_facts``: the network changed.
    ``on_setup``: set-up opened, closed, failed or succeeded. ``on_reset``: forget everything
    that set-up has stored. ``on_rename``: keep a new device name and call :meth:`rename`, or
    raise RefusedError; without it there is none. ``uplink_set`` tells whether a broker is set;
    ``house`` is what the encrypted service needs, which there is none without.
    """

    def __init__(
        self,
        settings: SetupSettings,
        *,
        on_identify: Callable[[], None],
        on_facts: Callable[[NetworkFacts], None],
        on_setup: Callable[[SetupFacts], None] = lambda _facts: None,
        on_reset: Callable[[], None] = lambda: None,
        on_rename: Callable[[str], Awaitable[None]] | None = None,
        uplink_set: Callable[[], bool] = lambda: True,
        house: House | None = None,
    ) -> None:
        """Do nothing until :meth:`run`."""
        self._settings = settings
        self._device_name = settings.device_name
        able = house is not None and house.state.code is not None
        self._house = house if able and settings.encrypted is not SetupMode.OFF else None
        encrypted = settings.encrypted if self._house is not None else SetupMode.OFF
        self._windows = Windows(settings.improv, encrypted)
        self._on_facts = on_facts
        self._on_setup = on_setup
        self._on_reset = on_reset
        self._callbacks = Callbacks(
            on_identify=on_identify,
            on_facts=on_facts,
            on_trouble=self._trouble_changed,
            on_join=self._join_ended,
            on_window=self._window_changed,
            on_rename=on_rename,
            uplink_set=uplink_set,
            reset=self.reset,
        )
        self._session: Session | None = None
        self._trouble: tuple[Trouble, str] = (Trouble.NONE, "")
        self._join: JoinOutcome | None = None

    @property
    def facts(self) -> SetupFacts:
        """What is known of set-up now."""
        until_s = self._windows.until_s
        now_s = asyncio.get_running_loop().time()
        open_s = 0.0 if until_s is None else max(until_s - now_s, 0.0)
        return SetupFacts(open_s, self._trouble[0], self._trouble[1], self._join)

    @property
    def commands(self) -> Mapping[str, Callable[[Mapping[str, Any]], Any]]:
        """The commands of the control socket that this part answers."""
        return {
            "setup-open": self._command_open,
            "setup-close": self._command_close,
            "setup-reset": self._command_reset,
        }

    def stuck(self, now_s: float) -> bool:
        """Tell whether something that was due has not been done for long."""
        return self._session is not None and self._session.stuck(now_s)

    async def run(self) -> None:
        """Serve until cancelled; the bus may come and go."""
        backoff = Backoff(0.5, 8.0)
        now_s = asyncio.get_running_loop().time
        failures = 0
        while True:
            try:
                bus = await Bus.connect()
            except BusError as error:
                self._without_bus(error)
            else:
                since_s = now_s()
                await self._live(bus)
                if now_s() - since_s > backoff.longest_s:
                    failures = 0
            await asyncio.sleep(backoff.delay_s(failures))
            failures += 1

    def open_window(self) -> float:
        """Open set-up because a person asked, with the button or here; return for how long, s.

        Raises SetupError when it is switched off or cannot be had.
        """
        if not self._windows.request(asyncio.get_running_loop().time()):
            raise SetupError(
                "Set-up over Bluetooth is switched off: set setup.encrypted or setup.improv."
            )
        self._look()
        trouble, detail = self._trouble
        if trouble:
            raise SetupError(f"Set-up opens as soon as Bluetooth can be used. {detail}")
        return self.facts.open_s

    def look(self) -> None:
        """Look again at what was asked for: whether a broker is set has changed."""
        self._look()

    def rename(self, name: str) -> None:
        """Go by this name from now on; nobody is disconnected."""
        self._device_name = name
        if self._session is not None:
            self._session.rename(name)

    def close_window(self) -> None:
        """Close set-up."""
        self._windows.close()
        self._look()

    async def reset(self) -> int:
        """Forget Wi-Fi networks, settings and code of set-up; return how many networks.

        Raises SetupError when NetworkManager refuses, and then nothing was forgotten, or when
        the disk does.
        """
        if self._session is None:
            raise SetupError("There is no system D-Bus: NetworkManager cannot be asked.")
        try:
            networks = await self._session.manager.forget()
        except BusError as error:
            raise SetupError(f"NetworkManager did not forget the networks: {error}.") from None
        _log.info("setup_reset", networks=networks)
        self._on_reset()
        self._windows.start_afresh()
        self._look()
        if self._house is not None:
            try:
                self._house.state.rotate()
            except OSError as error:
                raise SetupError(
                    f"All is forgotten but the set-up code, which stays: {error.strerror}."
                ) from None
        return networks

    # -- the bus ---------------------------------------------------------------------

    async def _live(self, bus: Bus) -> None:
        session = Session(
            bus,
            self._windows,
            self._description(),
            self._callbacks,
            improv=self._settings.improv is not SetupMode.OFF,
            house=self._house,
        )
        self._session = session
        try:
            await session.run()
        except* BusError as lost:
            self._without_bus(lost.exceptions[0])
        finally:
            self._session = None
            await bus.close()

    def _without_bus(self, error: Exception) -> None:
        self._on_facts(NetworkFacts())
        self._trouble_changed(Trouble.NO_BUS, f"There is no system D-Bus: {error}.")

    def _description(self) -> Description:
        return Description(
            firmware="sensed",
            version=__version__,
            hardware=_hardware(),
            device_name=self._device_name,
            hostname=socket.gethostname(),
            renamable=self._callbacks.on_rename is not None,
        )

    # -- what the session tells ------------------------------------------------------

    def _look(self) -> None:
        if self._session is not None:
            self._session.wake()

    def _trouble_changed(self, trouble: Trouble, detail: str) -> None:
        if trouble is not self._trouble[0]:
            if trouble:
                _log.warning("bluetooth_unavailable", cause=trouble.value, detail=detail)
            else:
                _log.info("bluetooth_available")
            self._trouble = (trouble, detail)
            self._on_setup(self.facts)

    def _join_ended(self, outcome: JoinOutcome) -> None:
        self._join = outcome
        self._on_setup(self.facts)

    def _window_changed(self) -> None:
        if self._windows.is_open:
            _log.info("setup_opened", minutes=round(self.facts.open_s / 60))
        else:
            _log.info("setup_closed")
        self._on_setup(self.facts)

    # -- commands --------------------------------------------------------------------

    async def _command_open(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"open_s": round(self.open_window())}

    async def _command_close(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        self.close_window()
        return {}

    async def _command_reset(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        networks = await self.reset()
        if self._session is not None:
            self._session.end_encrypted()
        return {"networks": networks}


def _hardware() -> str:
    try:
        return _MODEL.read_text(encoding="utf-8").rstrip("\0\n") or platform.machine()
    except OSError:
        return platform.machine()
