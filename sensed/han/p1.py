"""P1 readouts: finding and checking them in a stream (IEC 62056-21 mode D, DSMR P1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sensed.errors import WireError
from sensed.han.crc import arc, x25
from sensed.han.faults import Fault

if TYPE_CHECKING:
    from sensed.han.faults import Octets

START = 0x2F
MAX_READOUT = 4000
"""Longest readout in octets."""
OVERLAP = 72
"""Octets that are searched again when more have come: an identification line, or a check."""

_START = rb"/[A-Za-z]{3}[0-9A-I]"
_START_SIZE = 5
_IDENTIFICATION = re.compile(rb"%b[\t\x20\x22-\x2e\x30-\x7e]{0,60}" % _START)
# A readout that starts anew may do so in the midst of a line whose rest was lost. What
# follows a "/" in the value of a whole line is told from that by its parentheses.
_ANEW = rb"[\r\n]/|%b[\t\x20\x22-\x27\x2a-\x2e\x30-\x7e]{0,60}[\r\n]" % _START
_STOP = re.compile(rb"(?P<end>[\r\n]!)|(?P<anew>%b)|[^\t\r\n\x20-\x7e]" % _ANEW)
_LINE_ENDS = b"\r\n"
_CRC = re.compile(rb"[0-9A-Fa-f]{4}")
_CRC_SIZE = 4
_MAX_KNOWN = 8
_CHECKS = {"ARC": arc, "X-25": x25}


class P1Readout(NamedTuple):
    """One readout from "/" to its "!" or the check after it, ``size`` octets on the wire.

    ``check`` names the check that held; None where it has none.
    """

    octets: bytes
    size: int
    check: str | None
    mended: bool = False


class P1Checks:
    """Knows which check each meter's readouts have, by their identification."""

    def __init__(self) -> None:
        """Know no meter."""
        self._known: dict[bytes, tuple[str, bool]] = {}
        self._doubted: tuple[bytes, str, bool] | None = None

    def fault(self, readout: P1Readout) -> Fault | None:
        """Return what speaks against a readout: another check than its meter's others, or none.

        A damaged readout has as many chances to pass as there are checks to try, so
        another one must hold twice running before it is believed.
        """
        head = readout.octets.partition(b"\n")[0].rstrip()
        known = self._known.get(head)
        if readout.check is None:
            return None if known is None else Fault.NO_CRC
        check = (readout.check, readout.mended)
        if known not in (None, check) and self._doubted != (head, *check):
            self._doubted = (head, *check)
            return Fault.CHECKSUM
        self._doubted = None
        self._known[head] = check
        if len(self._known) > _MAX_KNOWN:
            del self._known[next(iter(self._known))]
        return None


def probe(buffer: Octets, at: int, searched: int) -> P1Readout | int | Fault | None:
    """Look for a readout whose "/" is at ``at``; answers as :func:`sensed.han.hdlc.probe`.

    Octets from ``at`` up to ``searched`` are known to hold no end: up to the number
    of octets last found to be needed, less ``OVERLAP``.
    """
    unidentified = _identify(buffer, at)
    if unidentified != 0:
        return unidentified
    have = len(buffer) - at
    stop = _STOP.search(buffer, max(at + 1, searched - 1), at + MAX_READOUT)
    if stop is None:
        return have + 1 if have < MAX_READOUT else Fault.LENGTH
    if stop.lastgroup is None:
        return Fault.TEXT
    return Fault.CUT if stop.lastgroup == "anew" else _check(buffer, at, stop.end())


def bare_end(buffer: Octets, at: int) -> P1Readout | None:
    """Return the readout at ``at`` that ends with the buffer in a "!" without a check."""
    if buffer[-1:] == b"!" and buffer[-2:-1] in (b"\r", b"\n"):
        return P1Readout(bytes(buffer[at:]), len(buffer) - at, None)
    return None


def whole_readout(octets: bytes) -> P1Readout:
    """Return the readout that ``octets`` hold, as deciphered telegrams do.

    Raises:
        WireError: they hold none, or a bad check.

    """
    found = probe(octets, 0, 0)
    if isinstance(found, int):
        found = bare_end(octets, 0)
    if not isinstance(found, P1Readout):
        raise WireError(f"no P1 readout: {found or 'not identified'}")
    return found


def _identify(buffer: Octets, at: int) -> int | Fault | None:
    """Return 0 where a whole identification line is at ``at``, else as :func:`probe`."""
    have = len(buffer) - at
    if have < _START_SIZE:
        filled = bytes(buffer[at:]) + b"/AAA0"[have:]
        return have + 1 if _IDENTIFICATION.match(filled) else None
    name = _IDENTIFICATION.match(buffer, at)
    if not name:
        return None
    if name.end() == len(buffer):
        return have + 1
    return 0 if buffer[name.end()] in _LINE_ENDS else Fault.TEXT


def _check(buffer: Octets, at: int, end: int) -> P1Readout | int | Fault:
    """Check the sum that follows the "!" which ends at ``end``."""
    after = bytes(buffer[end : end + _CRC_SIZE])
    if after[:1] in (b"\r", b"\n"):
        return P1Readout(bytes(buffer[at:end]), end - at, None)
    if len(after) < _CRC_SIZE:
        return end - at + (_CRC_SIZE if after else 1)
    if not _CRC.fullmatch(after):
        return Fault.CHECKSUM
    stated = int(after, 16)
    octets = bytes(buffer[at : end + _CRC_SIZE])
    text = octets[:-_CRC_SIZE]
    if check := _check_that_holds(text, stated):
        return P1Readout(octets, len(octets), check)
    original = text.replace(b"\r\n", b"\n")
    if original != text and (check := _check_that_holds(original, stated)):
        return P1Readout(original + octets[-_CRC_SIZE:], len(octets), check, mended=True)
    return Fault.CHECKSUM


def _check_that_holds(text: bytes, stated: int) -> str | None:
    return next((name for name, crc in _CHECKS.items() if crc(text) == stated), None)
