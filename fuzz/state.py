"""Whatever stands in a state file, it is what was kept or counts as absent, and work goes on.

A damaged history is replaced after one failure at the most, and takes and gives back
readings again; a damaged set-up code gives way to a new one that stays. An input is a
script: which file, then its content, or edits of a good one.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fuzz.script import Script, piece
from sensed.daemon.memory import LineMemory
from sensed.han.port_settings import SerialSettings
from sensed.provisioning.encrypted import SetupCode
from sensed.provisioning.encrypted.lockout import MOST_WRONG
from sensed.provisioning.setup_state import CODE_FILE, SetupState
from sensed.secret import Secret
from sensed.uplink.store import Store, StoreDamagedError, StoreError

INCLUDE = (
    "sensed.uplink.store",
    "sensed.daemon.memory",
    "sensed.han.port_settings",
    "sensed.provisioning.setup_state",
    "sensed.provisioning.encrypted",
)
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own in it
_PLACE = tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None)
_FOLDER = Path(_PLACE.name)
_CODE = SetupCode(Secret("0123456789ABCDEFGHJK"))
_LINE = SerialSettings.parse("2400 8E1")
_ROWS = [b'{"seq":%d}' % number * 30 for number in range(60)]
_HISTORY = _FOLDER / "history.db"


def one_input(data: bytes) -> None:
    """Check what must hold of any octets; an exception is a finding."""
    script = Script(data)
    which = script.number() % 5
    for left in _FOLDER.iterdir():
        left.unlink()
    if which == 0:
        check_line(script.rest)
    elif which == 1:
        check_setup(script)
    else:
        _HISTORY.write_bytes(edited(_DATABASE, script) if which < 4 else script.rest)
        if which == 3:
            log = edited(_LOG, script)
            _HISTORY.with_name("history.db-wal").write_bytes(log)
        check_history()


def check_line(octets: bytes) -> None:
    """A line format is one that can be written, or none is known."""
    path = _FOLDER / "line"
    path.write_bytes(octets)
    memory = LineMemory(path)
    found = memory.recall()
    if found is not None and SerialSettings.parse(str(found)) != found:
        raise AssertionError("a line format cannot be written")
    memory.keep(_LINE)
    if LineMemory(path).recall() != _LINE:
        raise AssertionError("what works is not kept")


def check_setup(script: Script) -> None:
    """The code is what stands there or a new one that stays; tries are within bounds."""
    (_FOLDER / CODE_FILE).write_bytes(script.piece())
    (_FOLDER / "setup-tries").write_bytes(script.rest)
    state = SetupState(_FOLDER, 0.0)
    if state.code is None or SetupState(_FOLDER, 0.0).code != state.code:
        raise AssertionError("the code does not stay")
    if not 0 <= state.lockout._wrong <= MOST_WRONG:
        raise AssertionError("wrong codes are out of bounds")
    state.lockout.right_code()
    state.lockout.wrong_code(0.0)
    if SetupState(_FOLDER, 0.0).lockout._wrong != 1:
        raise AssertionError("a wrong code is not counted")


def check_history() -> None:
    """The file is used or replaced, and works from then on."""
    store = Store(_HISTORY, most_rows=100)
    try:
        for _ in range(2):
            with contextlib.suppress(StoreError):
                exercise(store)
        try:
            exercise(store)
        except StoreDamagedError:
            exercise(store)
    finally:
        store.close()


def exercise(store: Store) -> None:
    """Do with the file what the history does; rows are octets, in order."""
    store.count()
    store.append([b"new"])
    rows, after = [], 0
    while found := store.read(after, 1000):
        rows += found
        if any(row.row is None or row.row <= after for row in found):
            raise AssertionError("rows are not in order")
        after = found[-1].row or 0
    if not rows or rows[-1].payload != b"new":
        raise AssertionError("what was kept is not given back")
    if not store.delete(after) or _HISTORY.exists():
        raise AssertionError("the file stays although all has arrived")


def edited(good: bytes, script: Script) -> bytes:
    """Return a good file with octets changed, or cut short."""
    octets = bytearray(good)
    for _ in range(script.number() % 9):
        kind, at = script.number(), script.number(3) % len(good)
        if kind == 0xFF:
            del octets[at:]
        else:
            new = script.take(kind % 16 + 1)
            octets[at : at + len(new)] = new
    return bytes(octets)


def _made() -> tuple[bytes, bytes]:
    """Return a history's file and its log as a power cut leaves them."""
    store = Store(_HISTORY, most_rows=100)
    store.append(_ROWS[:30])
    store.close()
    store = Store(_HISTORY, most_rows=100)
    store.append(_ROWS[30:])
    made = _HISTORY.read_bytes(), _HISTORY.with_name("history.db-wal").read_bytes()
    store.close()
    return made


_DATABASE, _LOG = _made()


def corpus() -> Iterator[bytes]:
    """Yield good files and lightly damaged ones."""
    yield b"\x002400 8E1\n"
    yield b"\x00115200 8N1\n"
    yield b"\x01" + piece(_CODE.grouped.encode()) + b"3\n"
    yield b"\x01" + piece(b"") + b"-1\n"
    yield b"\x02\x00"
    yield b"\x03\x00\x00"
    for at in (18, 24, 28, 40, 56, 96, 100, 103, 4096, 4100):
        yield b"\x02\x01\x03" + at.to_bytes(3, "big") + b"\xff\xff\xff\xff"
        yield b"\x03\x00\x01\x03" + at.to_bytes(3, "big") + b"\xff\xff\xff\xff"
    yield b"\x02\x01\xff\x00\x10\x00"
    yield b"\x03\x00\x01\xff\x00\x08\x00"
    yield b"\x04" + b"not a database"
