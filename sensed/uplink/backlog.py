"""The queue of the history, oldest first: a file's rows, then memory, a few under way. Sans-IO.

While the broker is away what is in memory goes to the file in batches; once it is back
the file is read in batches. An entry leaves only when it was acknowledged, or, oldest
first and counted, when there is no more room.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple


class Entry(NamedTuple):
    """One reading; ``row`` is its place in the file, if it is there."""

    row: int | None
    payload: bytes


class Backlog:
    """Entries in memory, those read back from the file, and those under way."""

    def __init__(self, *, most_in_memory: int) -> None:
        self._most = most_in_memory
        self._memory: deque[bytes] = deque()
        self._memory_since_s = 0.0
        self._rows: deque[Entry] = deque()
        self._under_way: deque[Entry] = deque()
        self._rows_under_way = 0
        self.stored = 0
        """How many rows of the file have not arrived, as far as is known."""
        self.dropped = 0
        """How many readings are lost for want of room, or with a damaged file."""

    def __len__(self) -> int:
        """Return how many readings have not arrived."""
        return self.stored + len(self._memory) + len(self._under_way) - self._rows_under_way

    @property
    def under_way(self) -> int:
        """How many have been sent and not acknowledged."""
        return len(self._under_way)

    @property
    def memory_since_s(self) -> float | None:
        """When the oldest that is in memory alone was queued; ``None`` without any."""
        return self._memory_since_s if self._memory else None

    @property
    def wants_rows(self) -> bool:
        """Whether rows must be read from the file before anything else can be sent."""
        return not self._rows and self.stored > self._rows_under_way

    def add(self, payload: bytes, now_s: float) -> None:
        """Queue one more reading; without room the oldest in memory is dropped."""
        if not self._memory:
            self._memory_since_s = now_s
        self._memory.append(payload)
        self._shed()

    def take_memory(self) -> list[bytes]:
        """Return all that is in memory, to be stored in the file."""
        batch = list(self._memory)
        self._memory.clear()
        return batch

    def stored_batch(self, batch: Sequence[bytes], *, dropped: int) -> None:
        """Note that ``batch`` is in the file, which has ``dropped`` its oldest rows for it."""
        self.stored = max(0, self.stored + len(batch) - dropped)
        self.dropped += dropped

    def put_back(self, batch: Sequence[bytes]) -> None:
        """Return to memory what could not be stored or sent, before what is there."""
        self._memory.extendleft(reversed(batch))
        self._shed()

    def rows_read(self, rows: Sequence[Entry]) -> None:
        """Take rows from the file, which follow those taken before on this connection."""
        self._rows.extend(rows)
        self.counted(self.stored)

    def counted(self, rows: int) -> None:
        """Take how many rows have not arrived; those that are known to be there count anyway."""
        self.stored = max(rows, self._rows_under_way + len(self._rows))

    def take(self, room: int) -> list[Entry]:
        """Return up to ``room`` entries to be sent, oldest first."""
        entries: list[Entry] = []
        while len(entries) < room and self._rows:
            entries.append(self._rows.popleft())
        self._rows_under_way += len(entries)
        if self.stored == self._rows_under_way:
            while len(entries) < room and self._memory:
                entries.append(Entry(None, self._memory.popleft()))
        self._under_way.extend(entries)
        return entries

    def arrived(self) -> int | None:
        """Note that the oldest under way was acknowledged; return its row, now done with."""
        entry = self._under_way.popleft()
        if entry.row is not None:
            self.stored -= 1
            self._rows_under_way -= 1
        return entry.row

    def connection_lost(self) -> None:
        """Note that what is under way must be sent again; rows will be read again."""
        again = [entry.payload for entry in self._under_way if entry.row is None]
        self._rows.clear()
        self._under_way.clear()
        self._rows_under_way = 0
        self.put_back(again)

    def file_lost(self) -> None:
        """Note that the file is damaged and gone; what was read from it goes on in memory."""
        kept = [entry.payload for entry in self._rows]
        self.dropped += self.stored - self._rows_under_way - len(kept)
        self.stored = 0
        self._rows.clear()
        self._rows_under_way = 0
        self._under_way = deque(Entry(None, entry.payload) for entry in self._under_way)
        self.put_back(kept)

    def _shed(self) -> None:
        while len(self._memory) > self._most:
            self._memory.popleft()
            self.dropped += 1
