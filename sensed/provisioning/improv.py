"""Improv Wi-Fi over BLE, version 2.4: identifiers, packets, results. Sans-IO.

Source: the Improv Wi-Fi specification, "Improv via BLE".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

from sensed.errors import WireError

SERVICE_UUID: Final = "00467768-6228-2272-4663-277478268000"
SERVICE_DATA_UUID: Final = "00004677-0000-1000-8000-00805f9b34fb"


class Characteristic(IntEnum):
    """The five characteristics; the value is what distinguishes their UUIDs."""

    STATE = 0x8001
    ERROR = 0x8002
    COMMAND = 0x8003
    RESULT = 0x8004
    CAPABILITIES = 0x8005

    @property
    def uuid(self) -> str:
        """The characteristic's UUID."""
        return f"{SERVICE_UUID[:-4]}{self:04x}"


class State(IntEnum):
    """What clients are told and what is advertised."""

    AUTHORIZATION_REQUIRED = 1
    AUTHORIZED = 2
    PROVISIONING = 3
    PROVISIONED = 4


class Error(IntEnum):
    """Why a command did not succeed."""

    NONE = 0
    INVALID_PACKET = 1
    UNKNOWN_COMMAND = 2
    UNABLE_TO_CONNECT = 3
    NOT_AUTHORIZED = 4
    BAD_HOSTNAME = 5
    UNKNOWN = 0xFF


class Capability(IntFlag):
    """What the device can do beside joining a network; a device name has no bit."""

    IDENTIFY = 1
    DEVICE_INFO = 2
    SCAN = 4
    HOSTNAME = 8


class Command(IntEnum):
    """The first byte of a packet."""

    WIFI_SETTINGS = 1
    IDENTIFY = 2
    DEVICE_INFO = 3
    SCAN = 4
    HOSTNAME = 5
    DEVICE_NAME = 6


_FRAMING_OCTETS: Final = 3
LONGEST_PACKET: Final = 255 + _FRAMING_OCTETS
ATT_HEADER: Final = 3
"""A notification carries the MTU less these; the rest is cut off in silence."""
LONGEST_STRING: Final = 127
"""A client parses a string's length as a signed byte."""

_SILENCE_S: Final = 4.0
"""A packet that is not continued within this is given up."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A command as it came, its checksum verified."""

    command: int
    data: bytes


@dataclass(frozen=True, slots=True)
class SeenNetwork:
    """A network for the scan result; ``auth`` is the specification's word for its security."""

    ssid: str
    rssi_dbm: int
    auth: str


def checksum(octets: bytes) -> int:
    """Return the sum of the octets, its lowest eight bits."""
    return sum(octets) & 0xFF


class Assembler:
    """Puts a client's packet together from the pieces it was written in.

    Holds at most one packet. Raises WireError for what cannot become one.
    """

    def __init__(self) -> None:
        self._octets = b""
        self._last_s = 0.0

    def receive(self, octets: bytes, now_s: float) -> Packet | None:
        """Take a write; return the packet it completes, if any.

        A packet that was not continued for a few seconds is forgotten. Raises WireError for
        a packet that is longer than it says or whose checksum is wrong.
        """
        if now_s - self._last_s > _SILENCE_S:
            self._octets = b""
        self._last_s = now_s
        packet = self._octets + octets
        self._octets = b""
        # Without its second octet a packet's length is not known; it is three octets at least.
        length = _FRAMING_OCTETS + sum(packet[1:2])
        if len(packet) < length:
            self._octets = packet
            return None
        if len(packet) > length:
            raise WireError("the packet is longer than it says")
        if packet[-1] != checksum(packet[:-1]):
            raise WireError("the packet's checksum is wrong")
        return Packet(packet[0], packet[2:-1])


def wifi_settings(data: bytes) -> tuple[bytes, bytes]:
    """Return SSID and password. Raises WireError when the lengths do not add up."""
    try:
        ssid, password = _strings(data)
    except ValueError:
        raise WireError("Wi-Fi settings are two strings") from None
    return ssid, password


def one_text(data: bytes) -> str:
    """Return a host or device name, which clients send with or without a length before it.

    Raises WireError when it is not UTF-8.
    """
    prefixed = len(data) > 1 and data[0] == len(data) - 1
    try:
        return (data[1:] if prefixed else data).decode()
    except UnicodeDecodeError:
        raise WireError("the name is not UTF-8") from None


def result(command: int, strings: Iterable[str]) -> bytes:
    """Return the result packet of a command. Raises WireError when it does not fit one."""
    data = b"".join(_prefixed(text) for text in strings)
    if len(data) > LONGEST_PACKET - _FRAMING_OCTETS:
        raise WireError("the result is longer than a packet")
    packet = bytes((command, len(data))) + data
    return packet + bytes((checksum(packet),))


def result_room(mtu: int) -> int:
    """Return how many octets of strings a result may have on a link with this ATT MTU."""
    return min(mtu - ATT_HEADER, LONGEST_PACKET) - _FRAMING_OCTETS


def device_info(strings: Sequence[str], mtu: int) -> bytes:
    """Return the device information, its longest strings shortened alike until it fits."""
    sizes = [len(text.encode()) for text in strings]
    room = result_room(mtu) - len(strings)
    longest = LONGEST_STRING
    while longest > 1 and sum(min(size, longest) or 1 for size in sizes) > room:
        longest -= 1
    return result(Command.DEVICE_INFO, [_shortened(text, longest) or "-" for text in strings])


def scan_result(networks: Iterable[SeenNetwork], mtu: int) -> bytes:
    """Return as many networks, in their order, as fit a link with this ATT MTU."""
    room = result_room(mtu)
    told: list[str] = []
    for network in networks:
        entry = (network.ssid, str(network.rssi_dbm), network.auth)
        octets = sum(len(_prefixed(text)) for text in entry)
        if octets <= room:
            room -= octets
            told += entry
    return result(Command.SCAN, told)


def named(command: int, text: str, mtu: int) -> bytes:
    """Return one name as a result, shortened to fit a link with this ATT MTU."""
    return result(command, [_shortened(text, min(LONGEST_STRING, result_room(mtu) - 1))])


def service_data(state: State, capabilities: Capability) -> bytes:
    """Return the six octets that every advertisement carries."""
    return bytes((state, capabilities, 0, 0, 0, 0))


def _strings(data: bytes) -> list[bytes]:
    found = []
    rest = data
    while rest:
        length = rest[0]
        if len(rest) <= length:
            raise WireError("a string is longer than its packet")
        found.append(rest[1 : 1 + length])
        rest = rest[1 + length :]
    return found


def _prefixed(text: str) -> bytes:
    octets = text.encode()
    if len(octets) > LONGEST_STRING:
        raise WireError("a result's string is longer than clients accept")
    return bytes((len(octets),)) + octets


def _shortened(text: str, octets: int) -> str:
    """Cut a text to so many octets of UTF-8, between characters."""
    return text.encode()[: max(octets, 0)].decode(errors="ignore")
