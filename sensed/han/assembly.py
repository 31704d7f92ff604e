"""Telegrams that come in parts: HDLC segments, M-Bus parts, general-block-transfer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sensed.han.apdu import BLOCK_TRANSFER, DATA_NOTIFICATION, GLO_CIPHERING, strip_llc

if TYPE_CHECKING:
    from sensed.han.apdu import Block
    from sensed.han.hdlc import HdlcFrame
    from sensed.han.mbus import MbusFrame

MAX_TELEGRAM = 4096
"""Longest telegram in octets; a longer one is dropped."""

_OPENINGS = tuple(bytes((tag,)) for tag in (DATA_NOTIFICATION, GLO_CIPHERING, BLOCK_TRANSFER))


class Telegram(NamedTuple):
    """An APDU and the frames it came in."""

    apdu: bytes
    wire: bytes


class Assembly:
    """Parts of one telegram, joined in order; anything out of order drops them."""

    def __init__(self) -> None:
        """Start empty."""
        self.dropped = 0
        self._kind = ""
        self._source = b""
        self._next = 0
        self._apdu = b""
        self._wire = b""

    def drop(self) -> None:
        """Forget the parts so far; HDLC segments still to come are orphans then."""
        if self._wire:
            self.dropped += 1
        self._kind = "orphans" if self.segments_under_way else ""
        self._apdu = self._wire = b""

    def add_segment(self, frame: HdlcFrame, wire: bytes) -> Telegram | None:
        """Take in an HDLC segment; LLC header and APDU tag start anew, orphans are dropped."""
        information = strip_llc(frame.information)
        under_way = self._kind == "segments" and self._source == frame.addresses
        # Some meters repeat the LLC header in every segment: it alone starts nothing.
        opens = information is not frame.information and information[:1] in _OPENINGS
        if opens:
            self._start("segments", frame.addresses)
        elif not under_way:
            self.drop()
            self.dropped += frame.segmented
            self._kind = "orphans" if frame.segmented else ""
            return None
        return self._join(information, wire, last=not frame.segmented)

    def add_part(self, frame: MbusFrame) -> Telegram | None:
        """Take in a part of an M-Bus telegram; a gap or repeat drops the telegram."""
        if frame.part == 0:
            self._start("parts", b"")
        elif self._kind != "parts" or frame.part != self._next:
            self.drop()
            return None
        self._next = frame.part + 1
        return self._join(frame.data, frame.octets, last=frame.last)

    def add_block(self, block: Block, wire: bytes) -> Telegram | None:
        """Take in a block of a general-block-transfer; a missing number drops the telegram."""
        if block.number == 1:
            self._start("blocks", b"")
        elif self._kind != "blocks" or block.number != self._next:
            self.drop()
            return None
        self._next = block.number + 1
        return self._join(block.data, wire, last=block.last)

    @property
    def segments_under_way(self) -> bool:
        """Whether HDLC segments, wanted or not, wait for their last one."""
        return self._kind in ("segments", "orphans")

    def _start(self, kind: str, source: bytes) -> None:
        self.drop()
        self._kind, self._source, self._next = kind, source, 0

    def _join(self, data: bytes, wire: bytes, *, last: bool) -> Telegram | None:
        self._apdu += data
        self._wire += wire
        if len(self._wire) > 2 * MAX_TELEGRAM or len(self._apdu) > MAX_TELEGRAM:
            self.drop()
            return None
        if not last:
            return None
        whole = Telegram(self._apdu, self._wire)
        self._kind, self._apdu, self._wire = "", b"", b""
        return whole
