"""Whoever lacks the set-up code begins no session, and whoever has it gets in afterwards.

No more than one message is held, every frame fits its link, and each end takes anything
from the other without any but the foreseen errors. An input is a script: each step is a
kind octet, a length octet and that many octets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sensed.errors import ConfigError, WireError
from sensed.provisioning.encrypted import (
    Begun,
    ClientSession,
    DeviceInfo,
    Lockout,
    Phase,
    Send,
    Serve,
    SessionEndedError,
    SetupCode,
    SetupSession,
    info,
)
from sensed.provisioning.encrypted.frames import LENGTHS, Kind
from sensed.secret import Secret

INCLUDE = ("sensed.provisioning.encrypted",)
_CODE = SetupCode(Secret("0123456789ABCDEFGHJK"))
_KEY = _CODE.key()
_INFO = DeviceInfo((1,), "sensed", 244, busy=False, locked_s=0)
_LONGEST = LENGTHS[Kind.TRANSPORT].stop


class Line:
    """A device and an honest client, between whom the input's octets come."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.mtu: int | None = None
        self.device = SetupSession(lambda: _KEY, Lockout(0, 0.0, keep=lambda _count: None))
        self.client: ClientSession | None = None

    def raw(self, octets: bytes) -> None:
        """Write octets that nobody made with care: they never begin a session."""
        live = self.device.phase is Phase.LIVE
        for action in self.write(octets):
            if isinstance(action, Begun) or (isinstance(action, Serve) and not live):
                raise AssertionError("a session out of nothing")

    def honest(self, octets: bytes) -> None:
        """Write ``octets`` as the plaintext of a client that knows the code."""
        if self.device.phase is Phase.NONE or self.client is None:
            self.client = ClientSession(_KEY, _INFO)
            for frame in self.client.begin():
                self.deliver(self.write(frame))
        if self.client is not None and self.client._send is not None:
            sealed = self.client._send.encrypt(octets or b"{}")
            for frame in self.client._cut(Kind.TRANSPORT, sealed):
                self.deliver(self.write(frame))

    def answer(self, octets: bytes) -> None:
        """Let the device say something."""
        self.deliver(self.device.tell(octets or b"{}"))

    def spoof(self, octets: bytes) -> None:
        """Give the client octets that the device did not send; it ends or passes them over."""
        if self.client is not None:
            self.deliver([Send(octets)])

    def wait(self, octets: bytes) -> None:
        """Let time pass, and the client go, or its link change."""
        self.now_s += len(octets) * 3.0
        self.device.tick(self.now_s)
        if octets[:1] == b"\x00":
            self.device.client_gone()
            self.client = None
        self.mtu = octets[0] * 2 if octets else None

    def write(self, frame: bytes) -> list[object]:
        """Hand a frame to the device and check what must hold whatever it was."""
        actions = self.device.received(frame, self.mtu, self.now_s)
        if len(self.device._line.joiner._octets) >= _LONGEST:
            raise AssertionError("more than one message is held")
        for action in actions:
            if isinstance(action, Send) and not 3 <= len(action.frame) <= 244:
                raise AssertionError("a frame does not fit")
        return list(actions)

    def deliver(self, actions: list[object]) -> None:
        """Hand what the device sent to the client."""
        for action in actions:
            if isinstance(action, Send) and self.client is not None:
                try:
                    self.client.received(action.frame)
                except SessionEndedError:
                    self.client = None


_STEPS: tuple[Callable[[Line, bytes], None], ...] = (
    Line.raw,
    Line.honest,
    Line.answer,
    Line.spoof,
    Line.wait,
)


def one_input(data: bytes) -> None:
    """Check what must hold of any octets; an exception is a finding."""
    line = Line()
    for step, octets in steps(data):
        step(line, octets)
    parse(data)
    line.device.client_gone()
    line.now_s += 4000
    line.mtu, line.client = None, None
    line.honest(b'{"v":1,"id":1,"do":"hello"}')
    if line.device.phase is not Phase.LIVE:
        raise AssertionError("a client with the code does not get in any more")


def parse(data: bytes) -> None:
    """Nothing but the foreseen errors comes of octets as information, or of a typed code."""
    for read in (DeviceInfo.parse, lambda octets: SetupCode.parse(octets.decode("latin-1"))):
        try:
            read(data)
        except (WireError, ConfigError):
            continue


def steps(data: bytes) -> Iterator[tuple[Callable[[Line, bytes], None], bytes]]:
    """Yield the script of an input."""
    at = 0
    while at + 2 <= len(data):
        kind, length = data[at], data[at + 1]
        yield _STEPS[kind % len(_STEPS)], data[at + 2 : at + 2 + length]
        at += 2 + length


def corpus() -> Iterator[bytes]:
    """Yield scripts of sessions as clients have them, and what a client reads before."""

    def step(kind: int, octets: bytes) -> bytes:
        return bytes((kind, len(octets))) + octets

    hello = b'{"v":1,"id":1,"do":"hello"}'
    join = b'{"v":1,"id":2,"do":"wifi.join","ssid":"a","password":"b"}'
    change = b'{"v":1,"id":3,"do":"settings.set","values":{"mqtt.host":"h"}}'
    begin = next(iter(ClientSession(_KEY, _INFO).begin()))
    yield step(1, hello) + step(2, b'{"v":1,"id":1,"ok":true}') + step(1, join) + step(1, change)
    yield step(4, b"\x60") + step(0, begin) + step(3, b"\x82\x00" + bytes(48)) + step(4, bytes(9))
    yield step(0, begin[:9]) + step(3, b"\x84\x00" + bytes(5)) + step(4, b"\x00")
    yield info(name="sensed", mtu=244, busy=False, locked_s=60.0)
    yield _CODE.grouped.encode()
