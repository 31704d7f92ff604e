"""The examination: every check at once, each with a deadline, none of which changes anything."""

from __future__ import annotations

import asyncio
import importlib.util
import ipaddress
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import sensed
from sensed.config import STATE_PATH, Config, load_config
from sensed.control import NotAllowedError, NotRunningError, default_path, request
from sensed.daemon import settings
from sensed.daemon.memory import LineMemory
from sensed.daemon.meter import find_port
from sensed.doctor import device_checks, port_checks, way, wireless_checks
from sensed.doctor.device_checks import Contact
from sensed.doctor.findings import SUDO, Finding, judge, parted, unseen
from sensed.doctor.machine import Machine, User, group_of, service_user
from sensed.errors import ConfigError, LightError, SensedError
from sensed.han.port import PortCause, try_port
from sensed.leds.gpio import check_library
from sensed.provisioning import BusError, Surroundings, Trouble, look_around, usable_addresses
from sensed.uplink import BrokerSettings, Cause

CHECKS: Final = (
    "configuration",
    "daemon",
    "adapter",
    "meter",
    "modem_manager",
    "light",
    "bluetooth",
    "network_manager",
    "polkit",
    "wifi",
    "clock",
    "address",
    "dns",
    "tls",
    "broker",
)
"""Every check, in the order in which findings are told."""

_DAEMON_S: Final = 5.0
_LOOK_S: Final = 8.0
_FULL_PERCENT: Final = 100
_CHECK_S: Final = 20.0


def _made() -> datetime:
    """Return when this software was made or installed."""
    return datetime.fromtimestamp(Path(sensed.__file__).stat().st_mtime, UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the examination looks; the defaults are this machine."""

    config: Path | None = None
    state: Path = STATE_PATH
    socket: Path = field(default_factory=default_path)
    machine: Machine = field(default_factory=Machine)
    user: User = field(default_factory=service_user)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    made: Callable[[], datetime] = _made


async def examine(place: Place) -> Sequence[Finding]:
    """Return the findings of all checks, in their order."""
    contact, answer = await _ask_daemon(place.socket)
    return await _Examination(place, contact, answer).findings()


async def _ask_daemon(path: Path) -> tuple[Contact, Mapping[str, Any]]:
    try:
        answer = await asyncio.to_thread(request, path, "status", patience_s=_DAEMON_S)
    except NotRunningError:
        return Contact.ABSENT, {}
    except NotAllowedError:
        return Contact.FORBIDDEN, {}
    except SensedError:
        return Contact.SILENT, {}
    return Contact.ANSWERS, answer


class _Examination:
    """One examination; each ``_method`` that finds something is a probe and its judgement."""

    def __init__(self, place: Place, contact: Contact, answer: Mapping[str, Any]) -> None:
        self._place = place
        self._contact = contact
        self._answer = answer
        self._facts: Mapping[str, Mapping[str, Any]] = answer.get("facts", {})
        self._config, self._config_facts = self._read_configuration()
        self._port = answer.get("port", {})
        self._device = find_port(str(self._port.get("device") or self._config.meter.port))

    async def findings(self) -> Sequence[Finding]:
        probes: Mapping[tuple[str, ...], Callable[[], Awaitable[Sequence[Finding]]]] = {
            ("adapter",): self._adapter,
            (
                "modem_manager",
                "bluetooth",
                "network_manager",
                "polkit",
                "clock",
            ): self._services,
            ("dns", "tls", "broker"): self._way,
        }
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_in_time(names, act)) for names, act in probes.items()]
        found = [
            judge("configuration", self._config_facts, device_checks.CONFIGURATION),
            judge("daemon", self._daemon(), device_checks.DAEMON),
            self._meter(),
            judge("light", self._light(), device_checks.LIGHT),
            judge("wifi", self._wifi(), wireless_checks.WIFI),
            judge("address", self._address(), way.ADDRESS),
            *(finding for task in tasks for finding in task.result()),
        ]
        return sorted(found, key=lambda finding: CHECKS.index(finding.check))

    def _fact(self, name: str) -> tuple[bool | None, str, str]:
        """Return holds, cause and detail of one of the daemon's facts, as far as it tells."""
        fact = self._facts.get(name, {})
        holds = fact.get("holds")
        known = holds if isinstance(holds, bool) else None
        return known, str(fact.get("cause") or ""), str(fact.get("detail") or "")

    # -- the device itself --------------------------------------------------------------

    def _read_configuration(self) -> tuple[Config, device_checks.ConfigurationFacts]:
        place = self._place
        hidden = _hidden(place.state)
        error = ""
        try:
            config = load_config(place.config, state=None if hidden else place.state)
            settings.check(config)
        except ConfigError as wrong:
            hidden = hidden or isinstance(wrong.__context__, PermissionError)
            config, error = Config(), str(wrong)
        _, cause, _ = self._fact("configured")
        told = self._contact is Contact.ANSWERS and cause != "no_broker"
        return config, device_checks.ConfigurationFacts(
            error=error,
            hidden=hidden,
            broker=config.mqtt.host is not None or told,
            fuse=config.fuse.main_a is not None,
        )

    def _daemon(self) -> device_checks.DaemonFacts:
        return device_checks.DaemonFacts(
            self._contact, str(self._answer.get("words", "")).rstrip(".")
        )

    async def _adapter(self) -> Sequence[Finding]:
        tried, cause = True, None
        names: tuple[str, ...] = ()
        if self._contact is Contact.ANSWERS:
            _, code, _ = self._fact("meter")
            cause = PortCause.__members__.get(code.upper())
        elif self._contact is Contact.ABSENT:
            cause = await try_port(self._device)
        else:
            # The port may be the daemon's: it is not opened a second time.
            tried = False
            cause = None if _may_be_there(self._device) else PortCause.NO_DEVICE
        if self._contact is not Contact.ANSWERS or cause is not None:
            names = await asyncio.to_thread(self._place.machine.holders, self._device)
        if not tried:
            names = tuple(name for name in names if not name.startswith("sensed "))
        user = self._place.user
        facts = port_checks.AdapterFacts(
            self._shown_device,
            tried=tried,
            cause=cause,
            user=user.name,
            # What the daemon meets itself is worth more than what a mode says.
            allowed=None if self._contact is Contact.ANSWERS else user.may(self._device),
            group=group_of(self._device) or "dialout",
            names=names,
        )
        return [judge("adapter", facts, port_checks.ADAPTER)]

    @property
    def _shown_device(self) -> str:
        """The port's path; without any adapter the folder where it would be."""
        path = Path(self._device)
        return str(path.parent) if path.name == "auto" else self._device

    def _meter(self) -> Finding:
        holds, code, detail = self._fact("meter")
        line = self._port.get("line") if holds else None
        if line is None:
            line = LineMemory(self._place.state.with_name("line")).recall()
        text, remedy = parted(detail)
        if code.upper() in PortCause.__members__:
            text, remedy = "No list can come.", "See to the adapter first."
        return port_checks.meter(
            port_checks.MeterFacts(
                told=self._contact is Contact.ANSWERS,
                holds=holds,
                text=text,
                remedy=remedy,
                age_s=self._answer.get("meter", {}).get("last_list_age_s"),
                line=str(line or ""),
            )
        )

    def _light(self) -> device_checks.LightFacts:
        holds, _, text = self._fact("light")
        chips = self._place.machine.gpio_chips()
        library = ""
        try:
            check_library()
        except LightError as error:
            library = str(error)
        dimmed = self._config.light.brightness < _FULL_PERCENT
        if not library and dimmed and importlib.util.find_spec("lgpio") is None:
            library = "A dimmed light needs lgpio; it is not installed."
        user = self._place.user
        return device_checks.LightFacts(
            holds=holds,
            text=text,
            chips=chips,
            allowed=user.may(chips[0]) if chips else None,
            user=user.name,
            library=library,
        )

    def _wifi(self) -> wireless_checks.WifiFacts:
        machine = self._place.machine
        switches = tuple(switch for switch in machine.switches() if switch.kind == "wlan")
        return wireless_checks.WifiFacts(switches, machine.country())

    # -- the services about -------------------------------------------------------------

    async def _services(self) -> Sequence[Finding]:
        machine = self._place.machine
        try:
            seen = await look_around(_LOOK_S)
        except BusError:
            seen = Surroundings(Trouble.NO_BUS)
        radios = [switch for switch in machine.switches() if switch.kind == "bluetooth"]
        held, code, _ = self._fact("network_manager")
        there = _may_be_there(self._device)
        ignores = machine.modem_manager_ignores(self._device)
        return [
            judge(
                "modem_manager",
                port_checks.ModemManagerFacts(
                    self._device, there, seen.modem_manager_runs, ignores
                ),
                port_checks.MODEM_MANAGER,
            ),
            judge(
                "bluetooth",
                wireless_checks.BluetoothFacts(
                    seen.trouble,
                    seen.trouble_text,
                    soft=bool(radios) and all(radio.soft for radio in radios),
                    hard=bool(radios) and all(radio.hard for radio in radios),
                ),
                wireless_checks.BLUETOOTH,
            ),
            judge("network_manager", seen.network, wireless_checks.NETWORK_MANAGER),
            judge(
                "polkit",
                wireless_checks.PolkitFacts(
                    network_manager=seen.network.available if seen.network else None,
                    denied=code == "permission" if held is not None and code != "absent" else None,
                    rule=machine.polkit_rule(),
                ),
                wireless_checks.POLKIT,
            ),
            judge(
                "clock",
                device_checks.ClockFacts(
                    self._place.now(),
                    self._place.made(),
                    seen.clock_synchronised,
                ),
                device_checks.CLOCK,
            ),
        ]

    # -- the way to the broker ----------------------------------------------------------

    def _address(self) -> way.AddressFacts:
        return way.AddressFacts(usable_addresses(), _is_here(self._config.mqtt.host))

    async def _way(self) -> Sequence[Finding]:
        broker = self._broker()
        told = self._told_way(broker)
        if told is not None:
            return told
        if broker is None:
            return list(_no_broker(self._config_facts))
        closed = way.closed_files(broker)
        if closed:
            return list(way.way_unknown(f"This user may not read {closed[0]}.", SUDO))
        whole = self._contact is Contact.ABSENT
        return list(way.way(await way.go(broker, whole=whole)))

    def _broker(self) -> BrokerSettings | None:
        try:
            return settings.broker(self._config)
        except ConfigError:
            return None

    def _told_way(self, broker: BrokerSettings | None) -> Sequence[Finding] | None:
        """Return what the daemon tells of its own connection, ``None`` where it tells nothing."""
        if self._contact is not Contact.ANSWERS or not self._config_facts.broker:
            return None
        holds, code, detail = self._fact("cloud")
        host, tls = (broker.host, broker.tls) if broker else ("", False)
        if holds is None:
            return list(
                way.way_unknown("The daemon has not tried it yet.", "Ask again in half a minute.")
            )
        cause = None
        if not holds:
            cause = Cause(code) if code in set(Cause) else Cause.LOST
        return list(way.way(way.WayFacts(host, tls, cause, detail)))


def _may_be_there(device: str) -> bool:
    return "://" in device or Path(device).exists()


def _no_broker(facts: device_checks.ConfigurationFacts) -> Sequence[Finding]:
    if facts.hidden:
        return list(way.way_unknown("This user cannot see which broker is set.", SUDO))
    return list(way.way_unknown("No broker is set.", "Set mqtt.host, or set it up from a phone."))


async def _in_time(
    names: tuple[str, ...], act: Callable[[], Awaitable[Sequence[Finding]]]
) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(_CHECK_S):
            return await act()
    except TimeoutError:
        text = f"This took longer than {_CHECK_S:.0f} s."
        return [
            unseen(name, text, "Ask again; restart the device if it stays so.") for name in names
        ]
    except (SensedError, OSError) as error:
        return [unseen(name, *parted(str(error))) for name in names]


def _hidden(path: Path) -> bool:
    """Return whether a file may be there but is closed to this user."""
    try:
        with path.open("rb"):
            return False
    except PermissionError:
        return True
    except OSError:
        return False


def _is_here(host: str | None) -> bool:
    try:
        return host is not None and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
