"""Check sequences, dates and A-XDR: published vectors and bounds."""

from __future__ import annotations

import cProfile
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensed.errors import WireError
from sensed.han import HanDecoder, axdr
from sensed.han.apdu import block, envelope, notification, strip_llc
from sensed.han.clock import iso_clock
from sensed.han.crc import arc, x25, x25_good
from tests.han.examples import examples

VECTOR = b"123456789"


def test_check_values() -> None:
    assert x25(VECTOR) == 0x906E
    assert arc(VECTOR) == 0xBB3D


@examples(60)
@given(st.binary(max_size=80), st.integers(0, 7), st.integers(0, 79))
def test_check_sequence_finds_every_flipped_bit(data: bytes, bit: int, place: int) -> None:
    whole = bytearray(data + x25(data).to_bytes(2, "little"))
    assert x25_good(whole)
    whole[place % len(whole)] ^= 1 << bit
    assert not x25_good(whole)


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("07e40119060e000aff800000", "2020-01-25T14:00:10"),
        ("07e4011502100000ff000000", "2020-01-21T16:00:00+00:00"),
        ("07e509160311231effffc400", "2021-09-22T17:35:30+01:00"),
        ("07e509160311231effff8880", "2021-09-22T17:35:30+02:00"),
        ("07e509160311231eff003c00", "2021-09-22T17:35:30-01:00"),
        ("07e509160311231e32800000", "2021-09-22T17:35:30.50"),
        ("07e50916031123ffff800000", "2021-09-22T17:35"),
        ("ffff091603112300ff800000", None),
        ("07e5ff1603112300ff800000", None),
        ("07e509fe03112300ff800000", None),
        ("07e5091603ff2300ff800000", None),
        ("07e509160311233dff800000", None),
        ("000000000000000000000000", None),
    ],
)
def test_date_time(octets: str, text: str | None) -> None:
    assert iso_clock(bytes.fromhex(octets)) == text


@examples(60)
@given(st.binary(min_size=12, max_size=12))
def test_any_date_time_is_text_or_absent(octets: bytes) -> None:
    text = iso_clock(octets)
    assert text is None or text.isascii()


@pytest.mark.parametrize(
    ("octets", "value"),
    [
        ("05fffffffe", -2),
        ("06fffffffe", 0xFFFFFFFE),
        ("0fff", -1),
        ("10ff80", -128),
        ("11ff", 255),
        ("12ffff", 0xFFFF),
        ("14ffffffffffffffff", -1),
        ("15ffffffffffffffff", 2**64 - 1),
        ("16ff", 255),
        ("0301", 1),
        ("0902abcd", b"\xab\xcd"),
        ("0a024142", b"AB"),
        ("0c02c3a6", b"\xc3\xa6"),
        ("0a81024142", b"AB"),
        ("0a8200024142", b"AB"),
        ("0a84000000024142", b"AB"),
        ("00", None),
        ("0d99", None),
        ("040aff80", None),
        ("1740490fdb", None),
        ("18400921fb54442d18", None),
        ("1907e40119060e000aff800000", bytes.fromhex("07e40119060e000aff800000")),
        ("1a07e4011906", bytes.fromhex("07e4011906")),
        ("1b0e000aff", bytes.fromhex("0e000aff")),
        ("131206000100020003", None),
        ("130202120f06000100000200", None),
        ("13010003120400010002", None),
    ],
)
def test_every_type(octets: str, value: int | bytes | None) -> None:
    data = bytes.fromhex(octets)
    node = axdr.decode(data)
    assert (node.end, node.value) == (len(data), value)


def test_nested() -> None:
    node = axdr.decode(bytes.fromhex("0102020211011102020111ff"))
    assert [[leaf.value for leaf in item.children] for item in node.children] == [[1, 2], [255]]


@pytest.mark.parametrize(
    "octets", ["", "07", "0f", "8100", "0a85", "0a8500000000", "02ff", "ff", "13"]
)
def test_broken(octets: str) -> None:
    with pytest.raises(WireError):
        axdr.decode(bytes.fromhex(octets))


def test_depth_is_bounded() -> None:
    depth = axdr.MAX_DEPTH
    assert axdr.decode(b"\x02\x01" * depth + b"\x11\x07").end == 2 * depth + 2
    with pytest.raises(WireError, match="deep"):
        axdr.decode(b"\x02\x01" * (depth + 1) + b"\x11\x07")
    with pytest.raises(WireError, match="deep"):
        axdr.decode(b"\x13" + b"\x02\x01" * 5000)


def test_counts_are_checked_against_the_octets_left() -> None:
    for data in (
        b"\x01\x84\xff\xff\xff\xff",
        b"\x0a\x84\xff\xff\xff\xff",
        b"\x04\x84\xff\xff\xff\xff",
    ):
        with pytest.raises(axdr.Truncated) as caught:
            axdr.decode(data)
        assert caught.value.needed > 2**28


@examples(60)
@given(st.binary(max_size=200))
def test_decoding_anything_gives_a_value_or_the_packages_error(data: bytes) -> None:
    for parse in (axdr.decode, notification, envelope, block, strip_llc):
        try:
            parse(data)
        except WireError:
            continue


@examples(60)
@given(st.binary(max_size=60))
def test_truncation_is_told_with_a_bound_that_holds(data: bytes) -> None:
    try:
        whole = axdr.decode(data)
    except WireError:
        return
    for size in range(whole.end):
        with pytest.raises(axdr.Truncated) as caught:
            axdr.decode(data[:size])
        assert size < caught.value.needed <= whole.end


@examples(60)
@given(st.binary(max_size=600), st.integers(0, 600))
def test_the_decoder_raises_nothing(data: bytes, cut: int) -> None:
    decoder = HanDecoder()
    decoder.receive(data[:cut])
    decoder.receive(data[cut:])
    decoder.silence()
    assert decoder.counters.octets == len(data)


FLOODS = {
    "flags": b"\x7e",
    "false headers": b"\x7e\xa7\xff",
    "short headers": b"\x7e\xa0\x08",
    "M-Bus starts": b"\x68",
    "M-Bus headers": b"\x68\xf0\xf0\x68",
    "M-Bus empty": b"\x68\x00\x00\x68\x16",
    "slashes": b"/",
    "readout heads": b"/ABC5\r\n",
    "readout ends": b"/ABC5\r\n!0000\r\n",
    "ciphered heads": b"\xdb\x08ABC",
    "notifications": b"\x0f\x40\x00\x00\x00\x00",
    "arrays": b"\x0f\x40\x00\x00\x00\x00" + b"\x01\x7f" * 7,
    "LLC": b"\xe6\xe7\x00",
    "line ends": b"\x7e\xa7\x0d\x0a",
    "short frames with line ends": b"\x7e\xa0\x0d\x0a",
    "M-Bus stops": b"\x68\x40\x40\x68" + b"\x16" * 4,
    "zeros": b"\x00",
}


@pytest.mark.parametrize("name", FLOODS)
def test_time_and_memory_are_linear_in_any_flood(name: str) -> None:
    unit = FLOODS[name]

    def cost(octets: int, chunk: int) -> float:
        data = (unit * (octets // len(unit) + 1))[:octets]
        decoder = HanDecoder()
        started = time.process_time()
        for at in range(0, octets, chunk):
            decoder.receive(data[at : at + chunk])
            assert len(decoder._splitter._buffer) <= 4096
        decoder.silence()
        return time.process_time() - started

    cost(1_500, 1_500)
    small = min(cost(1_500, 512) for _ in range(3)) + 0.002
    assert cost(15_000, 512) < 10 * small * 4
    assert cost(1_500, 1) < 0.8


@pytest.mark.parametrize("name", FLOODS)
def test_the_number_of_calls_is_linear_in_any_flood(name: str) -> None:
    """Counted, not timed: what other programs do at the same time does not matter."""
    unit = FLOODS[name]

    def calls(octets: int) -> int:
        decoder = HanDecoder()
        data = (unit * (octets // len(unit) + 1))[:octets]
        profile = cProfile.Profile()
        profile.enable()
        for at in range(0, octets, 512):
            decoder.receive(data[at : at + 512])
        decoder.silence()
        profile.disable()
        return sum(entry.callcount for entry in profile.getstats())

    few, many = calls(5_000), calls(15_000)
    assert few < 40 * 5_000
    assert many < 3.3 * few


def test_real_headers_with_lying_lengths_are_linear() -> None:
    """The worst case: each header checks out and claims 2047 octets."""
    head = b"\xa7\xff\x03\x03\x13"
    flood = (b"\x7e" + head + x25(head).to_bytes(2, "little")) * 12_500
    decoder = HanDecoder()
    started = time.process_time()
    decoder.receive(flood)
    decoder.silence()
    assert time.process_time() - started < 6
