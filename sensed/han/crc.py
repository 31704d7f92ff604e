"""Check sequences of the meter port's framings."""

from __future__ import annotations

from binascii import crc_hqx

_REVERSED = bytes(int(f"{octet:08b}"[::-1], 2) for octet in range(256))
_X25_RESIDUE = 0x1D0F


def x25_good(octets: bytes | bytearray) -> bool:
    """Tell whether data followed by its CRC-16/X-25 is undamaged (ISO/IEC 13239 FCS).

    The reflected register of X-25 run over reversed octets is the plain CCITT one,
    which the standard library has in C.
    """
    return crc_hqx(octets.translate(_REVERSED), 0xFFFF) == _X25_RESIDUE


def x25(octets: bytes | bytearray) -> int:
    """Return the CRC-16/X-25 of ``octets``; it is sent low octet first."""
    plain = crc_hqx(octets.translate(_REVERSED), 0xFFFF) ^ 0xFFFF
    return _REVERSED[plain & 0xFF] << 8 | _REVERSED[plain >> 8]


def _arc_table() -> tuple[int, ...]:
    table = []
    for octet in range(256):
        register = octet
        for _ in range(8):
            register = register >> 1 ^ (0xA001 if register & 1 else 0)
        table.append(register)
    return tuple(table)


_ARC = _arc_table()


def arc(octets: bytes | bytearray) -> int:
    """Return the CRC-16/ARC of ``octets`` (DSMR P1 telegram check)."""
    register = 0
    for octet in octets:
        register = register >> 8 ^ _ARC[(register ^ octet) & 0xFF]
    return register
