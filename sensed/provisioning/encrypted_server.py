"""The encrypted service for as long as one connection to the bus lives: session and desk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

import structlog

from sensed.errors import BugError
from sensed.provisioning import encrypted
from sensed.provisioning.desk import Desk, Handler
from sensed.provisioning.encrypted import Action, End, Phase, SetupSession
from sensed.provisioning.setup_state import SetupState

_log = structlog.get_logger(__name__)

_MOST_EARLY: Final = 8


class EncryptedServer:
    """Serves one client at a time; the caller gives out the slot."""

    def __init__(
        self,
        state: SetupState,
        handlers: Mapping[str, Handler],
        *,
        notify: Callable[[bytes], None],
        hang_up: Callable[[str], None],
        wake: Callable[[], None],
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        """``notify`` sends a frame; ``hang_up`` drops the client that has the slot, and why.

        ``wake`` is called when deadlines may have changed; ``start`` runs work beside.
        """
        self._state = state
        self._notify = notify
        self._hang_up = hang_up
        self._wake = wake
        self._now_s = asyncio.get_running_loop().time
        self._session = SetupSession(self._key, state.lockout)
        self._desk = Desk(handlers, start=start, tell=self._tell, end=self.end)
        self._start = start
        self._loading: asyncio.Task[None] | None = None
        self._early: list[Callable[[], object]] = []

    @property
    def is_live(self) -> bool:
        """Whether a client that knows the set-up code is connected."""
        return self._session.phase is Phase.LIVE

    @property
    def is_working(self) -> bool:
        """Whether a client waits for something that takes its time."""
        return self._desk.is_working

    @property
    def deadline_s(self) -> float | None:
        """When :meth:`tick` wants to be called next."""
        return self._session.deadline_s

    def info(self, *, name: str, mtu: int | None, busy: bool) -> bytes:
        """Return what anybody may read."""
        locked_s = self._state.lockout.locked_s(self._now_s())
        return encrypted.info(name=name, mtu=mtu, busy=busy, locked_s=locked_s)

    def prepare(self) -> None:
        """Load what a session needs, beside everything else, unless it is there."""
        if self._loading is None and not encrypted.is_loaded():
            self._loading = self._start(self._load())

    def put_off(self, write: Callable[[], object]) -> bool:
        """Have ``write`` called as soon as all is loaded; return False if it can be done now.

        BlueZ fails a write that is not answered within 5 s.
        """
        self.prepare()
        if self._loading is None:
            return False
        # One more than these breaks the session's order, which ends it.
        if len(self._early) < _MOST_EARLY:
            self._early.append(write)
        return True

    async def _load(self) -> None:
        await asyncio.to_thread(encrypted.load)
        self._loading = None
        early, self._early = self._early, []
        for write in early:
            write()

    def written(self, frame: bytes, mtu: int | None) -> None:
        """Take a frame from the client that has the slot."""
        self._act(self._session.received(frame, mtu, self._now_s()))

    def tick(self) -> None:
        """End what takes too long."""
        self._act(self._session.tick(self._now_s()))

    def end(self, why: End) -> None:
        """End the session."""
        self._act(self._session.end(why))

    def client_gone(self) -> None:
        """Start afresh for the next client."""
        if self.is_live:
            _log.info("setup_session_ended", cause="gone", detail="The client has gone.")
        self._early.clear()
        self._session.client_gone()
        self._desk.client_gone()

    def _key(self) -> bytes:
        code = self._state.code
        if code is None:
            raise BugError("the encrypted service is offered without a set-up code")
        return code.key()

    def _tell(self, text: bytes) -> None:
        self._act(self._session.tell(text))

    def _act(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case encrypted.Send(frame):
                    self._notify(frame)
                case encrypted.Serve(request):
                    self._desk.serve(request)
                case encrypted.Begun():
                    _log.info("setup_session_begun")
                case encrypted.WrongCode(locked_s, tries_left):
                    if locked_s:
                        _log.warning("setup_locked", seconds=round(locked_s))
                    else:
                        _log.warning("setup_code_wrong", tries_left=tries_left)
                case encrypted.Ended():
                    self._ended(action)
                case encrypted.HangUp(why):
                    self._hang_up(_WORDS[why])
        if actions:
            self._wake()

    def _ended(self, ended: encrypted.Ended) -> None:
        self._desk.client_gone()
        cause = ended.why.name.lower().replace("_", "-")
        if ended.was_live:
            _log.info("setup_session_ended", cause=cause, detail=ended.detail or _WORDS[ended.why])
        else:
            _log.debug("setup_handshake_failed", cause=cause, detail=ended.detail)


_WORDS: Final = {
    End.LOCKED: "Too many wrong set-up codes were tried.",
    End.PROTOCOL: "It did not keep to the protocol.",
    End.TIMEOUT: "It was silent for too long.",
    End.CLOSED: "Set-up was closed.",
    End.RESET: "The device was reset.",
}
"""Why a client that knows better is told to go; the others only get an answer."""
