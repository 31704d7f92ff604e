"""The smallest encoder that tests need for telegrams no simulated meter sends."""

from __future__ import annotations

from sensed.han.crc import x25

LLC = b"\xe6\xe7\x00"


def check(octets: bytes) -> bytes:
    return x25(octets).to_bytes(2, "little")


def hdlc(
    information: bytes, *, header: bytes = b"\x41\x08\x83\x13", segmented: bool = False
) -> bytes:
    length = 2 + len(header) + (2 + len(information) if information else 0) + 2
    head = (0xA000 | segmented << 11 | length).to_bytes(2, "big") + header
    if information:
        head += check(head) + information
    return b"\x7e" + head + check(head) + b"\x7e"


def mbus(data: bytes, part: int = 0, *, last: bool = True, length: int | None = None) -> bytes:
    body = bytes((0x53, 0xFF, part | last << 4, 0x01, 0x67)) + data
    size = (len(body) if length is None else length) & 0xFF
    return bytes((0x68, size, size, 0x68)) + body + bytes((sum(body) & 0xFF, 0x16))


def text(value: str, tag: int = 0x0A) -> bytes:
    return bytes((tag, len(value))) + value.encode("ascii")


def obis(*groups: int, last: int = 255) -> bytes:
    return bytes((0x09, 6, *groups, last))


def u16(value: int) -> bytes:
    return b"\x12" + value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    return b"\x06" + value.to_bytes(4, "big")


def scaled(exponent: int, unit: int) -> bytes:
    return b"\x02\x02\x0f" + exponent.to_bytes(1, "big", signed=True) + b"\x16" + bytes((unit,))


def structure(*items: bytes, count: int | None = None) -> bytes:
    return bytes((0x02, len(items) if count is None else count)) + b"".join(items)


def array(*items: bytes) -> bytes:
    return bytes((0x01, len(items))) + b"".join(items)


CLOCK = bytes.fromhex("07e40119060e000aff800000")
TAGGED = b"\x09\x0c" + CLOCK


def notification(body: bytes, date: bytes = b"\x00") -> bytes:
    return b"\x0f\x40\x00\x00\x00" + date + body


def telegram(body: bytes, date: bytes = b"\x00") -> bytes:
    return hdlc(LLC + notification(body, date))
