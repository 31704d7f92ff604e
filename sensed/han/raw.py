"""Telegrams without framing: a bare data-notification or ciphered APDU.

Nothing checks a bare data-notification, so one counts only at the start of the
stream, after silence or after another bare telegram, and only if it is followed
by silence or by the next one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sensed.errors import WireError
from sensed.han import apdu, axdr

if TYPE_CHECKING:
    from sensed.han.faults import Octets

MAX_TELEGRAM = 4000
"""Longest bare telegram in octets."""

_LLC_START = 0xE6
STARTS = frozenset({_LLC_START, apdu.DATA_NOTIFICATION, apdu.GLO_CIPHERING})

_LLC_SIZE = 3


class RawTelegram(NamedTuple):
    """One bare APDU, with the LLC header if it came with one."""

    octets: bytes


def probe(buffer: Octets, at: int, *, final: bool) -> RawTelegram | int | None:
    """Look for a bare telegram at ``at``; answers as :func:`sensed.han.hdlc.probe`.

    ``final`` says that nothing follows the buffer. The number of octets needed grows
    by a quarter at least, so that feeding octet by octet stays linear.
    """
    data = bytes(buffer[at : at + MAX_TELEGRAM])
    start = _LLC_SIZE if data[0] == _LLC_START else 0
    if start and not any(header.startswith(data[:start]) for header in apdu.LLC_HEADERS):
        return None
    try:
        end = start + _end(data[start:])
    except axdr.Truncated as short:
        return _more(len(data), start + short.needed, final=final)
    except WireError:
        return None
    if end == len(data):
        return RawTelegram(data) if final else end + 1
    return RawTelegram(data[:end]) if data[end] in STARTS else None


def _more(have: int, needed: int, *, final: bool) -> int | None:
    if final or needed > MAX_TELEGRAM or have >= MAX_TELEGRAM:
        return None
    return min(MAX_TELEGRAM, max(needed, have + have // 4))


def _end(data: bytes) -> int:
    if data[:1] == bytes((apdu.GLO_CIPHERING,)):
        return apdu.envelope(data)[1]
    if data and data[0] != apdu.DATA_NOTIFICATION:
        raise WireError("no telegram")
    return apdu.read_notification(data).body.end if data else _nothing()


def _nothing() -> int:
    raise axdr.Truncated(1)
