"""Whatever is written to Improv, no network is joined without consent and every answer fits.

A notification is no longer than its link carries, a result is what clients can parse, and
at most one packet is held. An input is a script of writes, outcomes and time.
"""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.script import Script, piece
from sensed.provisioning import improv
from sensed.provisioning.improv import Characteristic, Command, State
from sensed.provisioning.improv_server import (
    Action,
    Description,
    ImprovServer,
    Join,
    Notify,
    Scan,
    SetDeviceName,
    SetHostname,
)
from sensed.provisioning.networks import AccessPoint, best_first

INCLUDE = ("sensed.provisioning.improv", "sensed.provisioning.improv_server")
_US = Description(
    "sensed", "1.0", "Raspberry Pi 4", "sensed-42", "pi", improv.Capability(15), renamable=True
)


class Line:
    """The device, and what it would do for its client."""

    def __init__(self) -> None:
        self.server = ImprovServer(_US)
        self.allowed = False
        self.now_s = 0.0
        self.mtu = 23

    def step(self, script: Script) -> None:
        """Take one step of the script."""
        match script.number() % 6:
            case 0:
                self.write(script.piece())
            case 1:
                octets = bytes((script.number(),)) + script.piece()[:255]
                whole = octets[:1] + bytes((len(octets) - 1,)) + octets[1:]
                self.write(whole + bytes((improv.checksum(whole),)))
            case 2:
                self.now_s += script.number()
                self.tell(self.server.tick(self.now_s))
            case 3:
                self.allowed = bool(script.number() & 1)
                self.tell(self.server.authorize(allowed=self.allowed))
            case 4:
                self.mtu = script.number(2)
            case 5:
                self.server.client_gone()

    def write(self, octets: bytes) -> None:
        """Write to the command characteristic."""
        joinable = self.server.state is State.AUTHORIZED
        actions = self.server.written(octets, self.mtu, self.now_s)
        if len(self.server._assembler._octets) > improv.LONGEST_PACKET:
            raise AssertionError("more than one packet is held")
        self.tell(actions)
        for action in actions:
            self.fulfil(action, octets, joinable=joinable)

    def fulfil(self, action: Action, octets: bytes, *, joinable: bool) -> None:
        """Do what the server asks for, as the daemon would."""
        match action:
            case Join(ssid):
                if not joinable:
                    raise AssertionError("a network is joined without consent")
                if not ssid:
                    raise AssertionError("a network without a name is joined")
                joined = len(octets) % 2
                self.tell(self.server.joined() if joined else self.server.join_failed())
            case Scan():
                points = [
                    AccessPoint(str(at), octets[at : at + 32], at % 101, *octets[at : at + 3])
                    for at in range(0, max(len(octets) - 2, 0), 3)
                ]
                self.tell(self.server.scanned(best_first(points)))
            case SetHostname(name):
                self.tell(self.server.named(Command.HOSTNAME, name))
            case SetDeviceName(name):
                self.tell(self.server.named(Command.DEVICE_NAME, name))

    def tell(self, actions: list[Action]) -> None:
        """Check what a client is told."""
        for action in actions:
            if isinstance(action, Notify):
                if len(action.value) > max(self.mtu, 23) - improv.ATT_HEADER:
                    raise AssertionError("a notification does not fit its link")
                if action.characteristic is Characteristic.RESULT:
                    check_result(action.value)


def check_result(octets: bytes) -> None:
    """A client can parse a result."""
    if octets[1] != len(octets) - 3 or octets[-1] != improv.checksum(octets[:-1]):
        raise AssertionError("a result has a wrong length or checksum")
    rest = octets[2:-1]
    while rest:
        if not rest[0] < len(rest) or rest[0] > improv.LONGEST_STRING:
            raise AssertionError("a result's strings do not add up")
        rest[1 : 1 + rest[0]].decode()
        rest = rest[1 + rest[0] :]


def one_input(data: bytes) -> None:
    """Check what must hold of any octets; an exception is a finding."""
    script = Script(data)
    line = Line()
    while script:
        line.step(script)


def corpus() -> Iterator[bytes]:
    """Yield scripts of what clients do."""
    allow, wide = b"\x03\x01", b"\x04\x00\xf7"
    join = b"\x05house\x08password"
    for command in Command:
        yield allow + wide + b"\x01" + bytes((command,)) + piece(b"")
        yield allow + b"\x01" + bytes((command,)) + piece(b"\x04name")
    yield allow + b"\x01\x01" + piece(join) + b"\x02\x20" + b"\x05"
    packet = b"\x01" + bytes((len(join),)) + join
    packet += bytes((improv.checksum(packet),))
    yield allow + b"\x00" + piece(packet[:7]) + b"\x02\x01" + b"\x00" + piece(packet[7:])
    yield wide + b"\x00" + piece(packet)
