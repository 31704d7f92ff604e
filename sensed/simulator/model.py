"""What makes one meter type: its lists and their cadence, its line and its wrapping."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sensed.simulator import axdr, framing
from sensed.simulator.household import Net
from sensed.simulator.layouts import Body, ClockStyle, Moment

DateForm = Literal["none", "empty", "standard", "tagged"]
Transport = Callable[[bytes], bytes]

TEST_KEY = bytes(range(16))
"""Encryption key of every ciphering simulated meter unless another is given."""
TEST_AUTHENTICATION_KEY = bytes(range(0xD0, 0xE0))
"""Authentication key likewise."""

UNSPECIFIED = ClockStyle(deviation_min=axdr.UNSPECIFIED_DEVIATION)
"""A clock that states no deviation, the commonest."""

_FLAG_CODES = {
    "Aidon": b"ADN",
    "Iskraemeco": b"ISK",
    "Kaifa": b"KFM",
    "Kamstrup": b"KAM",
    "Landis+Gyr": b"LGZ",
    "NES": b"NES",
    "Sagemcom": b"SAG",
    "Xemex": b"XMX",
}
_BITS_PER_OCTET = {"8N1": 10, "8E1": 11}


@dataclass(frozen=True, slots=True)
class ListSpec:
    """One list: what it holds and when it goes out.

    Instants are ``offset_s`` + n x ``every_s`` of the meter's clock; where several offsets
    are given, each meter has one of them. Among lists of one ``group`` due at the
    same instant only the last of the model's order is sent.
    """

    kind: str
    every_s: float
    write: Callable[[Moment], Body]
    offsets_s: tuple[float, ...] = (0.0,)
    group: int = 0
    style: ClockStyle | None = None


@dataclass(frozen=True, slots=True)
class Wrapping:
    """What is put around a body: notification date, cipher, transport."""

    transport: Transport
    date: DateForm = "empty"
    invoke_id: int = 0x40000000
    security: int | None = None

    def date_octets(self, moment: Moment) -> bytes:
        """Return the notification's date-time with its length, in the maker's form."""
        if self.date == "empty":
            return b"\x00"
        clock = b"\x0c" + moment.style.octets(moment.clock)
        return b"\x09" + clock if self.date == "tagged" else clock

    def wrap(self, body: bytes, moment: Moment, counter: int, keys: Keys) -> bytes:
        """Return the octets on the wire; ``counter`` is the invocation counter."""
        apdu = body
        if self.date != "none":
            date = self.date_octets(moment)
            apdu = framing.notification(body, invoke_id=self.invoke_id, date=date)
        if self.security is not None:
            cipher = framing.Cipher(
                self.security, moment.plate.system_title, keys.encryption, keys.authentication
            )
            apdu = cipher.encipher(apdu, counter)
        return self.transport(apdu)


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys of a ciphering meter, 16 octets each; never shown."""

    encryption: bytes = TEST_KEY
    authentication: bytes = TEST_AUTHENTICATION_KEY

    def __repr__(self) -> str:
        """Hide the keys."""
        return "Keys(...)"


@dataclass(frozen=True, slots=True)
class MeterModel:
    """One meter type.

    ``serial`` is the line as ``baud framing``. ``layout`` is the order of the list's values
    in reading keys, "-" for one that carries none, where the grid company decides it and the
    list does not tell: a decoder must be given it, and without it must not guess.
    """

    name: str
    maker: str
    description: str
    serial: str
    lists: tuple[ListSpec, ...]
    wrapping: Wrapping
    meter_type: str
    id_prefix: str
    list_version: str = ""
    style: ClockStyle = UNSPECIFIED
    phases: int = 3
    net: Net = "TN"
    solar_peak_w: float = 0.0
    layout: tuple[str, ...] = ()

    @property
    def octets_per_s(self) -> float:
        """Speed of the line in octets a second, start, parity and stop bits counted."""
        baud, character = self.serial.split()
        return int(baud) / _BITS_PER_OCTET[character]

    @property
    def flag_code(self) -> bytes:
        """The maker's three letters (FLAG Association), with which its system titles start."""
        return next(code for name, code in _FLAG_CODES.items() if self.maker.startswith(name))

    @property
    def encrypted(self) -> bool:
        """Whether a decoder needs a key."""
        return self.wrapping.security is not None


def hdlc_transport(link: framing.Link) -> Transport:
    """One HDLC frame with LLC."""
    return lambda apdu: framing.hdlc(framing.LLC + apdu, link)
