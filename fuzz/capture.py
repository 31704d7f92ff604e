"""Any text gives a capture whose times never go back, or the package's own error.

What is read is written again as the same pieces, and hex text in any layout gives the same
octets however the file is cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice, pairwise

from sensed.capture import text
from sensed.cli import decode
from sensed.errors import SensedError, WireError
from sensed.simulator import METERS, MeterSimulator

INCLUDE = ("sensed.capture", "sensed.cli.decode")


class _Unsaid(decode._Notes):
    """Diagnostics that nobody reads."""

    def add(self, text: str) -> None:
        """Take a note."""
        text.encode(errors="surrogateescape")


def one_input(data: bytes) -> None:
    """Check what must hold of any octets; an exception is a finding."""
    if not data:
        return
    size, octets = data[0] + 1, data[1:]
    lines = octets.decode("latin-1").splitlines()
    for head in ([], text.header(datetime(2026, 1, 1, tzinfo=UTC)).splitlines()):
        check_capture([*head, *lines])
    for form in ("auto", "hex", "bin"):
        if decoded(octets, len(octets) or 1, form) != decoded(octets, size, form):
            raise AssertionError(f"a file cut into pieces of {size} reads otherwise")


def check_capture(lines: list[str]) -> None:
    """A capture's times rise, and it reads back as it was."""
    try:
        found = text.read(lines)
    except WireError:
        return
    if any(after.at_s < before.at_s for before, after in pairwise(found.pieces)):
        raise AssertionError("times go back")
    written = text.header(datetime(2026, 1, 1, tzinfo=UTC))
    written += "".join(text.piece(item.at_s, item.wire.hex()) for item in found.pieces)
    again = text.read(written.splitlines())
    if [item.wire for item in again.pieces] != [item.wire for item in found.pieces]:
        raise AssertionError("a capture is not read back as it was")


def decoded(octets: bytes, size: int, form: str) -> tuple[bytes, str]:
    """Return what the file holds, or why it cannot be read; form "auto" looks at the first cut."""
    pieces = [octets[at : at + size] for at in range(0, len(octets), size)]
    if form == "auto":
        pieces = [octets]
    try:
        return b"".join(decode._octets(iter(pieces), form, _Unsaid())), ""
    except SensedError as error:
        return b"", type(error).__name__


def corpus() -> Iterator[bytes]:
    """Yield captures of simulated meters, and hex text as people paste it."""
    for name in ("aidon-6534", *sorted(METERS)[:2]):
        if name in METERS:
            telegrams = list(islice(MeterSimulator(METERS[name]).telegrams(), 3))
            lines = "".join(text.piece(item.at_s, item.wire.hex()) for item in telegrams)
            yield b"\x30" + (text.remark(0.0, "line 2400 8E1") + lines).encode()
            yield b"\x07" + telegrams[0].wire.hex(":").encode() + b"\n# a remark\n"
            yield b"\x11" + telegrams[0].wire
