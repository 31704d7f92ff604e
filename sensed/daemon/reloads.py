"""Reading the configuration again, whoever asks for it: one reload at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

import structlog

from sensed.config import Config
from sensed.errors import ConfigError
from sensed.notify import Notifier

_log = structlog.get_logger(__name__)


class Reloads:
    """Takes wishes from anywhere and fulfils them in a task of its own.

    Whoever wishes may be ended by the very reload; this task is not.
    """

    def __init__(self, load: Callable[[], Config]) -> None:
        """``load`` reads the configuration; it may raise ConfigError."""
        self._load = load
        self._wanted = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []

    def want(self) -> None:
        """Ask for a reload, and do not wait for it."""
        self._wanted.set()

    async def done(self) -> None:
        """Ask for a reload and wait until it is over, well or not."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self._wanted.set()
        await waiting

    async def run(self, apply: Callable[[Config], Awaitable[None]], notifier: Notifier) -> NoReturn:
        """Fulfil wishes until cancelled; a wrong configuration is told and the old one stays."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            waiting, self._waiting = self._waiting, []
            notifier.reloading()
            try:
                await apply(self._load())
                _log.info("reloaded")
            except ConfigError as error:
                _log.error("reload_refused", detail=str(error))
            notifier.ready()
            for future in waiting:
                if not future.done():
                    future.set_result(None)
