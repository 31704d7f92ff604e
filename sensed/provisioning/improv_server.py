"""The device's side of Improv as a state machine: writes and outcomes in, actions out. Sans-IO.

Source: the Improv Wi-Fi specification 2.4; where it is silent, what its clients need.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from sensed.errors import WireError
from sensed.provisioning import improv
from sensed.provisioning.improv import Capability, Characteristic, Command, Error, Packet, State
from sensed.secret import Secret

_RENOTIFY_S: Final = 20.0
"""A client hangs up after 90 s without a notification."""
_DEFAULT_MTU: Final = 23

# RFC 1123, section 2.1: labels of letters, digits and inner hyphens.
_HOSTNAME: Final = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
_LONGEST_HOSTNAME: Final = 64
"""What Linux holds (HOST_NAME_MAX)."""


@dataclass(frozen=True, slots=True)
class Description:
    """How the device speaks of itself; capabilities say what it can do today."""

    firmware: str
    version: str
    hardware: str
    device_name: str
    hostname: str
    capabilities: Capability = Capability.IDENTIFY | Capability.DEVICE_INFO | Capability.SCAN
    renamable: bool = False


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell every subscriber of a characteristic its new value."""

    characteristic: Characteristic
    value: bytes


@dataclass(frozen=True, slots=True)
class Advertise:
    """Put these six octets of service data into every advertisement from now on."""

    service_data: bytes


@dataclass(frozen=True, slots=True)
class Identify:
    """Show a person which device this is."""


@dataclass(frozen=True, slots=True)
class Scan:
    """Look for networks, then call :meth:`ImprovServer.scanned`."""


@dataclass(frozen=True, slots=True)
class Join:
    """Try a network, then call :meth:`ImprovServer.joined` or :meth:`ImprovServer.join_failed`."""

    ssid: bytes
    password: Secret


@dataclass(frozen=True, slots=True)
class SetHostname:
    """Rename the host, then call :meth:`ImprovServer.named` or :meth:`ImprovServer.refused`."""

    name: str


@dataclass(frozen=True, slots=True)
class SetDeviceName:
    """Rename the device, then call :meth:`ImprovServer.named` or :meth:`ImprovServer.refused`."""

    name: str


Action = Notify | Advertise | Identify | Scan | Join | SetHostname | SetDeviceName


class _RefusedError(Exception):
    """The command ends with this error."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.name)
        self.error = error


@dataclass(frozen=True, slots=True)
class _Rule:
    """In which states a command is obeyed, whether it is bare of data, and by what."""

    states: frozenset[State]
    bare: bool
    handle: Callable[[ImprovServer, bytes, float], list[Action]]


_ALWAYS: Final = frozenset(State)
_BEFORE_JOIN: Final = frozenset({State.AUTHORIZATION_REQUIRED, State.AUTHORIZED})
_AUTHORIZED: Final = frozenset({State.AUTHORIZED})


class ImprovServer:
    """One client's set-up session after another. The caller gives one client the slot at a time."""

    def __init__(self, description: Description) -> None:
        """Start without authorization, as ``description`` tells."""
        self.description = description
        self._state = State.AUTHORIZATION_REQUIRED
        self._error = Error.NONE
        self._result = b""
        self._assembler = improv.Assembler()
        self._mtu = _DEFAULT_MTU
        self._scanning = False
        self._renotify_s: float | None = None

    @property
    def state(self) -> State:
        """What clients are told."""
        return self._state

    @property
    def service_data(self) -> bytes:
        """What is advertised; equal to the characteristics at every moment."""
        return improv.service_data(self._state, self.description.capabilities)

    @property
    def deadline_s(self) -> float | None:
        """When :meth:`tick` wants to be called next."""
        return self._renotify_s

    def value(self, characteristic: Characteristic) -> bytes:
        """Return what a client reads."""
        values = {
            Characteristic.STATE: bytes((self._state,)),
            Characteristic.ERROR: bytes((self._error,)),
            Characteristic.RESULT: self._result,
            Characteristic.CAPABILITIES: bytes((self.description.capabilities,)),
        }
        return values.get(characteristic, b"")

    # -- consent ---------------------------------------------------------------------

    def authorize(self, *, allowed: bool) -> list[Action]:
        """Accept credentials from now on, or no more; a join under way is not disturbed."""
        if self._state is State.PROVISIONING:
            return []
        return self._enter(State.AUTHORIZED if allowed else State.AUTHORIZATION_REQUIRED)

    def describe(self, description: Description) -> list[Action]:
        """Speak of the device like this from now on."""
        before = self.service_data
        self.description = description
        return [Advertise(self.service_data)] if self.service_data != before else []

    # -- clients ---------------------------------------------------------------------

    def client_gone(self) -> None:
        """Start afresh for the next client: no half packet, no error, no result."""
        self._assembler = improv.Assembler()
        self._error = Error.NONE
        self._result = b""
        self._mtu = _DEFAULT_MTU
        self._scanning = False

    def written(self, octets: bytes, mtu: int | None, now_s: float) -> list[Action]:
        """Take a write to the command characteristic on a link with ATT MTU ``mtu``."""
        self._mtu = mtu if mtu is not None and mtu >= _DEFAULT_MTU else _DEFAULT_MTU
        try:
            packet = self._assembler.receive(octets, now_s)
        except WireError:
            return self._fail(Error.INVALID_PACKET)
        if packet is None:
            return []
        try:
            done = self._obey(packet, now_s)
        except WireError:
            return self._fail(Error.INVALID_PACKET)
        except _RefusedError as refused:
            return self._fail(refused.error)
        return [*self._clear_error(), *done]

    def tick(self, now_s: float) -> list[Action]:
        """Say again that a join is under way, so that the client stays."""
        if self._renotify_s is None or now_s < self._renotify_s:
            return []
        self._renotify_s = now_s + _RENOTIFY_S
        return [Notify(Characteristic.STATE, bytes((self._state,)))]

    # -- outcomes --------------------------------------------------------------------

    def scanned(self, networks: Iterable[improv.SeenNetwork]) -> list[Action]:
        """Tell the networks that were found, best first, to the client that asked."""
        if not self._scanning:
            return []
        self._scanning = False
        return self._tell(improv.scan_result(networks, self._mtu))

    def joined(self) -> list[Action]:
        """Tell success: state, then a result with no page to go to; nothing more is accepted."""
        self._renotify_s = None
        actions = self._enter(State.PROVISIONED)
        return actions + self._tell(improv.result(Command.WIFI_SETTINGS, []))

    def join_failed(self) -> list[Action]:
        """Tell failure with the one error after which every client lets a person try again."""
        self._renotify_s = None
        return self._fail(Error.UNABLE_TO_CONNECT) + self._enter(State.AUTHORIZED)

    def named(self, command: Command, name: str) -> list[Action]:
        """Tell that a name was set."""
        return self._tell(improv.named(command, name, self._mtu))

    def refused(self) -> list[Action]:
        """Tell that a name could not be set."""
        return self._fail(Error.UNKNOWN)

    # -- commands --------------------------------------------------------------------

    def _obey(self, packet: Packet, now_s: float) -> list[Action]:
        rule = self._RULES.get(packet.command)
        if rule is None:
            raise _RefusedError(Error.UNKNOWN_COMMAND)
        if rule.bare and packet.data:
            raise WireError("the command takes no data")
        if self._state not in rule.states:
            raise _RefusedError(Error.NOT_AUTHORIZED)
        return rule.handle(self, packet.data, now_s)

    def _wifi_settings(self, data: bytes, now_s: float) -> list[Action]:
        ssid, password = improv.wifi_settings(data)
        if not ssid:
            raise WireError("no network is named")
        self._renotify_s = now_s + _RENOTIFY_S
        # A password that is no UTF-8 is no WPA passphrase either; the join says so.
        secret = Secret(password.decode(errors="replace"))
        return [*self._enter(State.PROVISIONING), Join(ssid, secret)]

    def _identify(self, _data: bytes, _now_s: float) -> list[Action]:
        return [Identify()]

    def _device_info(self, _data: bytes, _now_s: float) -> list[Action]:
        us = self.description
        strings = (us.firmware, us.version, us.hardware, us.device_name)
        return self._tell(improv.device_info(strings, self._mtu))

    def _scan(self, _data: bytes, _now_s: float) -> list[Action]:
        if self._scanning:
            return []
        self._scanning = True
        return [Scan()]

    def _hostname(self, data: bytes, _now_s: float) -> list[Action]:
        if not data:
            return self.named(Command.HOSTNAME, self.description.hostname)
        self._check_may_rename(able=bool(self.description.capabilities & Capability.HOSTNAME))
        name = improv.one_text(data)
        labels = name.split(".")
        if len(name) > _LONGEST_HOSTNAME or not all(map(_HOSTNAME.fullmatch, labels)):
            raise _RefusedError(Error.BAD_HOSTNAME)
        return [SetHostname(name)]

    def _device_name(self, data: bytes, _now_s: float) -> list[Action]:
        if not data:
            return self.named(Command.DEVICE_NAME, self.description.device_name)
        self._check_may_rename(able=self.description.renamable)
        name = improv.one_text(data)
        if not name.isprintable() or len(name.encode()) > improv.LONGEST_STRING:
            raise WireError("not a name that can be shown")
        return [SetDeviceName(name)]

    _RULES: ClassVar[Mapping[int, _Rule]] = {
        Command.WIFI_SETTINGS: _Rule(_AUTHORIZED, bare=False, handle=_wifi_settings),
        Command.IDENTIFY: _Rule(_ALWAYS, bare=True, handle=_identify),
        Command.DEVICE_INFO: _Rule(_ALWAYS, bare=True, handle=_device_info),
        Command.SCAN: _Rule(_BEFORE_JOIN, bare=True, handle=_scan),
        Command.HOSTNAME: _Rule(_BEFORE_JOIN, bare=False, handle=_hostname),
        Command.DEVICE_NAME: _Rule(_BEFORE_JOIN, bare=False, handle=_device_name),
    }

    def _check_may_rename(self, *, able: bool) -> None:
        if not able:
            raise _RefusedError(Error.UNKNOWN_COMMAND)
        if self._state is not State.AUTHORIZED:
            raise _RefusedError(Error.NOT_AUTHORIZED)

    # -- telling ---------------------------------------------------------------------

    def _enter(self, state: State) -> list[Action]:
        if state is self._state:
            return []
        self._state = state
        return [Notify(Characteristic.STATE, bytes((state,))), Advertise(self.service_data)]

    def _fail(self, error: Error) -> list[Action]:
        self._error = error
        return [Notify(Characteristic.ERROR, bytes((error,)))]

    def _clear_error(self) -> list[Action]:
        return [] if self._error is Error.NONE else self._fail(Error.NONE)

    def _tell(self, result: bytes) -> list[Action]:
        self._result = result
        return [Notify(Characteristic.RESULT, result)]
