"""What simulated meters send is read without loss, loose ends or change."""

from __future__ import annotations

import random

import pytest

from sensed.han import Event, HanDecoder, ListDecoded, ListUnknown, MeterKeys
from sensed.simulator import METERS
from tests.han.frames import decode, readings
from tests.han.simulated import BARE, KEYS, READABLE, telegrams


@pytest.mark.parametrize("name", READABLE)
def test_every_list_is_read_however_chunked(name: str) -> None:
    sent = telegrams(name)
    data = b"".join(telegram.wire for telegram in sent)
    dice = random.Random(name)
    for sizes in ([len(data)], [1], [dice.randint(1, 300) for _ in range(50)]):
        events = decode(data, sizes, keys=KEYS)
        assert readings(events) == [telegram.reading for telegram in sent]
        assert all(isinstance(event, ListDecoded) for event in events)


@pytest.mark.parametrize("name", READABLE)
def test_maker_is_named(name: str) -> None:
    for event in decode(telegrams(name)[0].wire, keys=KEYS):
        assert isinstance(event, ListDecoded)
        assert METERS[name].maker.startswith(event.maker)


@pytest.mark.parametrize("name", [name for name, model in METERS.items() if model.layout])
def test_a_list_that_does_not_tell_its_order_is_read_by_a_configured_layout(name: str) -> None:
    sent = telegrams(name)
    data = b"".join(telegram.wire for telegram in sent)
    for sizes in ([5000], [1]):
        events = decode(data, sizes, keys=KEYS, layout=METERS[name].layout)
        assert readings(events) == [telegram.reading for telegram in sent]
        assert {
            (event.layout, event.maker) for event in events if isinstance(event, ListDecoded)
        } == {("configured", METERS[name].maker)}
    assert not readings(decode(data, keys=KEYS))


@pytest.mark.parametrize("change", ["short", "long", "swapped", "text for number", "none"])
def test_without_the_right_layout_it_is_reported_with_its_structure(change: str) -> None:
    right = METERS["iskraemeco-am550"].layout
    layout = {
        "short": right[:-1],
        "long": (*right, "-"),
        "swapped": (right[1], right[0], *right[2:]),
        "text for number": (*right[:2], "meter_type", *right[3:]),
        "none": (),
    }[change]
    sent = telegrams("iskraemeco-am550")
    events = decode(b"".join(telegram.wire for telegram in sent), layout=layout)
    assert len(events) == len(sent)
    for event in events:
        assert isinstance(event, ListUnknown)
        assert "ISK" in event.structure
        assert "structure(" in event.structure


def test_meters_may_be_swapped_while_running() -> None:
    dice = random.Random(1)
    framed = [name for name in READABLE if name != BARE] * 2
    dice.shuffle(framed)
    meters = {name: iter(telegrams(name)) for name in framed}
    sent = [next(meters[name]) for name in framed]
    data = b"".join(telegram.wire for telegram in sent)
    assert readings(decode(data, [97], keys=KEYS)) == [telegram.reading for telegram in sent]


def test_silence_lets_a_bare_telegram_follow_any_other_and_damage() -> None:
    decoder = HanDecoder(keys=KEYS)
    dice = random.Random(2)
    sent = [telegram for name in READABLE for telegram in telegrams(name)[:1]]
    sent += telegrams(BARE)[1:8]
    dice.shuffle(sent)
    for telegram in sent:
        decoder.receive(telegram.wire[:40] + telegram.wire[45:])
        decoder.silence()
        events = decoder.receive(telegram.wire) + decoder.silence()
        assert readings(events) == [telegram.reading]


@pytest.mark.parametrize("name", ["aidon-3ph-it", "kamstrup-3ph", "kaifa-ma309", "p1-se"])
def test_a_frame_decodes_by_itself(name: str) -> None:
    def frames(events: list[Event]) -> list[bytes]:
        return [event.frame for event in events if isinstance(event, ListDecoded)]

    for telegram in telegrams(name):
        (frame,) = frames(decode(telegram.wire, keys=KEYS))
        assert readings(decode(frame, keys=KEYS)) == [telegram.reading]


def test_the_encryption_key_alone_reads_unverified_and_says_so_once() -> None:
    from sensed.han import ReadUnverified

    sent = telegrams("kamstrup-dk")
    data = b"".join(telegram.wire for telegram in sent)
    events = decode(data, keys=MeterKeys(KEYS.encryption))
    assert readings(events) == [telegram.reading for telegram in sent]
    assert [type(e) for e in events].count(ReadUnverified) == 1
