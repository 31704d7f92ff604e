"""What a disk may hold after a power cut, from the record of what a process did to it.

What was not synchronised may be there or not: of a file's last changes any first part, all
but one, the last one by halves or as zeros; of the folder's (files made, renamed, deleted)
any first part, each independent of the other.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Image = Mapping[str, bytes]
"""File name to content."""


@dataclass(frozen=True, slots=True)
class Record:
    """One step, as the shim writes it."""

    op: str
    name: str
    flags: int
    at: int
    octets: bytes


def records(log: bytes) -> Iterator[Record]:
    """Yield the steps of a log."""
    position = 0
    while position < len(log):
        end = log.index(b"\n", position)
        op, _descriptor, flags, at, size, name = log[position:end].decode().split(" ", 5)
        position = end + 1 + int(size)
        yield Record(op, name, int(flags), int(at), log[end + 1 : position])


@dataclass(slots=True)
class _File:
    durable: bytes = b""
    pending: list[Record] = field(default_factory=list)

    def contents(self) -> set[bytes]:
        """Return what may be in the file."""
        found = {_changed(self.durable, self.pending[:end]) for end in range(len(self.pending) + 1)}
        for index, change in enumerate(self.pending):
            others = self.pending[:index], self.pending[index + 1 :]
            found.add(_changed(self.durable, [*others[0], *others[1]]))
            for torn in _torn(change):
                found.add(_changed(self.durable, [*others[0], torn]))
        return found


def _torn(change: Record) -> Iterator[Record]:
    if change.op == "write":
        size = len(change.octets)
        cuts = range(1, size) if size <= 64 else (size // 2, size // 2 // 512 * 512)
        for cut in cuts:
            yield Record("write", change.name, 0, change.at, change.octets[:cut])
        yield Record("write", change.name, 0, change.at, bytes(size))


def _changed(content: bytes, changes: list[Record]) -> bytes:
    octets = bytearray(content)
    for change in changes:
        if change.op == "truncate":
            del octets[change.at :]
            octets += bytes(change.at - len(octets))
        else:
            octets += bytes(max(0, change.at - len(octets)))
            octets[change.at : change.at + len(change.octets)] = change.octets
    return bytes(octets)


class Disk:
    """The folder, step by step."""

    def __init__(self) -> None:
        self.turns = 0
        self._files: dict[str, _File] = {}
        self._durable: dict[str, _File] = {}
        self._pending: list[dict[str, _File]] = []

    def take(self, record: Record) -> None:
        """Take one more step."""
        name = record.name
        match record.op:
            case "mark" if record.octets == b"did":
                self.turns += 1
            case "open" if record.flags & os.O_CREAT and name not in self._files:
                self._change({**self._files, name: _File()})
            case "open" if record.flags & os.O_TRUNC:
                self._files[name].pending.append(Record("truncate", name, 0, 0, b""))
            case "write" | "truncate":
                self._files[name].pending.append(record)
            case "rename":
                files = dict(self._files)
                files[name] = files.pop(record.octets.decode())
                self._change(files)
            case "unlink":
                self._change({key: file for key, file in self._files.items() if key != name})
            case "sync" if name == ".":
                self._durable, self._pending = self._files, []
            case "sync":
                file = self._files[name]
                file.durable = _changed(file.durable, file.pending)
                file.pending.clear()

    def _change(self, files: dict[str, _File]) -> None:
        self._files = files
        self._pending.append(files)

    def images(self) -> Iterator[Image]:
        """Yield what may be there if the power goes now, each once."""
        seen = set()
        for files in (self._durable, *self._pending):
            names = sorted(files)
            for contents in itertools.product(*(files[name].contents() for name in names)):
                image = tuple(zip(names, contents, strict=True))
                if hash(image) not in seen:
                    seen.add(hash(image))
                    yield dict(image)


def lay_out(image: Image, folder: Path) -> None:
    """Make a folder hold an image and nothing else."""
    folder.mkdir(exist_ok=True)
    for left in folder.iterdir():
        left.unlink()
    for name, content in image.items():
        (folder / name).write_bytes(content)
