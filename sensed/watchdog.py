"""The watchdog proves work: systemd gets a sign of life only while no part is stuck.

A part is stuck when something it has to do has been due for longer than its own
deadline. Then no sign is given, and systemd aborts the daemon and starts it again.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import structlog

from sensed.notify import Notifier

_log = structlog.get_logger(__name__)

GRACE_S: Final = 5.0
"""How late a part may be with what is due before it counts as stuck."""

_SIGNS_PER_PATIENCE: Final = 2


class Watched(Protocol):
    """A part that can tell whether it has met its deadlines."""

    def stuck(self, now_s: float) -> bool:
        """Tell whether something has been due for too long at ``now_s`` (loop's clock)."""


class Watchdog:
    """One part of the daemon: looks at ``parts`` twice in systemd's patience."""

    def __init__(self, notifier: Notifier, parts: Callable[[], Mapping[str, Watched]]) -> None:
        self._notifier = notifier
        self._parts = parts

    async def run(self) -> None:
        """Give signs of life until cancelled."""
        loop = asyncio.get_running_loop()
        patience_s = self._notifier.watchdog_s
        if patience_s is None:
            await loop.create_future()
            return
        pause_s = patience_s / _SIGNS_PER_PATIENCE
        while True:
            due_s = loop.time() + pause_s
            await asyncio.sleep(pause_s)
            # Judged as of then: a loop that was held up made every part late, not one stuck.
            stuck = [name for name, part in self._parts().items() if part.stuck(due_s)]
            if stuck:
                _log.error("part_stuck", parts=", ".join(stuck), stacks=_stacks(stuck))
            else:
                self._notifier.alive()


def _stacks(names: list[str]) -> str:
    """Return where the tasks of these parts wait."""
    text = io.StringIO()
    for task in asyncio.all_tasks():
        if task.get_name() in names:
            task.print_stack(file=text)
    return text.getvalue()
