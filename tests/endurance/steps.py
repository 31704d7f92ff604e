"""Runs beneath the shim, in a process of its own: writers recorded, or made to fail at a step.

``python -m tests.endurance.steps SHIM FOLDER record WRITER LOG`` records a life. With
``fail WRITER ERRNO`` a child of its own lives each life with one more step failing, and the
steps after it as well, until the turn is over; then the disk is well again and the turn is
taken once more. It prints how many steps there are.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from sensed.config import SettingError
from sensed.uplink.store import StoreError
from tests.endurance.writers import HISTORY, SMALL, HistoryFile, Step, may_be_there


def record(shim: Any, folder: Path, name: str, log: Path) -> None:
    """Live with every step recorded, and a mark after each turn."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    shim.shim_begin(str(folder).encode(), descriptor, 0, 0, 0)
    file = HistoryFile(folder)
    turns: list[Callable[[], None]] = [
        lambda step=step: file.take(step)
        for step in HISTORY  # type: ignore[misc]
    ]
    if name != "history":
        turns = [lambda turn=turn: turn(folder) for turn in SMALL[name].turns]  # type: ignore[misc]
    for turn in turns:
        turn()
        os.write(1, b"did")
    file.close()
    shim.shim_end()


class BadDisk:
    """Lets the steps from one on fail, counted over a whole life; ``spent`` once it has."""

    def __init__(self, shim: Any, folder: Path, at: int, error: int) -> None:
        self._shim, self._folder, self._error = shim, str(folder).encode(), error
        self._left = at
        self._nowhere = os.open(os.devnull, os.O_WRONLY)
        self.spent = False

    @contextlib.contextmanager
    def turn(self) -> Any:
        """Be the disk of one turn."""
        self._shim.shim_begin(self._folder, self._nowhere, max(self._left, 0), self._error, 1)
        try:
            yield
        finally:
            taken = self._shim.shim_end()
            self.spent = 0 < self._left <= taken
            self._left -= taken


def live_small(disk: BadDisk, folder: Path, name: str) -> bool:
    """A turn that fails leaves what was; once the disk is well it succeeds."""
    writer = SMALL[name]
    for number, turn in enumerate(writer.turns):
        before, after = writer.values[number : number + 2]
        with disk.turn(), contextlib.suppress(OSError, SettingError):
            turn(folder)
        found = writer.read(folder)
        if not disk.spent:
            assert found == after, (found, after)
            continue
        assert found in (before, after), (found, before, after)
        if found == before:
            turn(folder)
        assert writer.read(folder) == after
        return True
    return False


def take_twice(file: HistoryFile, step: Step) -> None:
    """Take a turn on a well disk; a file that could only be opened to be read fails it once."""
    try:
        file.take(step)
    except StoreError:
        file.take(step)


def live_history(disk: BadDisk, folder: Path) -> bool:
    """A turn that fails is told as one, loses no row that was kept, and can be taken again."""
    file = HistoryFile(folder)
    for number, step in enumerate(HISTORY):
        failed = False
        with disk.turn():
            try:
                file.take(step)
            except StoreError:
                failed = True
        if not disk.spent:
            assert not failed
            continue
        steps = HISTORY[: number + 1]
        if failed:
            must, may, batch = may_be_there(HISTORY[:number], step)
            found = set(file.read())
            assert must <= found <= may | batch, (must, found)
            # What was written and could not be synchronised may be there, and comes twice.
            assert batch & found in (set(), batch), "half a batch is there"
            file.take(step)
        must, may, _ = may_be_there(steps, None)
        found = set(file.read())
        assert must <= found <= may, (must, found)
        for later in HISTORY[number + 1 :]:
            take_twice(file, later)
        assert set(file.read()) == may_be_there(HISTORY, None)[0]
        return True
    return False


def fail(shim: Any, folder: Path, name: str, error: int) -> None:
    """Live once for each step, in a child; end when no step is left to fail."""
    at = 0
    while True:
        at += 1
        place = folder / str(at)
        place.mkdir()
        child = os.fork()
        if child == 0:
            try:
                disk = BadDisk(shim, place, at, error)
                spent = (
                    live_history(disk, place)
                    if name == "history"
                    else live_small(disk, place, name)
                )
            except BaseException:  # noqa: BLE001 - a child tells by its exit code alone
                traceback.print_exc()
                os._exit(2)
            os._exit(0 if spent else 1)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code > 1:
            sys.exit(f"{name}: error {error} at step {at} was not survived")
        if code == 1:
            sys.stdout.write(str(at - 1))
            return


def main() -> None:
    """Do what the command line says."""
    # The answer has standard output for itself.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    shim_path, folder, kind, name, last = sys.argv[1:]
    shim = ctypes.CDLL(shim_path)
    shim.shim_end.restype = ctypes.c_long
    shim.shim_begin.argtypes = [
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_long,
        ctypes.c_int,
        ctypes.c_int,
    ]
    if kind == "record":
        record(shim, Path(folder), name, Path(last))
    else:
        fail(shim, Path(folder), name, int(last))


if __name__ == "__main__":
    main()
