"""Requests of a set-up client, one after the other: checked, worked on, answered.

docs/setup-protocol.md, section 6.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sensed.errors import BugError, SensedError
from sensed.provisioning.encrypted import End, RefusedError, Request, messages

_SAY_AGAIN_S: Final = 15.0
_LONGEST_ARGUMENT: Final = 4096
_MOST_AT_ONCE: Final = 4

Handler = Callable[..., Awaitable[Mapping[str, Any]]]
"""Fulfils a request; its arguments are the request's own. May raise SensedError."""

_Check = Callable[[object], bool]


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a request takes, for how long it may be worked on, and what follows its answer.

    ``progress`` is what the client is told meanwhile; ``always``: also while another one is
    being worked on.
    """

    limit_s: float
    takes: Mapping[str, _Check] = field(default_factory=dict)
    progress: str = ""
    always: bool = False
    then: End | None = None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_ARGUMENT


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


RULES: Final[Mapping[str, _Rule]] = {
    "hello": _Rule(5.0),
    "status": _Rule(5.0, always=True),
    "identify": _Rule(5.0, always=True),
    "wifi.scan": _Rule(25.0, progress="scanning"),
    "wifi.join": _Rule(90.0, {"ssid": _is_text, "password": _is_text}, progress="joining"),
    "settings.get": _Rule(5.0),
    "settings.set": _Rule(45.0, {"values": _is_object}, progress="testing-broker"),
    "broker.suggest": _Rule(15.0, progress="looking"),
    "finish": _Rule(5.0, then=End.CLOSED),
    "reset": _Rule(45.0, then=End.RESET),
}
"""Every request there is; the limits are beyond what the handlers allow themselves."""


class Desk:
    """Works on one request at a time for one client, who may go away at any moment."""

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        *,
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        tell: Callable[[bytes], None],
        end: Callable[[End], None],
    ) -> None:
        """``handlers`` has one for each of :data:`RULES`; ``start`` runs it beside."""
        self._handlers = handlers
        self._start = start
        self._tell = tell
        self._end = end
        self._tasks: set[asyncio.Task[None]] = set()
        self._working: asyncio.Task[None] | None = None

    @property
    def is_working(self) -> bool:
        """Whether a request that takes its time is being worked on."""
        return self._working is not None

    def serve(self, request: Request) -> None:
        """Work on a request, or refuse it."""
        try:
            rule = self._rule(request)
        except RefusedError as refused:
            self._tell(messages.refusal(request.id, refused))
            return
        task = self._start(self._fulfil(request, rule))
        self._tasks.add(task)
        if not rule.always:
            self._working = task
        task.add_done_callback(self._done)

    def client_gone(self) -> None:
        """Give up what is being worked on: nobody waits for it."""
        for task in tuple(self._tasks):
            task.cancel()
        self._tasks.clear()
        self._working = None

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._working is task:
            self._working = None

    def _rule(self, request: Request) -> _Rule:
        rule = RULES.get(request.do)
        if rule is None:
            raise RefusedError("unknown-request", "The device does not know this request.")
        if set(request.arguments) != set(rule.takes):
            raise RefusedError("bad-request", f"{request.do} takes {_listed(rule.takes)}.")
        for name, check in rule.takes.items():
            if not check(request.arguments[name]):
                raise RefusedError("bad-request", f"{name} is not of the right kind.")
        if len(self._tasks) >= _MOST_AT_ONCE or (self._working is not None and not rule.always):
            raise RefusedError("busy", "Another request is being worked on.")
        return rule

    async def _fulfil(self, request: Request, rule: _Rule) -> None:
        then = rule.then
        try:
            content = await self._content(request, rule)
        except BugError:
            raise
        except RefusedError as refused:
            said, then = messages.refusal(request.id, refused), None
        except SensedError as error:
            said, then = messages.refusal(request.id, RefusedError("failed", str(error))), None
        else:
            said = messages.answer(request.id, content)
        if not rule.always:
            self._working = None
        self._tell(said)
        if then is not None:
            self._end(then)

    async def _content(self, request: Request, rule: _Rule) -> Mapping[str, Any]:
        repeating = self._start(self._say_again(request.id, rule.progress))
        try:
            async with asyncio.timeout(rule.limit_s):
                return await self._handlers[request.do](**request.arguments)
        except TimeoutError:
            raise RefusedError("timeout", "It took too long.") from None
        finally:
            repeating.cancel()

    async def _say_again(self, request_id: int, word: str) -> None:
        while word:
            self._tell(messages.progress(request_id, word))
            await asyncio.sleep(_SAY_AGAIN_S)


def _listed(names: Mapping[str, object]) -> str:
    return " and ".join(names) or "nothing"
