"""The decoder of the meter port, without I/O: octets in, events out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensed.errors import WireError
from sensed.han import apdu
from sensed.han.assembly import Assembly
from sensed.han.doubt import Doubt
from sensed.han.events import (
    CarriageReturnsInserted,
    Counters,
    FrameRejected,
    ListDecoded,
    ListEncrypted,
    ListMalformed,
    ListUnknown,
    OctetsDiscarded,
    Sealed,
)
from sensed.han.faults import Fault
from sensed.han.hdlc import HdlcFrame
from sensed.han.layouts.configured import checked_layout
from sensed.han.lists import Decoded, DoubtfulError, ListReader
from sensed.han.mbus import MbusFrame
from sensed.han.opening import Opener, sealed
from sensed.han.p1 import P1Checks, P1Readout, whole_readout
from sensed.han.readout import read_readout
from sensed.han.splitter import Splitter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from sensed.han.crypto import MeterKeys
    from sensed.han.events import Event
    from sensed.han.reading import Reading
    from sensed.han.splitter import Found, Frame

_FLAG = b"\x7e"
_FAULTS = {
    Fault.LENGTH: "bad_length",
    Fault.HCS: "bad_hcs",
    Fault.FCS: "bad_fcs",
    Fault.CUT: "frames_cut",
}
_LOST = (FrameRejected, OctetsDiscarded)
_SEALED = {Sealed.NO_KEY: "lists_without_key", Sealed.WRONG_KEY: "lists_wrong_key"}


class HanDecoder:
    """Decodes what a meter's HAN port sends: every framing, every known list.

    Pure: needs no clock, raises nothing on any octets, buffers at most 4 KiB.
    The same octets give the same events however they are chunked.
    """

    def __init__(
        self,
        *,
        keys: MeterKeys | None = None,
        ct_ratio: int | Decimal = 1,
        layout: Sequence[str] = (),
    ) -> None:
        """Use ``keys`` for encrypted lists.

        ``ct_ratio`` is the ratio of external current transformers; the meter does not
        know it, so currents, powers and energies of every list are multiplied by it.
        ``layout`` tells the order of a list that does not tell it itself: reading keys,
        "-" for a value to pass over. It serves lists that fit no known layout and come
        from a maker whose scaling is known (Iskraemeco, Landis+Gyr).

        Raises:
            ConfigError: ``layout`` can be the layout of no list.

        """
        self._splitter = Splitter()
        self._lists = ListReader(ct_ratio, checked_layout(layout))
        self._assembly = Assembly()
        self._opener = Opener(keys)
        self._ct_ratio = ct_ratio
        self._counts = dict.fromkeys(Counters.__slots__, 0)
        self._last_registers: tuple[object, ...] | None = None
        self._p1_checks = P1Checks()
        self._doubts = Doubt()
        self._told_mended = False

    def receive(self, data: bytes) -> list[Event]:
        """Take in octets as they come; return what they complete. Never raises on any octets."""
        found = self._splitter.receive(data)
        return self._events(found) if found else []

    def silence(self) -> list[Event]:
        """Note that no octet came for half a second or more: frames in progress are dead."""
        events = self._events(self._splitter.silence())
        self._assembly.drop()
        return events

    @property
    def counters(self) -> Counters:
        """Totals so far."""
        own = {"octets": self._splitter.octets, "assemblies_dropped": self._assembly.dropped}
        return Counters(**{**self._counts, **own})

    # -- frames ------------------------------------------------------------------

    def _events(self, found: list[Found]) -> list[Event]:
        out: list[Event] = []
        for item in found:
            if isinstance(item, _LOST):
                self._lost(item)
                out.append(item)
            else:
                self._counts["frames_good"] += 1
                self._frame(item, out)
        return out

    def _lost(self, item: FrameRejected | OctetsDiscarded) -> None:
        self._assembly.drop()
        if isinstance(item, OctetsDiscarded):
            self._counts["octets_discarded"] += item.count
        else:
            self._counts[_FAULTS.get(item.fault, "bad_checksum")] += 1

    def _frame(self, frame: Frame, out: list[Event]) -> None:
        if isinstance(frame, HdlcFrame):
            self._hdlc(frame, out)
        elif isinstance(frame, MbusFrame):
            self._mbus(frame, out)
        elif isinstance(frame, P1Readout):
            self._readout(frame, frame.octets, out)
        else:
            self._apdu(apdu.strip_llc(frame.octets), frame.octets, out, sound=False)

    def _hdlc(self, frame: HdlcFrame, out: list[Event]) -> None:
        self._mended(mended=frame.mended, out=out)
        if not frame.information:
            return
        wire = _FLAG + frame.octets + _FLAG
        if frame.segmented or self._assembly.segments_under_way:
            whole = self._assembly.add_segment(frame, wire)
            if whole is not None:
                self._apdu(whole.apdu, whole.wire, out, sound=True)
        else:
            self._apdu(apdu.strip_llc(frame.information), wire, out, sound=True)

    def _mbus(self, frame: MbusFrame, out: list[Event]) -> None:
        if not frame.dlms:
            self._malformed("M-Bus frame of another application", frame.octets, out)
            return
        whole = self._assembly.add_part(frame)
        if whole is not None:
            self._apdu(whole.apdu, whole.wire, out, sound=False)

    def _mended(self, *, mended: bool, out: list[Event]) -> None:
        if not mended:
            return
        self._counts["frames_mended"] += 1
        if not self._told_mended:
            self._told_mended = True
            out.append(CarriageReturnsInserted())

    # -- application layer ---------------------------------------------------------

    def _apdu(self, data: bytes, wire: bytes, out: list[Event], *, sound: bool) -> None:
        """Read an APDU; ``sound`` says that a 16-bit check held on the way."""
        try:
            tag = data[0] if data else None
            if tag == apdu.DATA_NOTIFICATION:
                found = self._lists.read(data, sound=sound)
                if not sound:
                    self._doubt(found, data)
                self._list(found, wire, out)
            elif tag == apdu.GLO_CIPHERING:
                self._ciphered(data, wire, out, sound=sound)
            elif tag == apdu.BLOCK_TRANSFER:
                self._block(data, wire, out, sound=sound)
            else:
                self._malformed(f"no APDU of this port: {data[:8].hex(' ')}", wire, out)
        except WireError as error:
            self._malformed(str(error), wire, out)

    def _block(self, data: bytes, wire: bytes, out: list[Event], *, sound: bool) -> None:
        whole = self._assembly.add_block(apdu.block(data), wire)
        if whole is None:
            return
        if whole.apdu[:1] == data[:1]:
            raise WireError("general-block-transfer within general-block-transfer")
        self._apdu(whole.apdu, whole.wire, out, sound=sound)

    def _ciphered(self, data: bytes, wire: bytes, out: list[Event], *, sound: bool) -> None:
        envelope, end = apdu.envelope(data)
        if end != len(data):
            raise WireError(f"{len(data) - end} octets left over after the ciphered service")
        opened = self._opener.open(envelope, out, sound=sound)
        if opened is None:
            self._count_sealed(out[-1])
            return
        plain, repeated = opened
        if plain[:1] == b"/":
            self._readout(whole_readout(plain), wire, out, repeated=repeated)
            return
        sound = sound or self._opener.verifies(envelope)
        try:
            found = self._lists.read(plain, envelope.title, sound=sound)
            if not sound:
                self._doubt(found, plain, envelope.title)
        except DoubtfulError:
            out.append(sealed(envelope, Sealed.DAMAGED))
        else:
            self._list(found, wire, out, repeated=repeated)

    def _count_sealed(self, event: Event) -> None:
        if isinstance(event, ListEncrypted) and event.cause in _SEALED:
            self._counts[_SEALED[event.cause]] += 1

    # -- lists -----------------------------------------------------------------------

    def _readout(
        self, readout: P1Readout, wire: bytes, out: list[Event], *, repeated: bool = False
    ) -> None:
        fault = self._p1_checks.fault(readout)
        if fault is not None:
            out.append(FrameRejected("P1", fault))
            self._counts["bad_checksum"] += 1
            return
        self._mended(mended=readout.mended, out=out)
        checked = readout.check is not None
        try:
            found = read_readout(readout.octets, checked=checked, ct_ratio=self._ct_ratio)
            if not checked:
                self._doubt(found)
        except WireError as error:
            self._malformed(str(error), wire, out)
        else:
            self._list(found, wire, out, repeated=repeated)

    def _doubt(self, found: Decoded | str, data: bytes = b"", title: bytes = b"") -> None:
        """Raise DoubtfulError where a reading that nothing protects is not to be believed yet.

        The size of ``data`` and ``title`` tell which list of which meter it comes from. A
        readout's identification is as unprotected as all else: all are of one meter.
        """
        if isinstance(found, str):
            return
        source = b"%b %d" % (title, len(data))
        if not self._doubts.believes(source, found.reading, found.texts):
            raise DoubtfulError("differs from what its meter sent before")

    def _list(
        self, found: Decoded | str, wire: bytes, out: list[Event], *, repeated: bool = False
    ) -> None:
        if isinstance(found, str):
            self._counts["lists_unknown"] += 1
            out.append(ListUnknown(found, wire))
            return
        layout, maker, reading, _ = found
        repeated = self._registers_repeat(layout, reading) or repeated
        self._counts["lists_decoded"] += 1
        self._counts["lists_repeated"] += repeated
        out.append(ListDecoded(reading, layout, maker, wire, repeated))

    def _registers_repeat(self, layout: str, reading: Reading) -> bool:
        """Tell whether a list with registers carries those of the last one, clock included."""
        if reading.energy_import_wh is None or reading.meter_clock is None:
            return False
        registers = (
            layout,
            reading.meter_id,
            reading.meter_clock,
            reading.energy_import_wh,
            reading.energy_export_wh,
            reading.reactive_energy_import_varh,
            reading.reactive_energy_export_varh,
        )
        repeated = registers == self._last_registers
        self._last_registers = registers
        return repeated

    def _malformed(self, detail: str, wire: bytes, out: list[Event]) -> None:
        self._counts["lists_malformed"] += 1
        out.append(ListMalformed(detail, wire))
