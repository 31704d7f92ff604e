"""An event loop whose clock jumps to the next deadline whenever nothing is to be done.

Sockets within the process deliver at once, so that nothing is skipped; for what threads,
the bus or a pty still owe, the loop waits in real time before it jumps.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable
from typing import Any

_A_MOMENT_S = 0.001
_OWED_S = 0.02
_OWED_AT_MOST_S = 5.0


class _Selector(selectors.DefaultSelector):
    """Polls; where there is nothing, lets the loop's time pass instead of the world's."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.owed: Callable[[], bool] = lambda: False
        self.just_written = False
        self._owed_since_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if found or timeout == 0:
            return found
        if self.just_written:
            self.just_written = False
            found = super().select(_A_MOMENT_S)
            if found:
                self.just_written = True
                return found
        if self.owed():
            real_s = time.monotonic()
            self._owed_since_s = self._owed_since_s or real_s
            if real_s - self._owed_since_s < _OWED_AT_MOST_S:
                return super().select(_OWED_S)
        else:
            self._owed_since_s = 0.0
        if timeout is None:
            return super().select(_OWED_S)
        self.now_s += timeout
        return found


class FastLoop(asyncio.SelectorEventLoop):
    """The loop. ``wrote`` says that something outside will deliver in a moment."""

    def __init__(self) -> None:
        self._fast = _Selector()
        self._in_threads = 0
        self.calls = 0
        super().__init__(self._fast)
        self._fast.owed = lambda: bool(self._in_threads or self.calls)

    def time(self) -> float:
        """Return simulated seconds since the loop was made."""
        return self._fast.now_s

    def wrote(self) -> None:
        """Give the kernel a moment before the next jump."""
        self._fast.just_written = True

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        """Let no time pass while a thread works."""
        future = super().run_in_executor(executor, func, *args)
        self._in_threads += 1
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, _future: Any) -> None:
        self._in_threads -= 1

    def waits_for(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return an async function that lets no time pass until it has its answer."""

        async def waiting(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            try:
                return await call(*arguments, **named)
            finally:
                self.calls -= 1

        return waiting
