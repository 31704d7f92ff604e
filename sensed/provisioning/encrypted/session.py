"""The device's side of an encrypted set-up session: frames in, actions out. Sans-IO.

docs/setup-protocol.md, sections 3 and 5. The caller lets one client in at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum, auto
from typing import ClassVar, Final

from sensed.errors import BugError, WireError
from sensed.provisioning.encrypted import frames
from sensed.provisioning.encrypted.frames import Cutter, Joiner, Kind, Message
from sensed.provisioning.encrypted.lockout import Lockout
from sensed.provisioning.encrypted.messages import BadRequestError, Request, parse_request, refusal
from sensed.provisioning.encrypted.noise import Cipher, NotAuthenticError, Responder

VERSIONS: Final = (1,)
_PROLOGUE: Final = b"sensed-setup"

HANDSHAKE_S: Final = 10.0
LONGEST_S: Final = 1800.0


class End(IntEnum):
    """Why a session is over: the codes of a message of kind 4."""

    WRONG_CODE = 1
    LOCKED = 2
    PROTOCOL = 3
    TIMEOUT = 4
    CLOSED = 5
    VERSION = 6
    RESET = 7


HANGS_UP: Final = frozenset({End.LOCKED, End.TIMEOUT, End.CLOSED, End.RESET})
"""After these the device drops the link."""


@dataclass(frozen=True, slots=True)
class Send:
    """Notify this frame."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Serve:
    """Fulfil the request, then call :meth:`SetupSession.tell`."""

    request: Request


@dataclass(frozen=True, slots=True)
class Begun:
    """A client has proved to know the set-up code."""


@dataclass(frozen=True, slots=True)
class WrongCode:
    """A client has tried a wrong code; none is tried for ``locked_s`` from now on."""

    locked_s: float
    tries_left: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over; ``was_live`` if its client had proved to know the code."""

    why: End
    was_live: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class HangUp:
    """Drop the client's link."""

    why: End


Action = Send | Serve | Begun | WrongCode | Ended | HangUp


class Phase(Enum):
    """How far the client on the line has come."""

    NONE = auto()
    OFFERED = auto()
    LIVE = auto()


def _by_phase(rules: Iterable[tuple[Phase, Kind]]) -> Mapping[Phase, frozenset[Kind]]:
    pairs = tuple(rules)
    return {phase: frozenset(kind for other, kind in pairs if other is phase) for phase in Phase}


@dataclass(slots=True)
class _Line:
    """Everything that belongs to one session and ends with it."""

    phase: Phase = Phase.NONE
    joiner: Joiner = field(default_factory=Joiner)
    cutter: Cutter = field(default_factory=Cutter)
    send: Cipher | None = None
    receive: Cipher | None = None
    handshake_until_s: float | None = None
    message_until_s: float | None = None
    live_until_s: float | None = None


class SetupSession:
    """One client's session after another. Times are monotonic seconds."""

    def __init__(
        self,
        key: Callable[[], bytes],
        lockout: Lockout,
        *,
        ephemeral: Callable[[], bytes | None] = lambda: None,
    ) -> None:
        """``key`` gives the key of the present set-up code; ``ephemeral`` is for tests."""
        self._key = key
        self._lockout = lockout
        self._ephemeral = ephemeral
        self._room = frames.frame_room(None)
        self._line = _Line()

    # -- what is known ---------------------------------------------------------------

    @property
    def phase(self) -> Phase:
        """How far the client on the line has come."""
        return self._line.phase

    @property
    def deadline_s(self) -> float | None:
        """When :meth:`tick` wants to be called next."""
        deadlines_s = (
            self._line.handshake_until_s,
            self._line.message_until_s,
            self._line.live_until_s,
        )
        return min((at for at in deadlines_s if at is not None), default=None)

    # -- what happens ----------------------------------------------------------------

    def received(self, frame: bytes, mtu: int | None, now_s: float) -> list[Action]:
        """Take a frame on a link with this ATT MTU."""
        self._room = frames.frame_room(mtu)
        actions: list[Action] = []
        if frames.begins_session(frame):
            if self._line.phase is Phase.LIVE:
                actions.append(Ended(End.CLOSED, was_live=True, detail="The client begins anew."))
            # Beginning over and over gives no more time.
            until_s = self._line.handshake_until_s or now_s + HANDSHAKE_S
            self._line = _Line()
            self._line.handshake_until_s = until_s
        try:
            message = self._line.joiner.receive(frame, self._EXPECTED[self._line.phase])
            if message is None:
                self._line.message_until_s = now_s + frames.SILENCE_S
            else:
                self._line.message_until_s = None
                actions += self._RULES[self._line.phase, message.kind](self, message.octets, now_s)
        except WireError as error:
            actions += self.end(End.PROTOCOL, str(error))
        return actions

    def tell(self, text: bytes) -> list[Action]:
        """Send a plaintext to the client, if there is one that may have it."""
        if self._line.send is None:
            return []
        return self._cut(Kind.TRANSPORT, self._line.send.encrypt(text))

    def tick(self, now_s: float) -> list[Action]:
        """End what takes too long."""
        if self._line.live_until_s is not None and now_s >= self._line.live_until_s:
            return self.end(End.CLOSED, "It was open for the longest time allowed.")
        if self._line.handshake_until_s is not None and now_s >= self._line.handshake_until_s:
            return self.end(End.TIMEOUT, "The client did not finish the handshake.")
        if self._line.message_until_s is not None and now_s >= self._line.message_until_s:
            return self.end(End.TIMEOUT, "The client did not finish a message.")
        return []

    def end(self, why: End, detail: str = "", *, seconds: int = 0) -> list[Action]:
        """End the session, if any, and tell the client why."""
        told = self._cut(Kind.END, bytes((why,)) + seconds.to_bytes(4, "big"))
        was_live = self._line.phase is Phase.LIVE
        self._line = _Line()
        hangs_up = why in HANGS_UP or (why is End.PROTOCOL and not was_live)
        return [*told, Ended(why, was_live, detail), *([HangUp(why)] if hangs_up else [])]

    def client_gone(self) -> None:
        """Start afresh for the next client."""
        self._room = frames.frame_room(None)
        self._line = _Line()

    # -- messages --------------------------------------------------------------------

    def _first(self, octets: bytes, now_s: float) -> list[Action]:
        locked_s = self._lockout.locked_s(now_s)
        if locked_s > 0:
            return self.end(End.LOCKED, seconds=_whole(locked_s))
        version = octets[0]
        if version not in VERSIONS:
            return self.end(End.VERSION, f"The client speaks version {version}.")
        responder = Responder(self._key(), prologue(version, VERSIONS), ephemeral=self._ephemeral())
        try:
            _, theirs = responder.read(octets[1:])
        except NotAuthenticError:
            return self._wrong_code(now_s)
        second, self._line.send, self._line.receive = responder.answer(theirs)
        self._line.phase = Phase.OFFERED
        return self._cut(Kind.SECOND, second)

    def _wrong_code(self, now_s: float) -> list[Action]:
        locked_s = self._lockout.wrong_code(now_s)
        wrong = WrongCode(locked_s, self._lockout.tries_left)
        if locked_s > 0:
            return [wrong, *self.end(End.LOCKED, seconds=_whole(locked_s))]
        return [wrong, *self.end(End.WRONG_CODE)]

    def _transport(self, octets: bytes, now_s: float) -> list[Action]:
        if self._line.receive is None:
            raise BugError("a session without a key")
        text = self._line.receive.decrypt(octets)
        actions: list[Action] = []
        if self._line.phase is Phase.OFFERED:
            # Only now it is certain that nobody plays back what another client once sent.
            self._line.phase = Phase.LIVE
            self._line.handshake_until_s = None
            self._line.live_until_s = now_s + LONGEST_S
            self._lockout.right_code()
            actions.append(Begun())
        try:
            actions.append(Serve(parse_request(text)))
        except BadRequestError as error:
            actions += self.tell(refusal(error.request_id, error))
        return actions

    _RULES: ClassVar[
        Mapping[tuple[Phase, Kind], Callable[[SetupSession, bytes, float], list[Action]]]
    ] = {
        (Phase.NONE, Kind.FIRST): _first,
        (Phase.OFFERED, Kind.TRANSPORT): _transport,
        (Phase.LIVE, Kind.TRANSPORT): _transport,
    }
    _EXPECTED: ClassVar[Mapping[Phase, frozenset[Kind]]] = _by_phase(_RULES)

    def _cut(self, kind: Kind, octets: bytes) -> list[Action]:
        return [Send(frame) for frame in self._line.cutter.cut(Message(kind, octets), self._room)]


def prologue(chosen: int, offered: tuple[int, ...]) -> bytes:
    """Return what both sides must agree on before anything else: which versions there are."""
    return _PROLOGUE + bytes((chosen, *offered))


def _whole(seconds: float) -> int:
    return max(int(seconds + 0.999), 1)
