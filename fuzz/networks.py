"""Whatever names and properties access points send, a list of them fits each of its readers.

Improv's result fits any link and parses back to names that were sent, and the answer of the
encrypted set-up is no longer than its protocol allows.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from fuzz.improv import check_result
from fuzz.script import Script, piece
from sensed.provisioning import improv
from sensed.provisioning.encrypted import messages
from sensed.provisioning.encrypted.frames import LONGEST_TEXT
from sensed.provisioning.networks import (
    PROFILE_PREFIX,
    AccessPoint,
    best_first,
    fault_of_password,
    is_ssid,
    profile,
)
from sensed.provisioning.requests import Requests
from sensed.secret import Secret

INCLUDE = ("sensed.provisioning.networks", "sensed.provisioning.improv")
_LOOP = asyncio.new_event_loop()
_NAMES = ("Ssid", "Strength", "Flags", "WpaFlags", "RsnFlags")


def one_input(data: bytes) -> None:
    """Check what must hold of any octets; an exception is a finding."""
    script = Script(data)
    mtu = max(23, script.number(2) % 518)
    points = []
    while script:
        points.append(access_point(script))
        check_profile(points[-1], script.piece())
    seen = best_first(points)
    sent = {point.ssid.decode(errors="replace") for point in points}
    if not {network.ssid for network in seen} <= sent:
        raise AssertionError("a network is shown that was not heard")
    result = improv.scan_result(seen, mtu)
    if len(result) > mtu - improv.ATT_HEADER:
        raise AssertionError("the scan's result does not fit its link")
    check_result(result)
    check_answer(seen)


def access_point(script: Script) -> AccessPoint:
    """Read an access point; any property may be missing."""
    there = script.number()
    numbers = (script.number(), script.number(4), script.number(4), script.number(4))
    values = (list(script.piece()[:255]), *numbers)
    found = {
        name: value
        for bit, (name, value) in enumerate(zip(_NAMES, values, strict=True))
        if not there >> bit & 1
    }
    return AccessPoint.from_properties("/", found)


def check_answer(seen: list[improv.SeenNetwork]) -> None:
    """The encrypted set-up's answer fits and says the same."""

    async def scan() -> list[improv.SeenNetwork]:
        return seen

    around: Any = SimpleNamespace(manager=SimpleNamespace(scan=scan))
    keeper: Any = None
    found = _LOOP.run_until_complete(_scanned(Requests(around, keeper, keeper)))
    text = messages.answer(2**31 - 1, found)
    if len(text) > LONGEST_TEXT:
        raise AssertionError("the answer is longer than the protocol allows")
    told = json.loads(text)["networks"]
    if [item["ssid"] for item in told] != [network.ssid for network in seen[: len(told)]]:
        raise AssertionError("the answer names other networks")


async def _scanned(requests: Requests) -> Any:
    return await requests.handlers["wifi.scan"]()


def check_profile(point: AccessPoint, password: bytes) -> None:
    """What may be joined gives a profile with the very name that was heard."""
    text = password.decode("latin-1")
    if is_ssid(point.ssid) and fault_of_password(point.security, text) is None:
        made = profile(point.ssid, point.security, Secret(text), hidden=False)
        if bytes(made["802-11-wireless"]["ssid"].value) != point.ssid:
            raise AssertionError("a profile is for another network")
        if not str(made["connection"]["id"].value).startswith(PROFILE_PREFIX):
            raise AssertionError("a profile is not known as ours")


def corpus() -> Iterator[bytes]:
    """Yield scans of one and of several access points."""

    def heard(name: bytes, strength: int, flags: tuple[int, int, int], password: bytes) -> bytes:
        numbers = b"".join(number.to_bytes(4, "big") for number in flags)
        return bytes((0, strength)) + numbers + piece(name) + piece(password)

    house = heard(b"house", 70, (1, 0, 0x188), b"password")
    yield b"\x00\xf7" + house
    yield b"\x00\x17" + house + heard("kafé".encode(), 55, (0, 0, 0), b"")
    yield b"\x02\x05" + b"".join(
        heard(b"%032d" % number, number, (1, 0x108, 0x400), b"a" * 64) for number in range(40)
    )
    yield (
        b"\x00\xf7"
        + heard(bytes(32), 99, (0, 0, 0x800), b"")
        + heard(b"\xff", 9, (1, 0, 0x200), b"")
    )
    yield b"\x00\xf7" + heard(b'"\\\xe2\x80\x8b', 40, (0, 0, 0), b"")
