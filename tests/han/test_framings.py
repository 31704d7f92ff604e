"""P1, M-Bus, segments, general-block-transfer and bare telegrams."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensed.han import (
    Event,
    Fault,
    FrameRejected,
    HanDecoder,
    ListDecoded,
    ListMalformed,
    ListUnknown,
    Reading,
)
from sensed.han.crc import arc, x25
from tests.han.encode import CLOCK, LLC, hdlc, mbus, notification, structure, telegram, text, u32
from tests.han.examples import examples
from tests.han.frames import decode, reading, readings
from tests.han.simulated import telegrams

HEAD = "/LGF5E360\r\n\r\n"
TAGGED = b"\x09\x0c" + CLOCK
LIST1 = notification(structure(u32(4321)), TAGGED)


def padded(size: int) -> bytes:
    """A Kaifa list whose APDU grows with the meter's name."""
    names = (text("KFM_001", 9), b"\x09\x82" + size.to_bytes(2) + b"7" * size, text("MA", 9))
    return notification(structure(*names, *(u32(n) for n in range(6))))


def p1(*lines: str, head: str = HEAD, end: str = "\r\n", check: str = "arc") -> bytes:
    body = (head + "".join(line + "\r\n" for line in lines)).replace("\r\n", end) + "!"
    octets = body.encode("latin-1")
    match check:
        case "none":
            return octets + end.encode()
        case "x25":
            return octets + b"%04X" % x25(octets) + end.encode()
        case _:
            return octets + b"%04X" % arc(octets) + end.encode()


POWER = "1-0:1.7.0(0001.001*kW)"


@pytest.mark.parametrize("check", ["arc", "x25", "none"])
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_checks_and_line_ends(check: str, end: str) -> None:
    assert reading(p1(POWER, end=end, check=check)).power_import_w == 1001


def test_every_thousandth_is_exact() -> None:
    for n in range(0, 20000, 23):
        line = f"1-0:1.7.0({n // 1000:04}.{n % 1000:03}*kW)"
        assert reading(p1(line, check="none")).power_import_w == n


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("1-0:1.7.0(00503*W)", "power_import_w", 503),
        ("1-0:1.7.0(0.5035*kW)", "power_import_w", Decimal("503.5")),
        ("1-1:2.7.0(1.5*KW)", "power_export_w", 1500),
        ("1-0:3.7.0(0.2*kVAr)", "reactive_power_import_var", 200),
        ("1-0:3.7.0(0.2*kvar)", "reactive_power_import_var", 200),
        ("1-0:4.8.0(7.001*kVArh)", "reactive_energy_export_varh", 7001),
        ("1-0:4.8.0(7.001*kvarh)", "reactive_energy_export_varh", 7001),
        ("1-0:1.8.0(109552.250*kWh)", "energy_import_wh", 109552250),
        ("1-0:31.7.0(-1.20*A)", "current_l1_a", Decimal("-1.20")),
        ("1-0:13.7.0(0.98)", "power_factor", Decimal("0.98")),
        ("0-0:1.0.0(210222161900W)", "meter_clock", "2021-02-22T16:19:00"),
        ("0-0:1.0.0(20210222 16:19:00)", "meter_clock", "2021-02-22T16:19:00"),
        ("0-0:1.0.0(219922161900W)", "meter_clock", None),
        ("0-0:96.1.1(4532)", "meter_id", "E2"),
        ("0-0:96.1.0(7359992892587665)", "meter_id", "7359992892587665"),
        ("0-0:96.1.0(ab c)", "meter_id", "ab c"),
        ("0-1:96.1.0(4731)", "meter_id", None),
        ("1-0:1.8.1(011522.839*kWh)", "energy_import_wh", None),
        ("1-2:1.8.0(011522.839*kWh)", "energy_import_wh", None),
        ("1-0:2.7.0(5*kWh)", "power_export_w", None),
        ("1-0:2.7.0(5)", "power_export_w", None),
        ("1-0:2.7.0()", "power_export_w", None),
        ("1-0:2.7.0(5_0*W)", "power_export_w", None),
        ("1-0:99.97.0(5)(0-0:96.7.19)(170520130938S)(0000005627*s)", "power_export_w", None),
    ],
)
def test_lines(line: str, key: str, value: object) -> None:
    found = reading(p1("1-0:32.7.0(230.1*V)", line))
    assert getattr(found, key) == value
    assert found.voltage_l1_v == Decimal("230.1")


def test_p1_without_a_check_is_refused_once_the_meter_sent_checked_ones() -> None:
    decoder = HanDecoder()
    bare = p1("1-0:1.7.0(9.999*kW)", check="none")
    assert len(readings(decoder.receive(bare))) == 1
    decoder.receive(p1(POWER))
    assert decoder.receive(bare) == [FrameRejected("P1", Fault.NO_CRC)]
    other = p1(POWER, head="/ISK5x\r\n\r\n", check="none")
    assert [len(readings(decoder.receive(other))) for _ in range(3)] == [0, 1, 1]


def test_p1_without_a_check_must_be_well_formed() -> None:
    (event,) = decode(p1(POWER, "1-0:2.7.0(0.1*kW", check="none"))
    assert isinstance(event, ListMalformed)
    assert len(readings(decode(p1(POWER, "0-1:24.3.0(12)(m3)", "(00024.123)", check="none")))) == 1


def test_p1_end_without_line_end_counts_at_silence() -> None:
    decoder = HanDecoder()
    data = p1(POWER, check="none").rstrip()
    assert decoder.receive(data) == []
    assert len(readings(decoder.silence())) == 1


def test_p1_with_nothing_known_is_reported() -> None:
    (event,) = decode(p1("0-1:24.2.1(1*m3)"))
    assert isinstance(event, ListUnknown)
    assert "0-1:24.2.1" in event.structure


def test_p1_cut_short_costs_itself_only() -> None:
    events = decode(p1(POWER)[:30] + b"\r\n" + p1(POWER))
    assert len(readings(events)) == 1
    assert FrameRejected("P1", Fault.CUT) in events


@pytest.mark.parametrize("name", ["p1-nocrc", "p1-dsmr5", "p1-se-aidon"])
def test_p1_cut_anywhere_costs_no_readout_after_it(name: str) -> None:
    """The rest of a readout may be lost in mid-line: the next one begins there."""
    cut, *whole = (telegram.wire for telegram in telegrams(name)[:3])
    true = [telegram.reading for telegram in telegrams(name)[1:3]]
    for place in range(1, len(cut) - 2, 11):
        data = cut[:place] + b"".join(whole)
        assert readings(decode(data))[-2:] == true
        if place % 17 == 0:
            assert decode(data, [1]) == decode(data)


def test_p1_values_may_hold_slashes() -> None:
    lines = ("0-0:96.13.0(see /ABC5 or /DEF5x)", "0-0:96.13.1(/)", POWER)
    for check in ("crc", "none"):
        assert len(readings(decode(p1(*lines, check=check), [1]))) == 1


@pytest.mark.parametrize("start", [b"/ABC5", b"/ABC5(1)", b"/ABC5xyz(", b"/ABC5" + b"x" * 80])
def test_p1_false_starts_cost_no_readout(start: bytes) -> None:
    for data in (start + p1(POWER), start * 3 + b"\r\n" + p1(POWER, check="none")):
        assert len(readings(decode(data))) == 1
        assert decode(data, [1]) == decode(data)


@pytest.mark.parametrize(
    "line", ["17.0(00503*W)", "1-0:17.0(00503*W)", "1-0:1.7(00503*W)", "1-0:2.7.0(0*kV"]
)
def test_p1_with_a_malformed_code_is_refused_checked_or_not(line: str) -> None:
    for check in ("crc", "none"):
        assert [type(event) for event in decode(p1(POWER, line, check=check))] == [ListMalformed]


@pytest.mark.parametrize(
    "line", ["1-0:99:97.0(2)(0-0:96.7.19)", "1.8.0(00503)", "F.F(00)", "0-0:96.13.0(a(b)c)"]
)
def test_p1_lines_of_other_forms_are_passed_over_where_a_check_holds(line: str) -> None:
    assert len(readings(decode(p1(POWER, line)))) == 1
    assert [type(event) for event in decode(p1(POWER, line, check="none"))] == [ListMalformed]


def test_p1_with_another_check_than_before_must_come_twice() -> None:
    decoder = HanDecoder()
    for check, good in (("arc", 1), ("x25", 0), ("arc", 1), ("x25", 0), ("x25", 1), ("x25", 1)):
        events = decoder.receive(p1(POWER, check=check))
        assert len(readings(events)) == good
        assert good or events == [FrameRejected("P1", Fault.CHECKSUM)]


def test_p1_with_a_quantity_twice_needs_a_check() -> None:
    lines = ("1-0:2.7.0(0.1*kW)", "1-0:2.7.0(0.2*kW)")
    assert reading(p1(*lines)).power_export_w == 100
    assert [type(event) for event in decode(p1(*lines, check="none"))] == [ListMalformed]


def test_p1_is_bounded() -> None:
    events = decode(p1(*["1-0:1.7.0(0*kW)"] * 400) + p1(POWER))
    assert FrameRejected("P1", Fault.LENGTH) in events
    assert readings(events) == [Reading(power_import_w=1001)]


# -- M-Bus ---------------------------------------------------------------------------


def in_parts(data: bytes, size: int) -> list[bytes]:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return [mbus(p, n, last=n == len(pieces) - 1) for n, p in enumerate(pieces)]


def test_mbus_single_and_in_parts() -> None:
    for size in (200, 12, 7):
        assert reading(b"".join(in_parts(LIST1, size))).power_import_w == 4321


@pytest.mark.parametrize("size", [256, 257, 300, 511])
def test_mbus_length_that_overflowed(size: int) -> None:
    """L has one octet: on longer telegrams some meters send what is left of it."""
    name = size - len(mbus(padded(0))) + 6
    frame = mbus(padded(name))
    assert frame[1] == size - 256
    for sizes in ([1], [600]):
        (found,) = readings(decode(frame + mbus(LIST1) * 20, sizes))[:1]
        assert found.meter_id == "7" * name


def test_mbus_gap_or_repeat_drops_the_telegram_only() -> None:
    parts = in_parts(padded(60), 30)
    whole = in_parts(LIST1, 12)
    for spoilt in ([parts[0], parts[2]], [parts[0], parts[1], parts[1]], parts[1:]):
        decoder = HanDecoder()
        events = decoder.receive(b"".join(spoilt + whole))
        assert [r.power_import_w for r in readings(events)] == [4321]


def test_mbus_of_another_application() -> None:
    body = bytes((0x08, 0x01, 0x72, 0, 0)) + b"xyz"
    frame = bytes((0x68, len(body), len(body), 0x68)) + body + bytes((sum(body) & 255, 0x16))
    assert [type(event) for event in decode(frame)] == [ListMalformed]


def test_mbus_bad_checksum() -> None:
    frame = bytearray(mbus(LIST1))
    frame[20] ^= 1
    events = decode(bytes(frame) + mbus(LIST1) * 30)
    assert FrameRejected("M-Bus", Fault.CHECKSUM) in events
    assert len(readings(events)) == 30


# -- segments and blocks ---------------------------------------------------------------


def in_segments(information: bytes, size: int, *, repeat_llc: bool = False) -> list[bytes]:
    pieces = [information[at : at + size] for at in range(0, len(information), size)]
    return [
        hdlc((LLC if repeat_llc and n else b"") + piece, segmented=n < len(pieces) - 1)
        for n, piece in enumerate(pieces)
    ]


@examples(25)
@given(st.integers(4, 120), st.booleans())
def test_segments(size: int, repeat_llc: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    frames = in_segments(LLC + padded(100), size, repeat_llc=repeat_llc)
    expected = ["7" * 100] * 3
    assert [r.meter_id for r in readings(decode(b"".join(frames * 3), [50]))] == expected


def test_damaged_segment_drops_its_telegram_only() -> None:
    frames = in_segments(LLC + padded(100), 40)
    spoilt = bytearray(frames[1])
    spoilt[-2] ^= 1
    events = decode(b"".join([frames[0], bytes(spoilt), *frames[2:], *frames]))
    assert len(readings(events)) == 1


@pytest.mark.parametrize("place", range(4))
def test_a_damaged_segment_is_told_once(place: int) -> None:
    frames = in_segments(LLC + padded(100), 40)
    assert len(frames) == 4
    frames[place] = frames[place][:-2] + bytes((frames[place][-2] ^ 1,)) + frames[place][-1:]
    events = decode(b"".join([*frames, hdlc(LLC + LIST1)]))
    told = {type(event).__name__ for event in events}
    assert told - {"OctetsDiscarded"} == {"FrameRejected", "ListDecoded"}
    assert [r.power_import_w for r in readings(events)] == [4321]


def test_segments_lost_without_trace_never_join_two_telegrams() -> None:
    frames = in_segments(LLC + padded(100), 40)
    other = in_segments(LLC + padded(100).replace(u32(5), u32(99)), 40)
    events = decode(b"".join([*frames[:2], *other]))
    assert [r.voltage_l1_v for r in readings(events)] == [Decimal("9.9")]


def test_orphaned_segments_are_dropped_without_a_word() -> None:
    frames = in_segments(LLC + padded(100), 40)
    events = decode(b"".join([*frames[1:], *frames, frames[1], *frames]))
    assert [type(event) for event in events] == [ListDecoded, ListDecoded]


def test_silence_drops_segments() -> None:
    decoder = HanDecoder()
    frames = in_segments(LLC + padded(100), 40)
    decoder.receive(frames[0])
    decoder.silence()
    assert readings(decoder.receive(b"".join(frames[1:]))) == []
    assert decoder.counters.assemblies_dropped >= 1


def blocks(data: bytes, size: int) -> list[bytes]:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    frames = []
    for n, piece in enumerate(pieces, start=1):
        control = 0x80 if n == len(pieces) else 0x40
        head = bytes((0xE0, control)) + n.to_bytes(2) + bytes(2)
        length = bytes((len(piece),)) if len(piece) < 0x80 else b"\x81" + bytes((len(piece),))
        frames.append(hdlc(LLC + head + length + piece))
    return frames


@pytest.mark.parametrize("size", [20, 100, 200])
def test_general_block_transfer(size: int) -> None:
    assert reading(b"".join(blocks(padded(120), size))).meter_id == "7" * 120


def test_missing_block_discards_the_telegram_only() -> None:
    frames = blocks(padded(120), 40)
    events = decode(b"".join([frames[0], *frames[2:], *frames]))
    assert len(readings(events)) == 1


def test_blocks_within_blocks_are_refused() -> None:
    inner = blocks(b"\xe0" + bytes(30), 100)[0]
    assert [type(event) for event in decode(inner)] == [ListMalformed]


def test_assemblies_are_bounded() -> None:
    decoder = HanDecoder()
    decoder.receive(hdlc(LLC + LIST1, segmented=True))
    for _ in range(30):
        decoder.receive(hdlc(bytes(1000), segmented=True))
        assert len(decoder._assembly._apdu) <= 4096
    assert decoder.counters.assemblies_dropped >= 1


# -- what is no list -----------------------------------------------------------------


@pytest.mark.parametrize(
    "information",
    [
        b"\x02\x01",
        LLC,
        LLC + b"\x0f",
        LLC + b"\xc4\x01\x02",
        LLC + LIST1 + b"\x00",
        LLC + LIST1[:-1],
        LLC + b"\x0f\x40\x00\x00\x00\x05" + bytes(20),
        LLC + b"\xdb\x07" + bytes(20),
        LLC + b"\xe0\x80\x00\x01",
        LLC + b"\xe0\x80\x00\x01\x00\x00\x05abc",
        LLC + b"\xdb",
        LLC + b"\xdb\x08" + bytes(8) + b"\x03" + bytes(3),
        LLC + b"\xdb\x08" + bytes(8) + b"\x06" + bytes(7),
    ],
)
def test_a_good_frame_with_bad_content(information: bytes) -> None:
    decoder = HanDecoder()
    events: list[Event] = decoder.receive(hdlc(information))
    assert [type(event) for event in events] == [ListMalformed]
    assert decoder.counters.lists_malformed == decoder.counters.frames_good == 1


@pytest.mark.parametrize(
    "date", [b"\x00", b"\x0c" + CLOCK, b"\x09\x0c" + CLOCK, b"\x19" + CLOCK], ids=len
)
def test_every_form_of_date(date: bytes) -> None:
    names = (text("KFM_001", 9), text("1", 9), text("MA105H2E", 9))
    found = reading(telegram(structure(*names, *(u32(n) for n in range(6))), date))
    assert found.meter_clock == (None if date == b"\x00" else "2020-01-25T14:00:10")


def test_addresses_of_every_length() -> None:
    for header in (b"\x41\x03\x13", b"\xce\xff\x03\x13", b"\x02\x04\x06\x09\x02\x02\x04\x05\x10"):
        assert reading(hdlc(LLC + LIST1, header=header)).power_import_w == 4321


@pytest.mark.parametrize("start", [b"\xe6\xe7\x01", b"\xe6\xe7\x00\xaa", b"\xe6\xe7", b"\x0f\x01"])
def test_what_only_begins_like_a_bare_telegram(start: bytes) -> None:
    assert readings(decode(start)) == []
    assert len(readings(decode(start + b"\x80" * 9 + hdlc(LLC + LIST1), [1]))) == 1


def test_bare_telegrams_in_a_row() -> None:
    events = decode(LIST1 + LLC + LIST1 + LIST1, [1])
    assert [type(event) for event in events] == [ListDecoded] * 3
