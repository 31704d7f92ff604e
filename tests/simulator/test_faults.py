from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensed.simulator import METERS, MeterSimulator, Telegram
from sensed.simulator.faults import FAULTS, resample, with_faults
from tests.han.examples import examples

MODEL = METERS["aidon-3ph-tn"]


def through(
    *faults: tuple[str, float | None], count: int = 300, name: str = MODEL.name, seed: int = 1
) -> tuple[list[Telegram], list[Telegram]]:
    model = METERS[name]
    sent = list(itertools.islice(MeterSimulator(model).telegrams(), count))
    return sent, list(with_faults(sent, faults, model=model, seed=seed))


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_seeded_and_marks_exactly_what_it_changed(name: str) -> None:
    sent, received = through((name, None), count=60)
    assert received == through((name, None), count=60)[1]
    original = {telegram.wire for telegram in sent}
    if name != "meter-swap":
        for telegram in received:
            intact = telegram.wire.removesuffix(b"\r\n") if name == "crlf-after" else telegram.wire
            assert telegram.hit == (intact not in original)


@pytest.mark.parametrize("name", FAULTS)
def test_a_rate_of_zero_changes_nothing(name: str) -> None:
    sent, received = through((name, 0.0), count=60)
    assert received == sent


def test_faults_compose_in_order() -> None:
    _, received = through(("crlf-after", 1.0), ("seven-bit", 1.0), count=20)
    assert all(telegram.wire.endswith(b"\r\n") for telegram in received)
    assert all(max(telegram.wire) < 0x80 for telegram in received)


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.2])
def test_octets_are_struck_at_the_rate_asked_for(rate: float) -> None:
    sent, received = through(("byte-loss", rate), count=400)
    total = sum(len(telegram.wire) for telegram in sent)
    lost = total - sum(len(telegram.wire) for telegram in received)
    assert lost == pytest.approx(total * rate, rel=0.35)


def test_flipped_bits_keep_the_length() -> None:
    sent, received = through(("bit-flips", 0.005))
    changed = 0
    for before, after in zip(sent, received, strict=True):
        bits = sum((a ^ b).bit_count() for a, b in zip(before.wire, after.wire, strict=True))
        assert (bits > 0) == after.hit
        changed += bits
    assert changed > 0


def test_a_cut_frame_is_the_beginning_of_the_frame() -> None:
    sent, received = through(("cut-frames", 1.0))
    for before, after in zip(sent, received, strict=True):
        assert before.wire.startswith(after.wire)
        assert 0 < len(after.wire) < len(before.wire)


def test_silence_is_a_minute_without_telegrams() -> None:
    _, received = through(("silence", 0.02), count=800)
    pauses = [b.at_s - a.at_s for a, b in itertools.pairwise(received)]
    long = [pause for pause in pauses if pause > 10]
    assert long
    assert all(pause >= 60 for pause in long)


def test_the_previous_hourly_list_comes_again() -> None:
    name = "kamstrup-3ph"
    sent = MeterSimulator(METERS[name]).telegrams()
    hours = list(itertools.takewhile(lambda telegram: telegram.at_s < 3 * 3600 + 130, sent))
    received = list(with_faults(hours, [("replayed-hour", 1.0)], model=METERS[name]))
    repeats = [telegram for telegram in received if telegram.kind == "list2"]
    assert len(repeats) == 4
    assert len({telegram.wire for telegram in repeats}) == 1
    assert [telegram.at_s for telegram in received] == [telegram.at_s for telegram in hours]


def test_another_meter_of_the_same_line_takes_over() -> None:
    stream = with_faults(
        MeterSimulator(MODEL).telegrams(), [("meter-swap", 0.05)], model=MODEL, seed=2
    )
    received = list(itertools.islice(stream, 400))
    meters = {t.reading.meter_id for t in received if t.reading and t.reading.meter_id}
    assert len(meters) > 3
    assert [t.at_s for t in received] == sorted(t.at_s for t in received)


def test_carriage_returns_stand_before_every_line_feed() -> None:
    _, received = through(("crlf", None), count=20, name="p1-se")
    for telegram in received:
        assert telegram.wire.count(b"\r\n") == telegram.wire.count(b"\n")
        assert b"\r\r\n" in telegram.wire


def uart(bits: list[int], *, parity: bool) -> bytes:
    """A second model of the receiver, written the other way round: by expected positions."""
    out = bytearray()
    text = "".join(map(str, bits))
    while (start := text.find("0")) >= 0:
        size = 11 if parity else 10
        if len(text) < start + size:
            break
        character = text[start : start + size]
        if character[-1] == "1":
            out.append(int(character[8:0:-1], 2))
            text = text[start + size :]
        else:
            out.append(0)
            text = text[start + size - 1 :]
            text = text[text.find("1") :] if "1" in text else ""
    return bytes(out)


@examples(60)
@given(st.binary(max_size=60))
def test_wrong_parity_is_what_a_uart_makes_of_the_bits(data: bytes) -> None:
    for with_parity in (True, False):
        bits = [1]
        for octet in data:
            parity = [octet.bit_count() & 1] if with_parity else []
            bits += [0, *(octet >> n & 1 for n in range(8)), *parity, 1]
        bits += [1] * 12
        expected = uart(bits, parity=not with_parity)
        assert resample(data, sent_with_parity=with_parity) == expected


def test_wrong_parity_spoils_about_half_the_octets_of_a_line_with_parity() -> None:
    data = random.Random(5).randbytes(4000)
    received = resample(data, sent_with_parity=True)
    assert len(received) == pytest.approx(len(data), rel=0.02)
    assert received.count(0) / len(received) == pytest.approx(0.5, abs=0.05)


def test_an_unknown_fault_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        with_faults([], [("gremlins", None)], model=MODEL)
