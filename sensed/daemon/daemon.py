"""The composition root: parts, what they tell each other, their start and their end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

import structlog

from sensed.config import Config, LightSection
from sensed.control import ControlServer, default_path
from sensed.daemon.facts import FactBoard, MeterWatch
from sensed.daemon.identity import device_id
from sensed.daemon.meter import MeterReader, check_port
from sensed.daemon.reporter import Reporter
from sensed.errors import ConfigError, LightError
from sensed.leds.gpio import GpioDriver, LightSettings
from sensed.leds.light import Driver, Light
from sensed.leds.patterns import PALETTES
from sensed.notify import Notifier
from sensed.provisioning import AddressWatch
from sensed.status import Indicator
from sensed.supervisor import supervise
from sensed.uplink import BrokerSettings, LinkFact, MeterIdentity, Sample, Uplink
from sensed.watchdog import Watchdog, Watched

_log = structlog.get_logger(__name__)

_GOODBYE_S: Final = 5.0
"""How long the parts may take to end; the uplink says ``stopping`` within 3 s of it."""


class Part(Watched, Protocol):
    """What is supervised: runs until cancelled, and can tell whether it is stuck."""

    async def run(self) -> None:
        """Do the part's work until cancelled."""


async def run_daemon(config: Config, *, load: Callable[[], Config]) -> None:
    """Run until SIGTERM or SIGINT; at SIGHUP go on with what ``load`` returns.

    Raises ConfigError before anything has started; later, a wrong configuration is told
    and the old one stays.
    """
    stop, hangup = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    daemon = Daemon(config, make_driver=_gpio, control=default_path())
    for number, event in ((signal.SIGTERM, stop), (signal.SIGINT, stop), (signal.SIGHUP, hangup)):
        loop.add_signal_handler(number, event.set)
    async with asyncio.TaskGroup() as group:
        reloads = group.create_task(_reload(daemon, load, hangup), name="reload")
        await daemon.run(stop)
        reloads.cancel()


class Daemon:
    """Every part of the running daemon; made inside a running loop.

    ``make_driver`` gives what the light is shown on; ``on_words`` gets the state in words at
    each change. ``control`` is where the control socket stands, if there is to be one.
    ``loopback_counts`` makes the machine itself count as a network, for a
    broker inside the same process. Raises ConfigError.
    """

    def __init__(
        self,
        config: Config,
        *,
        make_driver: Callable[[LightSection], Driver],
        on_words: Callable[[str], None] = lambda _words: None,
        control: Path | None = None,
        loopback_counts: bool = False,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.notifier = Notifier()
        self._config = config
        self._make_driver = make_driver
        self._on_words = on_words
        self._watch = MeterWatch(loop.time())
        self._board = FactBoard(loop.time)
        self._state = Indicator.STARTING
        self._identity = MeterIdentity()
        self._light = self._make_light(config)
        self._reader = self._make_reader(config)
        self._uplink = self._make_uplink(config)
        self._tell_whether_configured()
        self._addresses = AddressWatch(self._addresses_changed, loopback_counts=loopback_counts)
        self._reporter = Reporter(
            self._board, self._watch, on_state=self._state_changed, on_report=self._reported
        )
        self._watchdog = Watchdog(self.notifier, self._parts)
        self._control = (
            ControlServer(control, {"status": self._reporter.status}) if control else None
        )
        self._group = asyncio.TaskGroup()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Run every part until ``stop`` is set, then end them all."""
        async with self._group:
            for name, part in self._parts().items():
                self._start(name, part)
            servants = {"watchdog": self._watchdog.run}
            if self._control is not None:
                servants["control"] = self._control.run
            others = [
                self._group.create_task(supervise(name, run), name=name)
                for name, run in servants.items()
            ]
            self.notifier.ready()
            _log.info("started")
            await stop.wait()
            self.notifier.stopping()
            _log.info("stopping")
            tasks = [*others, *self._tasks.values()]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_GOODBYE_S)

    async def apply(self, config: Config) -> None:
        """Put a new configuration in force, starting anew the parts that it concerns.

        Raises ConfigError, before anything has changed.
        """
        old = self._config
        new_uplink = (config.mqtt, config.device) != (old.mqtt, old.device)
        new_reader = config.meter != old.meter
        new_light = config.light != old.light
        uplink = self._make_uplink(config) if new_uplink else self._uplink
        reader = self._make_reader(config) if new_reader else self._reader
        light = self._make_light(config) if new_light else self._light
        self._config = config
        if new_light:
            await self._end("light")
            self._light = light
            self._light.show(self._state)
            self._start("light", light)
        if new_reader:
            await self._end("meter")
            self._watch.restart(asyncio.get_running_loop().time())
            self._identity = MeterIdentity()
            self._reader = reader
            self._start("meter", reader)
        if new_uplink:
            await self._end("uplink")
            self._uplink = uplink
            self._board.set("cloud", holds=None)
            self._tell_whether_configured()
            if uplink is not None:
                uplink.set_meter(self._identity)
                self._start("uplink", uplink)
        self._board.poke()

    # -- parts --------------------------------------------------------------------

    def _parts(self) -> dict[str, Part]:
        parts: dict[str, Part] = {
            "light": self._light,
            "addresses": self._addresses,
            "meter": self._reader,
            "reporter": self._reporter,
        }
        if self._uplink is not None:
            parts["uplink"] = self._uplink
        return parts

    def _start(self, name: str, part: Part) -> None:
        self._tasks[name] = self._group.create_task(supervise(name, part.run), name=name)

    async def _end(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task], timeout=_GOODBYE_S)

    def _make_light(self, config: Config) -> Light:
        section = config.light
        return Light(
            self._make_driver(section),
            on_fault=self._light_failed,
            patterns=PALETTES[section.palette],
            night=section.night,
        )

    def _make_reader(self, config: Config) -> MeterReader:
        check_port(config.meter.port)
        return MeterReader(
            config.meter,
            self._watch,
            self._board,
            on_sample=self._sample_received,
            on_meter=self._meter_found,
        )

    def _make_uplink(self, config: Config) -> Uplink | None:
        mqtt = config.mqtt
        if mqtt.host is None:
            return None
        settings = BrokerSettings(
            host=mqtt.host,
            port=mqtt.port,
            username=mqtt.username,
            password=mqtt.password,
            tls=mqtt.tls,
            ca_file=mqtt.ca_file,
            base_topic=mqtt.base_topic,
            device_id=config.device.id or device_id(),
        )
        return Uplink(settings, on_link=self._link_changed)

    # -- what parts tell ------------------------------------------------------------

    def _sample_received(self, sample: Sample) -> None:
        if self._uplink is not None:
            self._uplink.publish(sample)

    def _meter_found(self, identity: MeterIdentity) -> None:
        self._identity = identity
        if self._uplink is not None:
            self._uplink.set_meter(identity)

    def _reported(self, payload: Mapping[str, object]) -> None:
        if self._uplink is not None:
            self._uplink.set_state(payload)

    def _state_changed(self, state: Indicator, words: str) -> None:
        self._state = state
        self._light.show(state)
        self.notifier.status(words)
        self._on_words(words)

    def _tell_whether_configured(self) -> None:
        configured = self._uplink is not None
        self._board.set(
            "configured",
            holds=configured,
            cause="" if configured else "no_broker",
            detail="" if configured else "No broker is configured: set mqtt.host.",
        )

    def _addresses_changed(self, addresses: tuple[str, ...]) -> None:
        _log.info("addresses_changed", addresses=", ".join(addresses) or "none")
        self._board.set(
            "address",
            holds=bool(addresses),
            cause="" if addresses else "no_address",
            detail="" if addresses else "No link has an address: check Wi-Fi, cable and DHCP.",
        )

    def _link_changed(self, fact: LinkFact) -> None:
        if fact.holds:
            _log.info("broker_connected")
        elif fact.cause is not None:
            _log.warning("broker_lost", cause=fact.cause.value, detail=fact.detail)
        self._board.set(
            "cloud",
            holds=fact.holds,
            cause=fact.cause.value if fact.cause else "",
            detail=fact.detail,
        )

    def _light_failed(self, error: LightError) -> None:
        _log.warning("light_unavailable", detail=str(error))
        self._board.set("light", holds=False, cause="light_unavailable", detail=str(error))


async def _reload(daemon: Daemon, load: Callable[[], Config], hangup: asyncio.Event) -> None:
    while True:
        await hangup.wait()
        hangup.clear()
        daemon.notifier.reloading()
        try:
            await daemon.apply(load())
            _log.info("reloaded")
        except ConfigError as error:
            _log.error("reload_refused", detail=str(error))
        daemon.notifier.ready()


def _gpio(section: LightSection) -> Driver:
    return GpioDriver(LightSettings(section.pins, section.active_low, section.brightness))
