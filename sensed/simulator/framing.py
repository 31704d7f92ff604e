"""What a meter wraps around its list: notification, cipher, LLC, HDLC, blocks and M-Bus.

Every function takes octets and returns octets. Nothing here is shared with a decoder.
"""

from __future__ import annotations

from dataclasses import dataclass

from sensed.simulator.axdr import length
from sensed.simulator.crc import crc_x25

LLC = b"\xe6\xe7\x00"
_FLAG = b"\x7e"
_SEGMENTED = 0x0800
_MBUS_DATA_MAX = 250
_TAG_OCTETS = 12
_AUTHENTICATED = 0x10


@dataclass(frozen=True, slots=True)
class Link:
    """HDLC addresses and control octet of one maker."""

    destination: bytes
    source: bytes
    control: int

    def header(self) -> bytes:
        """Return what follows the frame format field."""
        return self.destination + self.source + bytes((self.control,))


def notification(body: bytes, *, invoke_id: int, date: bytes) -> bytes:
    """Return a data-notification; ``date`` comes with its length octet (IEC 62056-5-3)."""
    return b"\x0f" + invoke_id.to_bytes(4, "big") + date + body


def hdlc(information: bytes, link: Link, *, more_follows: bool = False) -> bytes:
    """Return one HDLC frame, type 3, unstuffed, with HCS, FCS and both flags (IEC 62056-46)."""
    header_octets = 2 + len(link.header()) + 2
    size = header_octets + len(information) + 2
    frame_format = 0xA000 | (_SEGMENTED if more_follows else 0) | size
    head = frame_format.to_bytes(2, "big") + link.header()
    checked = head + crc_x25(head) + information
    return _FLAG + checked + crc_x25(checked) + _FLAG


def segmented_hdlc(information: bytes, link: Link, *, segment_octets: int) -> bytes:
    """Return the information spread over segments; all but the last have S = 1."""
    parts = _cut(information, segment_octets)
    return b"".join(
        hdlc(part, link, more_follows=index < len(parts) - 1) for index, part in enumerate(parts)
    )


def block_transfer(apdu: bytes, link: Link, *, block_octets: int) -> bytes:
    """Return general-block-transfer, one block to an HDLC frame (IEC 62056-5-3)."""
    frames = []
    parts = _cut(apdu, block_octets)
    for block_number, part in enumerate(parts, start=1):
        control = 0x80 if block_number == len(parts) else 0x00
        block = (
            bytes((0xE0, control))
            + block_number.to_bytes(2, "big")
            + (0).to_bytes(2, "big")
            + length(len(part))
            + part
        )
        frames.append(hdlc(LLC + block, link))
    return b"".join(frames)


def mbus(apdu: bytes) -> bytes:
    """Return the telegram in M-Bus long frames (EN 13757-2); CI counts parts, bit 4 the last."""
    frames = []
    parts = _cut(apdu, _MBUS_DATA_MAX)
    for sequence, part in enumerate(parts):
        last = 0x10 if sequence == len(parts) - 1 else 0
        user_data = bytes((0x53, 0xFF, sequence | last, 0x01, 0x67)) + part
        size = len(user_data)
        checksum = sum(user_data) & 0xFF
        frames.append(bytes((0x68, size, size, 0x68)) + user_data + bytes((checksum, 0x16)))
    return b"".join(frames)


@dataclass(frozen=True, slots=True)
class Cipher:
    """General-glo-ciphering: security control octet, system title and keys."""

    security: int
    system_title: bytes
    encryption_key: bytes
    authentication_key: bytes

    def __repr__(self) -> str:
        """Name the security without the keys."""
        return f"Cipher(security={self.security:#04x})"

    def encipher(self, apdu: bytes, invocation_counter: int) -> bytes:
        """Return the DB envelope around the ciphered APDU (IEC 62056-5-3, AES-128-GCM)."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        counter = invocation_counter.to_bytes(4, "big")
        control = bytes((self.security,))
        authenticated = bool(self.security & _AUTHENTICATED)
        additional = control + self.authentication_key if authenticated else None
        sealed = AESGCM(self.encryption_key).encrypt(self.system_title + counter, apdu, additional)
        ciphertext, tag = sealed[: len(apdu)], sealed[len(apdu) :]
        content = control + counter + ciphertext + (tag[:_TAG_OCTETS] if authenticated else b"")
        title = bytes((len(self.system_title),)) + self.system_title
        return b"\xdb" + title + length(len(content)) + content


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]
