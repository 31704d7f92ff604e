"""The composition root: parts, what they tell each other, their start and their end."""

from __future__ import annotations

import asyncio
import itertools
import signal
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from sensed.config import STATE_PATH, Config, SettingsStore
from sensed.control import ControlServer, Handler, default_path
from sensed.daemon import settings
from sensed.daemon.facts import FactBoard, MeterWatch
from sensed.daemon.keeper import NewestValues, SettingsKeeper
from sensed.daemon.memory import LineMemory
from sensed.daemon.meter import MeterReader, check_port
from sensed.daemon.news import News
from sensed.daemon.reloads import Reloads
from sensed.daemon.reporter import Report, Reporter
from sensed.daemon.taps import Taps
from sensed.leds.gpio import GpioDriver
from sensed.leds.light import Driver, Light
from sensed.leds.patterns import PALETTES, Signal
from sensed.notify import Notifier
from sensed.private_file import forget_private
from sensed.provisioning import AddressWatch, House, Provisioning, SetupError, SetupState
from sensed.provisioning.button import SetupButton
from sensed.status import Indicator
from sensed.supervisor import supervise
from sensed.uplink import MeterIdentity, Sample, Uplink
from sensed.watchdog import Watchdog, Watched

_log = structlog.get_logger(__name__)

_GOODBYE_S: Final = 5.0
"""How long the parts may take to end; the uplink says ``stopping`` within 3 s of it."""

_IDENTIFY_S: Final = 10.0

_MADE_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "light": ("light",),
    "meter": ("meter",),
    "uplink": ("mqtt", "device", "fuse", "history", "home_assistant"),
    "provisioning": ("setup",),
    "button": ("setup",),
}
"""Part to the sections of the configuration it is made of: a change there starts it anew."""


class Part(Watched, Protocol):
    """What is supervised: runs until cancelled, and can tell whether it is stuck."""

    async def run(self) -> None:
        """Do the part's work until cancelled."""


async def run_daemon(
    config: Config,
    *,
    load: Callable[[], Config],
    store: SettingsStore,
    on_accepted: Callable[[Config], None] = lambda _config: None,
) -> None:
    """Run until SIGTERM or SIGINT; at SIGHUP go on with what ``load`` returns.

    ``store`` is where set-up keeps settings; ``on_accepted`` gets what was loaded once it is
    in force. Raises ConfigError before anything has started;
    later, a wrong configuration is told and the old one stays.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    reloads = Reloads(load)

    def forget() -> None:
        try:
            forget_private(STATE_PATH)
        except OSError as error:
            raise SetupError(f"The settings could not be forgotten: {error.strerror}.") from None
        reloads.want()

    daemon = Daemon(
        config,
        make_driver=lambda config: GpioDriver(settings.light(config)),
        control=default_path(),
        on_reset=forget,
        store=store,
        reload=reloads.done,
    )

    async def apply(config: Config) -> None:
        await daemon.apply(config)
        on_accepted(config)

    async with asyncio.TaskGroup() as group:
        reloading = group.create_task(reloads.run(apply, daemon.notifier), name="reload")

        def end() -> None:
            stop.set()
            reloading.cancel()  # else it would say, of a daemon that ends, that it is ready

        for number, act in (
            (signal.SIGTERM, end),
            (signal.SIGINT, end),
            (signal.SIGHUP, reloads.want),
        ):
            loop.add_signal_handler(number, act)
        await daemon.run(stop)
        reloading.cancel()


class Daemon:
    """Every part of the running daemon; made inside a running loop.

    ``make_driver`` gives what the light is shown on; ``on_words`` gets the state in words at
    each change; ``on_reset`` is to forget what set-up has stored. ``control`` is where the
    control socket stands. ``standalone`` is for a broker inside the same process: the
    machine itself counts as a network, and neither Bluetooth nor NetworkManager is
    touched. ``store`` and ``reload``, which puts what it holds in force, are for encrypted
    set-up. Raises ConfigError.
    """

    def __init__(
        self,
        config: Config,
        *,
        make_driver: Callable[[Config], Driver],
        on_words: Callable[[str], None] = lambda _words: None,
        on_reset: Callable[[], None] = lambda: None,
        control: Path | None = None,
        standalone: bool = False,
        store: SettingsStore | None = None,
        reload: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        settings.check(config)
        check_port(config.meter.port)
        loop = asyncio.get_running_loop()
        self.notifier = Notifier()
        self._config = config
        self._make_driver = make_driver
        self._on_words = on_words
        self._on_reset = on_reset
        self._control = control
        self._standalone = standalone
        self._boot_id = uuid.uuid4().hex
        # A boot id and a number name one message: what is made anew goes on counting.
        self._list_numbers = itertools.count(1)
        self._headroom_numbers = itertools.count(1)
        self._watch = MeterWatch(loop.time())
        self._board = FactBoard(loop.time)
        self._news = News(self._board)
        self._state = Indicator.STARTING
        self._identity = MeterIdentity()
        self._newest = NewestValues()
        self._addresses_known: tuple[str, ...] = ()
        self._taps = Taps()
        self._identifying: asyncio.TimerHandle | None = None
        self._group = asyncio.TaskGroup()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._resting: set[str] = set()
        self._ending = False

        self._light = self._make_light(config)
        self._meter = self._make_meter(config)
        self._uplink = self._make_uplink(config)
        self._addresses = AddressWatch(self._addresses_changed, loopback_counts=standalone)
        self._reporter = Reporter(
            self._board,
            self._watch,
            on_state=self._state_changed,
            on_report=self._reported,
            history=lambda: self._uplink.history_counts if self._uplink else None,
        )
        self._house = None if store is None or reload is None else self._make_house(store, reload)
        self._provisioning = self._make_provisioning(config)
        self._button = self._make_button(config)
        self._news.broker_set(config.mqtt.host)

    async def run(self, stop: asyncio.Event) -> None:
        """Run every part until ``stop`` is set, then end them all."""
        async with self._group:
            for name, part in self._parts():
                self._start(name, part.run)
            self._start("watchdog", Watchdog(self.notifier, self._working).run)
            if self._control is not None:
                self._start("control", self._control_server(self._control).run)
            self.notifier.ready()
            _log.info("started")
            await stop.wait()
            self._ending = True
            self.notifier.stopping()
            _log.info("stopping")
            self._taps.close()
            for task in self._tasks.values():
                task.cancel()
            await asyncio.wait(self._tasks.values(), timeout=_GOODBYE_S)

    async def apply(self, config: Config) -> None:
        """Put a new configuration in force, starting anew the parts that it concerns.

        Raises ConfigError, before anything has changed. Starts nothing once the daemon ends.
        """
        settings.check(config)
        check_port(config.meter.port)
        concerned = [
            name
            for name, sections in _MADE_OF.items()
            if any(getattr(config, key) != getattr(self._config, key) for key in sections)
        ]
        if self._uplink is not None and settings.leaves(self._config, config):
            self._uplink.retire()
        self._config = config
        for name in concerned:
            await self._end(name)
        if self._ending:
            return
        self._renew(concerned, config)
        if self._provisioning is not None:
            self._provisioning.rename(config.device.name)
            self._provisioning.look()
        for name, part in self._parts():
            if name in concerned:
                self._start(name, part.run)
        self._board.poke()

    # -- parts --------------------------------------------------------------------

    def _parts(self) -> Iterator[tuple[str, Part]]:
        parts: dict[str, Part | None] = {
            "light": self._light,
            "meter": self._meter,
            "addresses": self._addresses,
            "reporter": self._reporter,
            "uplink": self._uplink,
            "provisioning": self._provisioning,
            "button": self._button,
        }
        return ((name, part) for name, part in parts.items() if part is not None)

    def _start(self, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        supervised = supervise(name, run, resting=self._resting)
        self._tasks[name] = self._group.create_task(supervised, name=name)

    def _working(self) -> Mapping[str, Watched]:
        """Return the parts that owe something: not those that wait to be started again."""
        return {name: part for name, part in self._parts() if name not in self._resting}

    async def _end(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task], timeout=_GOODBYE_S)

    def _renew(self, names: list[str], config: Config) -> None:
        """Make anew what stands behind ``names``; what is known goes over to it."""
        if "light" in names:
            self._light = self._make_light(config)
            self._light.show(self._state)
        if "meter" in names:
            self._watch.restart(asyncio.get_running_loop().time())
            self._identity = MeterIdentity()
            self._newest.forget()
            self._meter = self._make_meter(config)
        if "uplink" in names:
            self._uplink = self._make_uplink(config)
            self._news.broker_set(config.mqtt.host)
            if self._uplink is not None:
                self._uplink.set_meter(self._identity)
        if "provisioning" in names:
            self._provisioning = self._make_provisioning(config)
        if "button" in names:
            self._button = self._make_button(config)

    def _make_light(self, config: Config) -> Light:
        section = config.light
        return Light(
            self._make_driver(config),
            on_health=self._news.light_health,
            patterns=PALETTES[section.palette],
            night=section.night,
        )

    def _make_meter(self, config: Config) -> MeterReader:
        return MeterReader(
            config.meter,
            self._watch,
            self._board,
            on_sample=self._sample_received,
            on_meter=self._meter_found,
            boot_id=self._boot_id,
            numbers=self._list_numbers,
            memory=None if self._standalone else LineMemory(STATE_PATH.with_name("line")),
            on_port=self._taps.put,
        )

    def _make_uplink(self, config: Config) -> Uplink | None:
        broker = settings.broker(config)
        if broker is None:
            return None
        return Uplink(
            broker,
            on_link=self._news.link,
            on_trouble=lambda sentence: _log.warning("history_trouble", detail=sentence),
            safety=settings.safety(config),
            history=settings.history(config),
            discovery=settings.discovery(config),
            boot_id=self._boot_id,
            headroom_numbers=self._headroom_numbers,
        )

    def _make_provisioning(self, config: Config) -> Provisioning | None:
        if self._standalone:
            return None
        return Provisioning(
            settings.setup(config),
            on_identify=self._identify,
            on_facts=self._news.network,
            on_setup=self._news.setup,
            on_reset=self._on_reset,
            on_rename=None if self._house is None else self._rename,
            uplink_set=lambda: self._uplink is not None,
            house=self._house,
        )

    async def _rename(self, name: str) -> None:
        """Keep the name that an app has given. Raises RefusedError."""
        if self._house is not None:
            await self._house.keeper.change({"device.name": name})

    def _make_house(self, store: SettingsStore, reload: Callable[[], Awaitable[None]]) -> House:
        keeper = SettingsKeeper(
            store,
            config=lambda: self._config,
            reload=reload,
            state=self._reporter.now,
            meter=lambda: self._identity,
            newest=self._newest,
        )
        return House(SetupState(STATE_PATH.parent, asyncio.get_running_loop().time()), keeper)

    def _make_button(self, config: Config) -> SetupButton | None:
        line = config.setup.button
        return None if line is None else SetupButton(line, self._button_pressed)

    def _control_server(self, path: Path) -> ControlServer:
        return ControlServer(path, self._commands(), {"capture": self._taps.stream})

    def _commands(self) -> Mapping[str, Handler]:
        """Return what the control socket answers; a part may be another one by then."""

        def of_provisioning(name: str) -> Handler:
            async def handle(request: Mapping[str, Any]) -> Mapping[str, Any]:
                if self._provisioning is None:
                    raise SetupError("This daemon has no set-up.")
                answer: Mapping[str, Any] = await self._provisioning.commands[name](request)
                return answer

            return handle

        names = self._provisioning.commands if self._provisioning else {}
        return {"status": self._status, **{name: of_provisioning(name) for name in names}}

    async def _status(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**self._reporter.now(), "port": self._taps.port()}

    # -- what parts ask for -----------------------------------------------------------

    def _sample_received(self, sample: Sample) -> None:
        self._newest.received(sample.reading)
        if self._uplink is not None:
            self._uplink.publish(sample)

    def _meter_found(self, identity: MeterIdentity) -> None:
        self._identity = identity
        if self._uplink is not None:
            self._uplink.set_meter(identity)

    def _addresses_changed(self, addresses: tuple[str, ...]) -> None:
        gained = set(addresses) - set(self._addresses_known)
        self._addresses_known = addresses
        self._news.kernel_addresses(addresses)
        if gained and self._uplink is not None:
            self._uplink.address_gained()

    def _reported(self, report: Report) -> None:
        if self._uplink is not None:
            self._uplink.set_state(report)

    def _state_changed(self, state: Indicator, words: str) -> None:
        self._state = state
        self._light.show(state)
        self.notifier.status(words)
        self._on_words(words)

    def _identify(self) -> None:
        if self._identifying is not None:
            self._identifying.cancel()
        self._light.signal(Signal.IDENTIFY)
        self._identifying = asyncio.get_running_loop().call_later(
            _IDENTIFY_S, lambda: self._light.signal(None)
        )

    def _button_pressed(self) -> None:
        if self._provisioning is None:
            return
        try:
            self._provisioning.open_window()
        except SetupError as error:
            _log.warning("setup_refused", detail=str(error))
