"""The history's file: rows in order, written in batches while the broker is away.

SQLite in WAL mode: a power cut or a kill never tears the file (sqlite.org/wal.html,
section 2). A batch is on the disk when ``append`` returns; rows that were deleted may
come back after a power cut, and a batch may be there although the disk failed as it was
synchronised; such rows are sent twice. A damaged file is replaced by an empty
one. Everything here blocks and belongs in a thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sensed.errors import UplinkError
from sensed.uplink.backlog import Entry

if TYPE_CHECKING:
    import sqlite3

_DAMAGED: Final = frozenset({1, 11, 26})
"""SQLITE_ERROR, SQLITE_CORRUPT and SQLITE_NOTADB (sqlite.org/rescode.html).

The first is about statements: ours are right, so the table is not ours.
"""
_PRIMARY_CODE: Final = 0xFF
_BUSY_S: Final = 2.0
_CREATE: Final = """
    CREATE TABLE IF NOT EXISTS history (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        payload BLOB NOT NULL
    )
"""


class StoreError(UplinkError):
    """The history's file cannot be written or read now: full, read-only, not permitted."""


class StoreDamagedError(StoreError):
    """The history's file was damaged; an empty one takes its place, if ``replaced``."""

    def __init__(self, path: Path, trouble: str = "") -> None:
        """Say what has become of the file; ``trouble`` is why it cannot be replaced."""
        end = f"it cannot be replaced: {trouble}" if trouble else "a new one is begun"
        super().__init__(f"{path} was damaged; the readings in it are lost, {end}.")
        self.replaced = not trouble


class Store:
    """The file at ``path``; there is none while there is nothing to keep."""

    def __init__(self, path: Path, *, most_rows: int) -> None:
        self._path = path
        self._most = most_rows
        self._database: sqlite3.Connection | None = None

    def count(self, after_row: int = 0) -> int:
        """Return how many rows follow ``after_row``; touches nothing when there is no file."""
        with contextlib.suppress(PermissionError):  # SQLite will tell
            if not self._path.exists():
                return 0
        with self._guarded() as database:
            return _count(database, after_row)

    def append(self, batch: Sequence[bytes]) -> int:
        """Add rows in one transaction; return how many of the oldest had to go."""
        with self._guarded(sync=True) as database:
            database.executemany(
                "INSERT INTO history (payload) VALUES (?)", ((payload,) for payload in batch)
            )
            excess = max(0, _count(database) - self._most)
            # More than a batch too many: the bound is a lower one now, or numbers are damaged.
            damaged = excess > len(batch) and _has_gaps(database)
            if excess and not damaged:
                database.execute(
                    "DELETE FROM history WHERE id < (SELECT min(id) FROM history) + ?", (excess,)
                )
        if damaged:
            raise self._damaged()
        return excess

    def read(self, after_row: int, limit: int) -> list[Entry]:
        """Return up to ``limit`` rows after ``after_row``, oldest first."""
        with self._guarded() as database:
            database.execute("BEGIN")  # one view of the file, whoever adds rows meanwhile
            # Text that a damaged row claims to be need not be UTF-8: it is not to be decoded.
            found: list[tuple[int, bytes, str]] = database.execute(
                "SELECT id, CAST(payload AS BLOB), typeof(payload) FROM history"
                " WHERE id > ? ORDER BY id LIMIT ?",
                (after_row, limit),
            ).fetchall()
            hidden = not found and _count(database, after_row)
        numbers = [after_row, *(row for row, _, _ in found)]
        ascends = all(earlier < later for earlier, later in pairwise(numbers))
        if hidden or not ascends or any(kind != "blob" for _, _, kind in found):
            raise self._damaged()
        return [Entry(row, payload) for row, payload, _ in found]

    def delete(self, up_to_row: int) -> bool:
        """Forget rows that have arrived; true when the last one took the file with it.

        The rows of the next file are counted from 1 again.
        """
        with self._guarded() as database:
            database.execute("DELETE FROM history WHERE id <= ?", (up_to_row,))
            empty = _count(database) == 0
        if empty:
            trouble = self._remove()
            if trouble:
                raise StoreError(f"{self._path}: {trouble}; readings wait in memory.")
        return empty

    def close(self) -> None:
        """Let go of the file."""
        database, self._database = self._database, None
        if database is not None:
            import sqlite3

            with contextlib.suppress(sqlite3.Error):
                database.close()

    @contextlib.contextmanager
    def _guarded(self, *, sync: bool = False) -> Iterator[sqlite3.Connection]:
        """Open the file for one transaction, which is on the disk at its end if ``sync``."""
        import sqlite3  # 1 MiB of memory that a device whose broker stays needs not

        try:
            database = self._open()
            database.execute(f"PRAGMA synchronous = {'FULL' if sync else 'NORMAL'}")
            with database:
                yield database
        except sqlite3.Error as error:
            self.close()
            if (getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE) in _DAMAGED:
                raise self._damaged() from error
            raise StoreError(f"{self._path}: {error}; readings wait in memory.") from error
        except UnicodeDecodeError as error:
            # SQLite's own words, with what it quotes from a damaged schema in them.
            raise self._damaged() from error
        except OSError as error:
            raise StoreError(f"{self._path}: {error.strerror}; readings wait in memory.") from error

    def _damaged(self) -> StoreDamagedError:
        return StoreDamagedError(self._path, self._remove())

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            import sqlite3

            database = sqlite3.connect(self._path, timeout=_BUSY_S, check_same_thread=False)
            self._database = database
            database.execute("PRAGMA journal_mode = WAL")
            with database:
                database.execute(_CREATE)
        return self._database

    def _remove(self) -> str:
        """Delete the file and what belongs to it; return why that cannot be."""
        self.close()
        try:
            for suffix in ("-wal", "-shm", "-journal", ""):  # a log must not outlive its file
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        except OSError as error:
            return error.strerror or str(error)
        return ""


def _count(database: sqlite3.Connection, after_row: int = 0) -> int:
    """Rows are added at one end and deleted at the other, so there are no gaps."""
    row: tuple[int] = database.execute(
        "SELECT coalesce(max(id) - max(min(id) - 1, ?), 0) FROM history", (after_row,)
    ).fetchone()
    return max(0, row[0])


def _has_gaps(database: sqlite3.Connection) -> bool:
    row: tuple[int] = database.execute("SELECT count(*) FROM history").fetchone()
    return row[0] != _count(database)
