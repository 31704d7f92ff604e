"""Octets in, undamaged frames out: recognises every framing by its first octets.

On any failure the search goes on one octet after the one that failed, inside what is
already buffered, so a frame that was not itself hit is never lost. Needs no clock;
the caller reports silence.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sensed.han import hdlc, mbus, p1, raw
from sensed.han.events import FrameRejected, OctetsDiscarded
from sensed.han.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensed.han.faults import Octets

    Frame = hdlc.HdlcFrame | mbus.MbusFrame | p1.P1Readout | raw.RawTelegram
    Found = Frame | FrameRejected | OctetsDiscarded
    Probe = Callable[[Octets, int], Frame | int | Fault | None]

BUFFER_SIZE = 4096
"""Octets buffered at most."""

_DISCARD_STEP = 1024
_LEAST_CUT = 3  # fewer octets at the end of input are an idle flag, not a frame cut short
_FLAG = bytes((hdlc.FLAG,))
_IDLE = b"\x7e\r\n"
_STARTS = re.compile(rb"[\x7e\x68\x2f]")
_STARTS_OR_CIPHERED = re.compile(rb"[\x7e\x68\x2f\xdb]")
_CIPHERED = re.compile(rb"\xdb\x08[A-Z]{3}")
_CIPHERED_SIZE = 5
_NAMES = {hdlc.FLAG: "HDLC", mbus.START: "M-Bus", p1.START: "P1"}
_REJECTED = {
    (kind, fault): FrameRejected(name, fault) for kind, name in _NAMES.items() for fault in Fault
}


class Splitter:
    """Finds frames in a stream; the same ones however it is chunked."""

    def __init__(self) -> None:
        """Start with an empty buffer at what may be the start of a bare telegram."""
        self._buffer = bytearray()
        self._done = 0
        self._needed = 0
        self._searched = 0
        self._pending = 0
        self._anchored = True
        self._bare = False

    def receive(self, data: bytes) -> list[Found]:
        """Take in octets; return what they complete, in wire order."""
        buffer = self._buffer
        if len(buffer) + len(data) < self._needed:
            buffer += data
            return []
        found: list[Found] = []
        at = 0
        while at < len(data):
            room = BUFFER_SIZE - len(buffer)
            buffer += data[at : at + room]
            at += room
            if len(buffer) >= self._needed:
                self._scan(found, final=False)
        return found

    @property
    def octets(self) -> int:
        """How many octets were taken in so far."""
        return self._done + len(self._buffer)

    def silence(self) -> list[Found]:
        """Give up frames in progress; return what is left in the buffer."""
        found: list[Found] = []
        self._scan(found, final=True)
        self._flush(found)
        self._anchored = True
        return found

    def _scan(self, out: list[Found], *, final: bool) -> None:
        buffer = self._buffer
        at = 0
        self._needed = 0
        while at < len(buffer):
            kind = buffer[at]
            if kind == hdlc.FLAG and buffer[at + 1 : at + 2] == _FLAG:
                at += 1
                continue
            found, size = self._probe(at, final=final)
            if isinstance(found, int):
                if not final:
                    self._needed = found
                    break
                found = Fault.CUT if len(buffer) - at >= _LEAST_CUT else None
            self._searched = 0
            if isinstance(found, tuple):
                self._flush(out)
                out.append(found)
                self._bare = self._anchored = isinstance(found, raw.RawTelegram)
                at += size
                continue
            if found is not None and kind in _NAMES:
                out.append(_REJECTED[kind, found])
            at = self._skip(at, out)
        del buffer[:at]
        self._done += at

    def _probe(self, at: int, *, final: bool) -> tuple[Frame | int | Fault | None, int]:
        """Return what is at ``at`` and how many octets it takes."""
        buffer = self._buffer
        kind = buffer[at]
        if kind == hdlc.FLAG:
            return self._probe_hdlc(at)
        if kind == mbus.START:
            frame = mbus.probe(buffer, at)
            return frame, len(frame.octets) if isinstance(frame, mbus.MbusFrame) else 0
        if kind == p1.START:
            return self._probe_p1(at, final=final)
        if kind in raw.STARTS and (self._anchored or self._bare):
            return self._probe_raw(at, final=final)
        return None, 0

    def _probe_hdlc(self, at: int) -> tuple[hdlc.HdlcFrame | int | Fault | None, int]:
        found = hdlc.probe(self._buffer, at)
        if isinstance(found, hdlc.HdlcFrame):
            return found, len(found.octets) + 1
        if isinstance(found, Fault):
            mended = hdlc.mend(self._buffer, at, found)
            if isinstance(mended, tuple):
                return mended
            if mended is not None and mended <= BUFFER_SIZE:
                return mended, 0
        return found, 0

    def _probe_p1(self, at: int, *, final: bool) -> tuple[p1.P1Readout | int | Fault | None, int]:
        found = p1.probe(self._buffer, at, at + self._searched)
        if isinstance(found, int):
            self._searched = max(0, found - p1.OVERLAP)
            readout = p1.bare_end(self._buffer, at) if final else None
            return readout or found, len(self._buffer) - at
        if isinstance(found, p1.P1Readout):
            return found, found.size
        return found, 0

    def _probe_raw(self, at: int, *, final: bool) -> tuple[raw.RawTelegram | int | None, int]:
        if not self._anchored:
            start = bytes(self._buffer[at : at + _CIPHERED_SIZE])
            if len(start) < _CIPHERED_SIZE and not final:
                return _CIPHERED_SIZE, 0
            if not _CIPHERED.match(start):
                return None, 0
        found = raw.probe(self._buffer, at, final=final)
        return found, len(found.octets) if isinstance(found, raw.RawTelegram) else 0

    def _skip(self, at: int, out: list[Found]) -> int:
        """Pass over the octet at ``at`` and all that cannot start a frame; count them."""
        starts = _STARTS_OR_CIPHERED if self._bare else _STARTS
        start = starts.search(self._buffer, at + 1)
        end = start.start() if start else len(self._buffer)
        passed = end - at
        if passed > 1 or self._buffer[at] in _IDLE:
            passed = len(self._buffer[at:end].translate(None, _IDLE))
        if passed:
            self._anchored = False
            self._pending += passed
        while self._pending >= _DISCARD_STEP:
            self._pending -= _DISCARD_STEP
            out.append(OctetsDiscarded(_DISCARD_STEP))
        return end

    def _flush(self, out: list[Found]) -> None:
        if self._pending:
            out.append(OctetsDiscarded(self._pending))
            self._pending = 0
