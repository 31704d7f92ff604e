"""The two CRCs on a customer port, computed bit by bit from their definitions.

The tables are built here and shared with no decoder, so that a mistake in
either side shows as a mismatch.
"""

from __future__ import annotations


def _table(reflected_polynomial: int) -> tuple[int, ...]:
    rows = []
    for octet in range(256):
        register = octet
        for _ in range(8):
            register = (register >> 1) ^ (reflected_polynomial if register & 1 else 0)
        rows.append(register)
    return tuple(rows)


_X25_TABLE = _table(0x8408)
_ARC_TABLE = _table(0xA001)


def crc_x25(data: bytes) -> bytes:
    """Return HCS or FCS over ``data``, low octet first (CRC-16/X-25, IEC 62056-46)."""
    register = 0xFFFF
    for octet in data:
        register = (register >> 8) ^ _X25_TABLE[(register ^ octet) & 0xFF]
    return (register ^ 0xFFFF).to_bytes(2, "little")


def crc_arc(data: bytes) -> int:
    """Return the check value of a P1 readout, ``/`` to ``!`` (CRC-16/ARC, DSMR 5)."""
    register = 0
    for octet in data:
        register = (register >> 8) ^ _ARC_TABLE[(register ^ octet) & 0xFF]
    return register
