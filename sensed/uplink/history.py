"""The history's shell: moves readings between memory, the file and the link.

While readings flow there is no access to the disk at all: the file comes into being
when the broker has been away for a batch's time, and goes with its last row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from sensed.uplink.backlog import Backlog, Entry
from sensed.uplink.settings import HistorySettings
from sensed.uplink.store import Store, StoreDamagedError, StoreError

_ROWS_PER_READ: Final = 1000
_ROWS_PER_DELETE: Final = 1000
_RETRY_S: Final = 60.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HistoryCounts:
    """How many readings wait, have gone to the history, and are lost for want of room."""

    waiting: int
    sent: int
    dropped: int


class History:
    """Readings that could not be sent live, oldest first."""

    def __init__(
        self,
        settings: HistorySettings,
        *,
        on_ready: Callable[[], None],
        on_trouble: Callable[[str], None],
    ) -> None:
        """Call ``on_ready`` when rows can be sent, ``on_trouble`` with a sentence on failure."""
        self._settings = settings
        self._on_ready = on_ready
        self._on_trouble = on_trouble
        self._backlog = Backlog(most_in_memory=settings.most_in_memory)
        self._store = (
            None if settings.path is None else Store(settings.path, most_rows=settings.most_rows)
        )
        self._executor: ThreadPoolExecutor | None = None
        self._connected = False
        self._asked = False
        self._counted = False
        self._spilling = False
        self._read_up_to = 0
        self._arrived_up_to = 0
        self._deleted_up_to = 0
        self._sent = 0
        self._troubles: dict[str, str] = {}
        self._not_before_s = 0.0
        self._wake = asyncio.Event()

    @property
    def counts(self) -> HistoryCounts:
        """The counts as of now."""
        return HistoryCounts(len(self._backlog), self._sent, self._backlog.dropped)

    @property
    def under_way(self) -> int:
        """How many have been sent and not acknowledged."""
        return self._backlog.under_way

    def add(self, payload: bytes) -> None:
        """Queue one more reading."""
        self._backlog.add(payload, asyncio.get_running_loop().time())
        if self._connected:
            self._on_ready()
        else:
            self._wake.set()

    def take(self, room: int) -> list[Entry]:
        """Return what may be sent now, oldest first."""
        if self._spilling or (self._store is not None and not self._asked):
            return []  # what is older is not at hand
        entries = self._backlog.take(room)
        if self._backlog.wants_rows:
            self._wake.set()
        return entries

    def arrived(self) -> None:
        """Note that the oldest under way was acknowledged."""
        row = self._backlog.arrived()
        self._sent += 1
        if row is not None:
            self._arrived_up_to = row
            if row - self._deleted_up_to >= _ROWS_PER_DELETE or not self._backlog.stored:
                self._wake.set()

    def connected(self) -> None:
        """Note that the link is up."""
        self._connected = True
        self._wake.set()
        self._on_ready()

    def disconnected(self) -> None:
        """Note that the link is down: what was under way will be sent again."""
        self._connected = False
        self._backlog.connection_lost()
        self._read_up_to = self._arrived_up_to
        self._wake.set()

    async def run(self) -> None:
        """Serve the file until cancelled."""
        self._asked = self._counted = False
        if self._store is None:
            await asyncio.Event().wait()
        while True:
            self._wake.clear()
            await self._serve()
            try:
                async with asyncio.timeout_at(self._next_s()):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def flush(self, *, deadline_s: float) -> None:
        """Bring what is in memory to the file, as far as ``deadline_s`` allows, and close it."""
        try:
            async with asyncio.timeout(deadline_s):
                await self._attempt(self._forget_arrived)
                await self._attempt(self._spill)
                if self._store is not None and self._executor is not None:
                    await self._in_thread(self._store.close)
        except TimeoutError:
            self._on_trouble("The history's file takes no more readings before the end.")
        if self._executor is not None:
            self._executor.shutdown(wait=False)
            self._executor = None

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self._not_before_s:
            return
        if not self._counted:
            await self._attempt(self._count)
            self._asked = True  # what cannot be counted holds up nothing
            self._on_ready()
        if self._arrived_up_to > self._deleted_up_to:
            await self._attempt(self._forget_arrived)
        since_s = self._backlog.memory_since_s
        if self._connected and self._backlog.wants_rows:
            await self._attempt(self._read)
        elif self._connected:
            self._on_ready()
        elif since_s is not None and loop.time() >= since_s + self._settings.batch_s:
            await self._attempt(self._spill)

    def _next_s(self) -> float | None:
        """Return when there will be something to do even if nothing happens."""
        if self._not_before_s > asyncio.get_running_loop().time():
            return self._not_before_s
        since_s = self._backlog.memory_since_s
        if self._connected or since_s is None:
            return None
        return since_s + self._settings.batch_s

    async def _attempt(self, step: Callable[[Store], Awaitable[None]]) -> None:
        if self._store is None:
            return
        try:
            await step(self._store)
        except StoreError as error:
            if isinstance(error, StoreDamagedError):
                self._backlog.file_lost()
                self._read_up_to = self._arrived_up_to = self._deleted_up_to = 0
            if not (isinstance(error, StoreDamagedError) and error.replaced):
                self._not_before_s = asyncio.get_running_loop().time() + _RETRY_S
            told, self._troubles[step.__name__] = set(self._troubles.values()), str(error)
            if str(error) not in told:
                self._on_trouble(str(error))
        else:
            self._troubles.pop(step.__name__, None)

    async def _count(self, store: Store) -> None:
        after_row, stored = self._arrived_up_to, self._backlog.stored
        rows = await self._in_thread(lambda: store.count(after_row))
        self._backlog.counted(rows - (stored - self._backlog.stored))  # some arrived meanwhile
        self._counted = True

    async def _read(self, store: Store) -> None:
        after_row = self._read_up_to
        rows = await self._in_thread(lambda: store.read(after_row, _ROWS_PER_READ))
        if not self._connected or after_row != self._read_up_to:
            return
        if rows:
            self._read_up_to = rows[-1].row or after_row
            self._backlog.rows_read(rows)
        else:
            self._backlog.counted(0)  # another uplink has sent them
        self._on_ready()

    async def _forget_arrived(self, store: Store) -> None:
        up_to_row = self._arrived_up_to
        if up_to_row <= self._deleted_up_to:
            return
        if await self._in_thread(lambda: store.delete(up_to_row)):
            self._read_up_to = self._arrived_up_to = self._deleted_up_to = 0
            return
        self._deleted_up_to = up_to_row
        if not self._backlog.stored:
            self._counted = False  # another uplink has added some
            self._wake.set()

    async def _spill(self, store: Store) -> None:
        batch = self._backlog.take_memory()
        if not batch:
            return
        self._spilling = True
        try:
            dropped = await self._in_thread(lambda: store.append(batch))
        except StoreError:
            self._backlog.put_back(batch)
            self._counted = False  # it may be in the file all the same
            raise
        else:
            self._backlog.stored_batch(batch, dropped=dropped)
        finally:
            self._spilling = False
            self._wake.set()  # the link may have come up meanwhile

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="sensed-history")
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)
