"""Everything that sensed writes to its state directory, as it writes it, and how it is read.

A writer takes its turns one after the other and calls ``did`` after each. ``read`` returns
what a start after a power cut finds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sensed.config import Config, SettingsStore, load_config
from sensed.daemon.memory import LineMemory
from sensed.han.port_settings import SerialSettings
from sensed.private_file import forget_private, write_private
from sensed.provisioning.setup_state import SetupState
from sensed.uplink.store import Store

Turn = Callable[[Path], None]

NAMES = ("first", "second, which is much longer than the first one was", "third")
LINES = ("2400 8E1", "115200 8N1", "2400 8N1")


@dataclass(frozen=True, slots=True)
class Writer:
    """A file's life. ``values`` are what is read before the first turn and after each."""

    turns: Sequence[Turn]
    read: Callable[[Path], object]
    values: Sequence[object]


def _private() -> Writer:
    def keep(text: str) -> Turn:
        return lambda folder: write_private(folder / "secret", text.encode())

    def read(folder: Path) -> object:
        path = folder / "secret"
        return path.read_bytes().decode() if path.exists() else None

    forget: Turn = lambda folder: forget_private(folder / "secret")  # noqa: E731 - one of several
    turns = [*map(keep, NAMES), forget, keep(NAMES[0])]
    return Writer(turns, read, (None, *NAMES, None, NAMES[0]))


def _settings() -> Writer:
    def store(folder: Path) -> SettingsStore:
        (folder / "sensed.toml").touch()
        return SettingsStore(folder / "sensed.toml", folder / "settings.toml")

    def keep(name: str) -> Turn:
        def turn(folder: Path) -> None:
            settings = store(folder)
            settings.keep(settings.propose({"device.name": name, "mqtt.host": "h"}))

        return turn

    def read(folder: Path) -> object:
        store(folder)
        return load_config(folder / "sensed.toml", folder / "settings.toml").device.name

    return Writer(list(map(keep, NAMES)), read, (Config().device.name, *NAMES))


def _line() -> Writer:
    def keep(line: str) -> Turn:
        return lambda folder: LineMemory(folder / "line").keep(SerialSettings.parse(line))

    def read(folder: Path) -> object:
        found = LineMemory(folder / "line").recall()
        return found and str(found)

    return Writer(list(map(keep, LINES)), read, (None, *LINES))


def _tries() -> Writer:
    def wrong(folder: Path) -> None:
        SetupState(folder, 0.0).lockout.wrong_code(0.0)

    def right(folder: Path) -> None:
        SetupState(folder, 0.0).lockout.right_code()

    def read(folder: Path) -> object:
        return SetupState(folder, 0.0).lockout._wrong

    return Writer([wrong, wrong, wrong, right], read, (0, 1, 2, 3, 0))


SMALL: Mapping[str, Writer] = {
    "private": _private(),
    "settings": _settings(),
    "line": _line(),
    "tries": _tries(),
}


def rows(first: int, count: int) -> list[bytes]:
    """Return readings to keep, as long as real ones."""
    return [
        b'{"seq":%d,"power_import_w":%s}' % (n, b"1" * 300) for n in range(first, first + count)
    ]


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of the history: rows added, or deleted up to a reading's number, or a restart."""

    add: tuple[int, int] | None = None
    delete: int | None = None
    restart: bool = False


HISTORY: Sequence[Step] = (
    Step(add=(1, 3)),
    Step(add=(4, 20)),
    Step(delete=10),
    Step(restart=True),
    Step(add=(24, 4)),
    Step(delete=27),
    Step(add=(28, 2)),
)
"""The last delete takes the file with it, so the last rows begin a new one."""


class HistoryFile:
    """The history's file under its real shell."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "history.db"
        self._store = Store(self._path, most_rows=1000)

    def take(self, step: Step) -> None:
        """Take one turn."""
        if step.add is not None:
            self._store.append(rows(*step.add))
        if step.delete is not None:
            entries = self._store.read(0, 1000)
            arrived = [row.row or 0 for row in entries if _number(row.payload) <= step.delete]
            self._store.delete(max(arrived, default=0))
        if step.restart:
            self.close()
            self._store = Store(self._path, most_rows=1000)
            self._store.count()

    def read(self) -> list[int]:
        """Return the numbers of the rows, in their order; the count is right."""
        found, after = [], 0
        count = self._store.count()
        while more := self._store.read(after, 7) if count else []:
            after = more[-1].row or 0
            found += [row.payload for row in more]
        assert count == len(found)
        numbers = [_number(payload) for payload in found]
        assert found == [row for number in numbers for row in rows(number, 1)]
        return numbers

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()


def _number(payload: bytes) -> int:
    return int(payload.split(b":")[1].split(b",")[0])


def may_be_there(
    steps: Sequence[Step], under_way: Step | None
) -> tuple[set[int], set[int], set[int]]:
    """Return the rows that must be there after ``steps``, that may, and the last batch's.

    What was deleted may come back; a batch under way is there whole or not at all.
    """
    must: set[int] = set()
    may: set[int] = set()
    for step in steps:
        if step.add is not None:
            new = set(range(step.add[0], sum(step.add)))
            must |= new
            may |= new
        if step.delete is not None:
            must = {row for row in must if row > step.delete}
    batch: set[int] = set()
    if under_way is not None and under_way.delete is not None:
        must = {row for row in must if row > under_way.delete}
    if under_way is not None and under_way.add is not None:
        batch = set(range(under_way.add[0], sum(under_way.add)))
    return must, may, batch
