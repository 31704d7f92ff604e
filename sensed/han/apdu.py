"""DLMS application layer of a push telegram (IEC 62056-5-3).

LLC header, data-notification, general-glo-ciphering envelope and
general-block-transfer: octets in, named parts out.
"""

from __future__ import annotations

from typing import NamedTuple

from sensed.errors import WireError
from sensed.han import axdr, clock

DATA_NOTIFICATION = 0x0F
GLO_CIPHERING = 0xDB
BLOCK_TRANSFER = 0xE0

LLC_HEADERS = (b"\xe6\xe7\x00", b"\xe6\xe6\x00")
_INVOKE_ID = 4
_TITLE = 8
_SECURITY = 5  # control octet and invocation counter
_ENVELOPE_START = 2  # tag and length of the system title
_BLOCK_START = 6  # tag, control, block number, number acknowledged


class Notification(NamedTuple):
    """A data-notification, or a bare body where ``date_form`` is "none".

    ``date_form`` is "empty", "standard", "tagged" (octet-string) or "typed"
    (date-time); ``date`` the 12 octets, which start at ``date_start``.
    """

    data: bytes
    date_form: str
    date: bytes | None
    date_start: int
    body: axdr.Node


class Envelope(NamedTuple):
    """A general-glo-ciphering APDU: everything but the key."""

    title: bytes
    security: int
    counter: int
    sealed: bytes


class Block(NamedTuple):
    """One general-block-transfer APDU; blocks count from 1."""

    number: int
    last: bool
    data: bytes


def strip_llc(information: bytes) -> bytes:
    """Return the APDU after the LLC header, if there is one."""
    return information[3:] if information[:3] in LLC_HEADERS else information


def notification(data: bytes) -> Notification:
    """Parse a whole data-notification APDU.

    Raises:
        WireError: it breaks the encoding, or octets are left over after the body.

    """
    parsed = read_notification(data)
    if parsed.body.end != len(data):
        raise WireError(f"{len(data) - parsed.body.end} octets left over after the body")
    return parsed


def read_notification(data: bytes) -> Notification:
    """Parse the data-notification at the start of ``data``; more may follow it.

    Raises:
        WireError: it breaks the encoding; :class:`axdr.Truncated` where octets lack.

    """
    if data[:1] in (b"\x01", b"\x02"):
        return Notification(data, "none", None, 0, axdr.decode(data))
    if data[:1] != b"\x0f":
        raise WireError(f"no data-notification: APDU tag {data[:1].hex() or 'missing'}")
    at = 1 + _INVOKE_ID
    if len(data) < at + 2:
        raise axdr.Truncated(at + 2)
    form, start = _date_form(data, at)
    if form == "empty":
        return Notification(data, form, None, 0, axdr.decode(data, start))
    end = start + clock.SIZE
    if len(data) < end:
        raise axdr.Truncated(end)
    return Notification(data, form, data[start:end], start, axdr.decode(data, end))


def _date_form(data: bytes, at: int) -> tuple[str, int]:
    first, second = data[at : at + 2]
    if first == 0:
        return "empty", at + 1
    if first == clock.SIZE:
        return "standard", at + 1
    if first == axdr.Tag.OCTET_STRING and second == clock.SIZE:
        return "tagged", at + 2
    if first == axdr.Tag.DATE_TIME:
        return "typed", at + 1
    raise WireError(f"date-time of the notification starts with {first:#04x}")


def envelope(data: bytes) -> tuple[Envelope, int]:
    """Parse the general-glo-ciphering APDU at the start of ``data``; also return its end.

    Raises:
        WireError: it breaks the encoding; :class:`axdr.Truncated` where octets lack.

    """
    if len(data) < _ENVELOPE_START:
        raise axdr.Truncated(_ENVELOPE_START)
    if data[0] != GLO_CIPHERING or data[1] != _TITLE:
        raise WireError("no general-glo-ciphering with a system title of 8 octets")
    size, start = axdr.length(data, _ENVELOPE_START + _TITLE)
    if size <= _SECURITY:
        raise WireError(f"ciphered service of {size} octets")
    end = start + size
    if len(data) < end:
        raise axdr.Truncated(end)
    sealed = start + _SECURITY
    counter = int.from_bytes(data[start + 1 : sealed])
    title = data[_ENVELOPE_START : _ENVELOPE_START + _TITLE]
    return Envelope(title, data[start], counter, data[sealed:end]), end


def block(data: bytes) -> Block:
    """Parse a general-block-transfer APDU.

    Raises:
        WireError: it breaks the encoding or its length does not fit.

    """
    if len(data) <= _BLOCK_START or data[0] != BLOCK_TRANSFER:
        raise WireError("general-block-transfer cut short")
    size, start = axdr.length(data, _BLOCK_START)
    if start + size != len(data):
        raise WireError("general-block-transfer of the wrong length")
    return Block(int.from_bytes(data[2:4]), bool(data[1] & 0x80), data[start:])
