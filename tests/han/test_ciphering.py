"""Ciphered lists: read with the right keys; why not, told apart, with others."""

from __future__ import annotations

import sys
from subprocess import run

import pytest

from sensed.errors import ConfigError
from sensed.han import (
    Event,
    HanDecoder,
    InvocationRepeated,
    ListDecoded,
    ListEncrypted,
    ListMalformed,
    MeterKeys,
    Reading,
    ReadUnverified,
    Sealed,
)
from sensed.han.crc import arc
from sensed.simulator import METERS, TEST_AUTHENTICATION_KEY, TEST_KEY
from tests.han.encode import (
    CLOCK,
    LLC,
    hdlc,
    mbus,
    notification,
    obis,
    scaled,
    structure,
    text,
    u32,
)
from tests.han.frames import decode, readings
from tests.han.simulated import KEYS, telegrams

CIPHERED = sorted(name for name, model in METERS.items() if model.encrypted)
OTHER = bytes(range(100, 116))
TITLE = b"KFM\x00\x01\x02\x03\x04"
LIST1 = notification(structure(u32(777)), b"\x09\x0c" + CLOCK)


def seal(
    plain: bytes,
    *,
    security: int = 0x30,
    counter: int = 1,
    key: bytes = TEST_KEY,
    title: bytes = TITLE,
) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    control = bytes((security,))
    tagged = bool(security & 0x10)
    additional = control + TEST_AUTHENTICATION_KEY if tagged else None
    sealed = AESGCM(key).encrypt(title + counter.to_bytes(4, "big"), plain, additional)
    content = control + counter.to_bytes(4, "big") + (sealed[:-4] if tagged else sealed[:-16])
    size = len(content)
    length = bytes((size,)) if size < 0x80 else b"\x82" + size.to_bytes(2, "big")
    return b"\xdb\x08" + title + length + content


def causes(events: list[Event]) -> list[Sealed]:
    return [event.cause for event in events if isinstance(event, ListEncrypted)]


def test_there_are_ciphered_meters_of_every_kind() -> None:
    assert {METERS[name].wrapping.security for name in CIPHERED} == {0x20, 0x21, 0x30}


@pytest.mark.parametrize("name", CIPHERED)
def test_without_a_key(name: str) -> None:
    sent = telegrams(name)
    decoder = HanDecoder()
    events = decoder.receive(b"".join(telegram.wire for telegram in sent)) + decoder.silence()
    assert causes(events) == [Sealed.NO_KEY] * len(sent)
    assert decoder.counters.lists_without_key == len(sent)


@pytest.mark.parametrize("name", CIPHERED)
def test_with_a_wrong_key(name: str) -> None:
    sent = telegrams(name)
    decoder = HanDecoder(keys=MeterKeys(OTHER, TEST_AUTHENTICATION_KEY))
    events = decoder.receive(b"".join(telegram.wire for telegram in sent)) + decoder.silence()
    assert causes(events) == [Sealed.WRONG_KEY] * len(sent) == [type(e) and e.cause for e in events]
    assert decoder.counters.lists_wrong_key == len(sent)


def test_with_a_wrong_authentication_key() -> None:
    sent = telegrams("kamstrup-dk")
    events = decode(sent[0].wire, keys=MeterKeys(TEST_KEY, OTHER))
    assert causes(events) == [Sealed.WRONG_KEY]


def test_damage_on_the_way_is_no_wrong_key() -> None:
    wire = bytearray(telegrams("kamstrup-dk")[0].wire)
    wire[200] ^= 4
    assert causes(decode(bytes(wire), keys=KEYS)) == []


def test_under_a_weak_check_a_failure_after_success_is_damage_until_it_persists() -> None:
    decoder = HanDecoder(keys=KEYS)
    decoder.receive(mbus(seal(LIST1)))
    bad = seal(LIST1, key=OTHER, counter=2)
    found = [cause for _ in range(4) for cause in causes(decoder.receive(mbus(bad)))]
    assert found == [Sealed.DAMAGED, Sealed.DAMAGED, Sealed.WRONG_KEY, Sealed.WRONG_KEY]


def test_an_altered_tag_or_text_is_refused() -> None:
    good = seal(LIST1)
    for place in (-1, -12, -13, 20):
        bad = bytearray(good)
        bad[place] ^= 1
        assert readings(decode(hdlc(LLC + bytes(bad)), keys=KEYS)) == []


@pytest.mark.parametrize("security", [0x20, 0x21, 0x30, 0x31])
def test_body_without_a_notification(security: int) -> None:
    body = structure(*(u32(n) for n in range(3)))
    events = decode(hdlc(LLC + seal(body, security=security)), keys=KEYS)
    assert [type(event).__name__ for event in events] == ["ListUnknown"]


@pytest.mark.parametrize("security", [0x00, 0x10, 0x60, 0xB0])
def test_unsupported_security_is_told(security: int) -> None:
    data = b"\xdb\x08" + TITLE + b"\x0a" + bytes((security,)) + bytes(9)
    assert causes(decode(hdlc(LLC + data), keys=KEYS)) == [Sealed.UNSUPPORTED]


def test_verified_content_that_is_no_list_is_malformed_not_a_wrong_key() -> None:
    frame = hdlc(LLC + seal(b"\xc4\x01\x02"))
    assert [type(event) for event in decode(frame, keys=KEYS)] == [ListMalformed]
    assert causes(decode(frame, keys=MeterKeys(TEST_KEY))) == [Sealed.WRONG_KEY]


def test_repeated_counter_is_told_and_the_list_marked() -> None:
    decoder = HanDecoder(keys=KEYS)
    events: list[Event] = []
    for counter in (5, 6, 6, 2, 3):
        events += decoder.receive(hdlc(LLC + seal(LIST1, counter=counter)))
    told = [(e.counter, e.previous) for e in events if isinstance(e, InvocationRepeated)]
    assert told == [(6, 6), (2, 6)]
    assert [e.repeated for e in events if isinstance(e, ListDecoded)] == [
        False,
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("title", "maker"), [(b"KFM", "Kaifa"), (b"SAG", "Sagemcom"), (b"XYZ", "unknown")]
)
def test_the_system_title_names_the_maker(title: bytes, maker: str) -> None:
    body = structure(
        b"\x09\x0c" + CLOCK, obis(1, 0, 1, 7, 0), u32(5), scaled(0, 0x1B), text("7", 9)
    )
    sealed = seal(notification(body), title=title + TITLE[3:])
    (event,) = decode(mbus(sealed), keys=KEYS)
    assert isinstance(event, ListDecoded)
    assert (event.layout, event.maker) == ("described", maker)
    assert event.reading == Reading(
        meter_id="7", meter_clock="2020-01-25T14:00:10", power_import_w=5
    )


@pytest.mark.parametrize("name", ["kaifa-ma309", "sagemcom-t210d"])
def test_damage_that_keeps_the_sums_never_changes_what_is_no_value(name: str) -> None:
    """Where 8-bit sums are all there is, octets that no list changes are compared."""
    known, sent = telegrams(name)[:2], telegrams(name)[2]
    true = sent.reading.present()
    refused = 0
    decoder = HanDecoder(keys=KEYS)
    decoder.receive(b"".join(telegram.wire for telegram in known))
    for place in (*range(33, 253, 3), *range(265, len(sent.wire) - 4, 3)):
        wire = bytearray(sent.wire)
        wire[place] = (wire[place] + 1) & 0xFF
        wire[place + 1] = (wire[place + 1] - 1) & 0xFF
        events = decoder.receive(bytes(wire)) + decoder.silence()
        refused += causes(events) == [Sealed.DAMAGED]
        for found in readings(events):
            shown = found.present()
            assert shown.keys() == true.keys()
            assert shown["meter_id"] == true["meter_id"]
    assert refused > 40
    assert readings(decoder.receive(sent.wire)) == [sent.reading]


def test_a_meter_whose_lists_truly_changed_is_read_from_the_second_on() -> None:
    def wire(unit: str, counter: int) -> bytes:
        items = (b"\x09\x0c" + CLOCK, obis(1, 0, 1, 7, 0), u32(5), scaled(0, 0x1B), text(unit, 9))
        return mbus(seal(notification(structure(*items)), security=0x20, counter=counter))

    data = b"".join(wire("78"[n > 2], n) for n in range(1, 7))
    events = decode(data, keys=KEYS)
    assert [found.meter_id for found in readings(events)] == ["7", "7", "8", "8", "8"]
    assert causes(events) == [Sealed.DAMAGED]


def test_ciphered_p1() -> None:
    text = b"/LUX5\\253769653_A\r\n\r\n0-0:1.0.0(210222161900W)\r\n1-0:1.7.0(00.321*kW)\r\n!"
    plain = text + b"%04X\r\n" % arc(text)
    sealed = seal(plain, counter=9)
    for stream in (sealed, sealed + seal(plain, counter=10)):
        found = readings(decode(stream, [5], keys=KEYS))
        assert [reading.power_import_w for reading in found] == [321] * (len(stream) // len(sealed))
    broken = seal(text + b"0000\r\n", counter=11)
    assert [type(event) for event in decode(broken, keys=KEYS)] == [ListMalformed]


def test_bare_ciphered_stream_recovers_after_damage() -> None:
    units = [seal(LIST1, counter=n) for n in range(1, 6)]
    units[2] = units[2][:30]
    events = decode(b"".join(units), keys=KEYS)
    assert 3 <= len(readings(events)) <= 4


def test_keys_are_checked_and_never_shown() -> None:
    keys = MeterKeys.from_hex("00 01:02-03" + "04" * 12, "D0" * 16)
    assert keys.encryption[:4] == b"\x00\x01\x02\x03"
    assert "04" not in repr(keys)
    for bad in ("00" * 15, "zz" * 16, "", "0" * 31):
        with pytest.raises(ConfigError, match="key"):
            MeterKeys.from_hex(bad)
    with pytest.raises(ConfigError, match="authentication"):
        MeterKeys(TEST_KEY, b"short")


def test_unverified_is_said_once_and_not_of_untagged_lists() -> None:
    decoder = HanDecoder(keys=MeterKeys(TEST_KEY))
    events = decoder.receive(b"".join(hdlc(LLC + seal(LIST1, counter=n)) for n in (1, 2)))
    assert [type(e) for e in events] == [ReadUnverified, ListDecoded, ListDecoded]
    untagged = hdlc(LLC + seal(LIST1, security=0x20))
    assert [type(e) for e in decode(untagged, keys=MeterKeys(TEST_KEY))] == [ListDecoded]


def test_cryptography_is_not_imported_without_a_key() -> None:
    script = (
        "import sys; from sensed.han import HanDecoder; "
        f"HanDecoder().receive(bytes.fromhex('{hdlc(LLC + seal(LIST1)).hex()}')); "
        "sys.exit(any(name.split('.')[0] in ('cryptography', 'serial') for name in sys.modules))"
    )
    assert run([sys.executable, "-c", script], check=False).returncode == 0
