"""Damage costs what it hits, nothing else; the result does not depend on chunking."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensed.han import (
    CarriageReturnsInserted,
    Event,
    Fault,
    FrameRejected,
    HanDecoder,
    ListDecoded,
    OctetsDiscarded,
    Reading,
)
from tests.han.encode import LLC, hdlc, notification, structure, telegram, text, u32
from tests.han.examples import examples
from tests.han.frames import decode, readings
from tests.han.simulated import CHECKED, KEYS, READABLE, telegrams

CLOCK_TAGGED = b"\x09\x0c" + bytes.fromhex("07e40119060e000aff800000")
GARBAGE = st.binary(max_size=60)


def list1(watts: int) -> bytes:
    return telegram(structure(u32(watts)), CLOCK_TAGGED)


def watts(events: list[Event]) -> list[object]:
    return [reading.power_import_w for reading in readings(events)]


@st.composite
def damaged_streams(draw: st.DrawFn) -> bytes:
    """A few frames of one or two meters, octets changed, dropped, inserted and cut."""
    frames = [
        telegram.wire
        for name in draw(st.lists(st.sampled_from(READABLE), min_size=1, max_size=2))
        for telegram in telegrams(name)[:2]
    ]
    data = bytearray(b"".join(frames))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(data) - 1))
        match draw(st.sampled_from(["change", "drop", "insert", "flag", "crlf"])):
            case "change":
                data[place] = draw(st.integers(0, 255))
            case "drop":
                del data[place : place + draw(st.integers(1, 40))]
            case "insert":
                data[place:place] = draw(GARBAGE)
            case "flag":
                data[place:place] = b"\x7e\xa7\xff"
            case _:
                data = bytearray(bytes(data).replace(b"\n", b"\r\n"))
        if not data:
            data = bytearray(b"\x7e")
    return bytes(data)


@examples(20)
@given(damaged_streams(), st.lists(st.integers(1, 400), min_size=1, max_size=20))
def test_same_events_however_chunked(data: bytes, sizes: list[int]) -> None:
    whole = decode(data, keys=KEYS)
    assert decode(data, sizes, keys=KEYS) == whole
    assert decode(data, [1], keys=KEYS) == whole


@examples(30)
@given(st.sampled_from(CHECKED), st.data())
def test_one_damaged_octet_costs_at_most_the_telegram_it_hits(
    name: str, data: st.DataObject
) -> None:
    sent = telegrams(name)[:4]
    wire = bytearray(b"".join(telegram.wire for telegram in sent))
    place = data.draw(st.integers(0, len(wire) - 1))
    wire[place] ^= data.draw(st.integers(1, 255))
    starts = [sum(len(telegram.wire) for telegram in sent[:n]) for n in range(len(sent))]
    hit = max(n for n, start in enumerate(starts) if start <= place)
    found = readings(decode(bytes(wire), keys=KEYS))
    true = [telegram.reading for telegram in sent]
    assert found in (true, true[:hit] + true[hit + 1 :])


@examples(30)
@given(st.sampled_from(CHECKED), st.data())
def test_dropped_octets_cost_at_most_the_telegrams_they_hit(name: str, data: st.DataObject) -> None:
    sent = telegrams(name)[:4]
    wires = [telegram.wire for telegram in sent]
    size = data.draw(st.integers(1, 30))
    place = data.draw(st.integers(0, len(wires[1]) - size - 1))
    wires[1] = wires[1][:place] + wires[1][place + size :]
    found = readings(decode(b"".join(wires), keys=KEYS))
    true = [telegram.reading for telegram in sent]
    assert found in (true, [true[0], *true[2:]])


@examples(25)
@given(damaged_streams())
def test_no_reading_whose_values_no_telegram_had(data: bytes) -> None:
    true = {telegram.reading for name in READABLE for telegram in telegrams(name)}
    for event in decode(data, keys=KEYS):
        if isinstance(event, ListDecoded) and event.frame[:4] != b"/XMX":
            assert event.reading in true


@examples(40)
@given(GARBAGE, st.integers(0, 5))
def test_garbage_before_a_frame_costs_nothing(garbage: bytes, flags: int) -> None:
    data = garbage + b"\x7e" * flags + list1(1234)
    assert watts(decode(data)) == [1234]


def test_a_wrong_length_costs_its_frame_only() -> None:
    frames = [list1(n) for n in range(20)]
    for n in range(1, 2047, 37):
        wrong = bytearray(frames[3])
        wrong[1:3] = (0xA000 | n).to_bytes(2, "big")
        data = b"".join([*frames[:3], bytes(wrong), *frames[4:]])
        expected = [w for w in range(20) if w != 3 or n == len(frames[3]) - 2]
        assert watts(decode(data)) == expected


def test_length_with_a_good_header_check_but_no_such_frame() -> None:
    """Even a header that checks out may lie; the frames inside its length are found again."""
    header = hdlc(bytes(2000))[:9]
    frames = [list1(n) for n in range(10)]
    assert watts(decode(header + b"".join(frames))) == list(range(10))
    assert watts(decode(header + b"".join(frames), [1])) == list(range(10))


def test_a_flag_may_close_one_frame_and_open_the_next() -> None:
    frames = b"".join(list1(n)[:-1] for n in range(5)) + b"\x7e"
    assert watts(decode(frames)) == list(range(5))
    assert all(isinstance(event, ListDecoded) for event in decode(frames))


def test_a_frame_is_emitted_without_waiting_for_its_closing_flag() -> None:
    assert watts(HanDecoder().receive(list1(7)[:-1])) == [7]


def test_silence_gives_up_a_frame_in_progress() -> None:
    decoder = HanDecoder()
    assert decoder.receive(list1(1)[:20]) == []
    assert FrameRejected("HDLC", Fault.CUT) in decoder.silence()
    assert watts(decoder.receive(list1(2))) == [2]
    assert decoder.counters.frames_cut == 1


def test_silence_finds_frames_behind_a_false_start() -> None:
    decoder = HanDecoder()
    header = hdlc(bytes(2000))[:9]
    assert decoder.receive(header + list1(5)) == []
    assert watts(decoder.silence()) == [5]


def test_silence_between_telegrams_says_nothing() -> None:
    decoder = HanDecoder()
    decoder.receive(list1(1))
    assert decoder.silence() == []
    assert decoder.silence() == []


def test_discarded_octets_are_counted_without_flags_and_line_ends() -> None:
    events = decode(b"\x80\x81\x82\r\n\x7e\x7e" + list1(1) + b"\r\n" + list1(2))
    assert [event for event in events if not isinstance(event, ListDecoded)] == [OctetsDiscarded(3)]


@pytest.mark.parametrize("name", ["aidon-3ph-tn", "kaifa-3ph", "kamstrup-3ph", "aidon-se"])
def test_inserted_carriage_returns_are_recognised_and_mended(name: str) -> None:
    sent = [telegram for seed in range(3) for telegram in telegrams(name, seed=seed)]
    data = b"".join(telegram.wire for telegram in sent)
    spoilt = data.replace(b"\n", b"\r\n")
    assert spoilt != data
    for sizes in ([len(spoilt)], [1], [61, 7]):
        events = decode(spoilt, sizes)
        assert readings(events) == [telegram.reading for telegram in sent]
        assert events.count(CarriageReturnsInserted()) == 1


@examples(25)
@given(st.lists(st.sampled_from([0x0A, 0x0D, 0x41, 0x00]), min_size=1, max_size=24))
def test_any_mix_of_line_ends_survives_inserted_carriage_returns(octets: list[int]) -> None:
    name = bytes(octets).decode("latin-1")
    body = structure(
        text("KFM_001", 9), text(name, 9), text("MA105H2E", 9), *(u32(n) for n in range(6))
    )
    frame = telegram(body)
    for data in (frame * 2, (frame * 2).replace(b"\n", b"\r\n")):
        found = readings(decode(data, [3]))
        assert [reading.meter_id for reading in found] == [name.rstrip("\0")] * 2


def test_inserted_carriage_returns_in_p1() -> None:
    sent = telegrams("p1-se")
    data = b"".join(telegram.wire for telegram in sent).replace(b"\n", b"\r\n")
    events = decode(data)
    assert readings(events) == [telegram.reading for telegram in sent]
    assert events.count(CarriageReturnsInserted()) == 1


def test_a_mid_frame_start_is_no_bare_telegram() -> None:
    """Without its checks the end of a frame must not pass for a telegram of its own."""
    frame = hdlc(LLC + notification(structure(u32(5)), CLOCK_TAGGED))
    for start in (frame.index(LLC), frame.index(LLC) + 3):
        assert watts(decode(frame[start:])) == []


def test_a_bad_frame_check_never_yields_a_bare_telegram() -> None:
    frame = bytearray(list1(5))
    frame[-2] ^= 1
    decoder = HanDecoder()
    events = decoder.receive(bytes(frame))
    events += decoder.silence()
    assert watts(events) == []
    assert Counter(type(event) for event in events)[FrameRejected] >= 1


def test_readings_made_from_the_wire_are_ordinary_values() -> None:
    (reading,) = readings(decode(list1(1)))
    again = Reading(power_import_w=1, meter_clock="2020-01-25T14:00:10")
    assert reading == again
    assert hash(reading) == hash(again)
    assert repr(reading) == repr(again)
