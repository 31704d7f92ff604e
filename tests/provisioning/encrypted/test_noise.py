"""Published vector: cacophony's, Noise_NNpsk0_25519_AESGCM_SHA256."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensed.provisioning.encrypted.noise import (
    HANDSHAKE_OCTETS,
    Initiator,
    NotAuthenticError,
    Responder,
)

PROLOGUE = bytes.fromhex("4a6f686e2047616c74")
PSK = bytes.fromhex("54686973206973206d7920417573747269616e20706572737065637469766521")
INITIATOR = bytes.fromhex("893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a")
RESPONDER = bytes.fromhex("bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b")
HASH = "9f3b1f9afd7767767b5b9d1069844a6154fdbdcc36dfb3e31c0fffc5c973d530"
MESSAGES = [
    (
        "4c756477696720766f6e204d69736573",
        "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944"  # noqa: ISC004 - one string on two lines
        "7c37a89fc17813788d30df2d59501d6066f5f8aecc3406bbd9829f2d24a531b1",
    ),
    (
        "4d757272617920526f746862617264",
        "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843"  # noqa: ISC004 - one string on two lines
        "2f29d79368ef9de4e1ae7a362fb05bf0ad668e026bf5714554497b3a720461",
    ),
    (
        "462e20412e20486179656b",
        "7c01e898a6201f36aecee532e29cd0b7f8ffa29d3366ad0dce39a6",
    ),
    (
        "4361726c204d656e676572",
        "a9ff535aace3db6a1da1a7fb00fe2de2622bb373abad9fb42c00e0",
    ),
    (
        "4a65616e2d426170746973746520536179",
        "6cfc49a3e65472edc2d0152abe5ce950170a8a47c959f30bd48b5f0aacf29adbfd",
    ),
    (
        "457567656e2042f6686d20766f6e2042617765726b",
        "9bc86e6d974ed21ba04604a94aa68de21677eb409ead070c0cd569b069ee19ba142aa4c1a9",
    ),
]

KEYS = st.binary(min_size=32, max_size=32)


def test_the_published_vector() -> None:
    initiator = Initiator(PSK, PROLOGUE, ephemeral=INITIATOR)
    responder = Responder(PSK, PROLOGUE, ephemeral=RESPONDER)
    payloads = [bytes.fromhex(payload) for payload, _ in MESSAGES]
    wire = [bytes.fromhex(octets) for _, octets in MESSAGES]

    assert initiator.begin(payloads[0]) == wire[0]
    received, theirs = responder.read(wire[0])
    assert received == payloads[0]
    second, device_send, device_receive = responder.answer(theirs, payloads[1])
    assert second == wire[1]
    received, client_send, client_receive = initiator.finish(second)
    assert received == payloads[1]
    assert initiator.hash == responder.hash == bytes.fromhex(HASH)
    for number in range(2, 6):
        ways = ((client_send, device_receive), (device_send, client_receive))
        send, receive = ways[number % 2]
        assert send.encrypt(payloads[number]) == wire[number]
        assert receive.decrypt(wire[number]) == payloads[number]


def test_keys_are_new_each_time() -> None:
    assert len({Initiator(PSK, PROLOGUE).begin() for _ in range(20)}) == 20


@given(KEYS, KEYS, st.binary(max_size=40), st.binary(max_size=40))
def test_another_key_or_prologue_is_seen_in_the_first_message(
    ours: bytes, theirs: bytes, our_prologue: bytes, their_prologue: bytes
) -> None:
    message = Initiator(ours, our_prologue).begin()
    responder = Responder(theirs, their_prologue)
    if (ours, our_prologue) == (theirs, their_prologue):
        responder.read(message)
    else:
        with pytest.raises(NotAuthenticError):
            responder.read(message)


@given(st.integers(0, HANDSHAKE_OCTETS - 1), st.integers(1, 255))
def test_a_changed_second_message_is_seen(place: int, flip: int) -> None:
    initiator = Initiator(PSK, PROLOGUE)
    responder = Responder(PSK, PROLOGUE)
    _, theirs = responder.read(initiator.begin())
    second = bytearray(responder.answer(theirs)[0])
    second[place] ^= flip
    with pytest.raises(NotAuthenticError):
        initiator.finish(bytes(second))


@given(st.binary(max_size=100))
def test_no_octets_do_more_than_fail(octets: bytes) -> None:
    with pytest.raises(NotAuthenticError):
        Responder(PSK, PROLOGUE).read(octets)
    initiator = Initiator(PSK, PROLOGUE)
    initiator.begin()
    with pytest.raises(NotAuthenticError):
        initiator.finish(octets)


@pytest.mark.parametrize(
    "low_order",
    [
        "00" * 32,
        "01" + "00" * 31,
        # RFC 7748, section 6.1, and its curve's points of order 4 and 8.
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ],
)
def test_a_key_that_fixes_the_secret_is_refused_even_from_one_who_has_the_code(
    low_order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    initiator = Initiator(PSK, PROLOGUE)
    public = bytes.fromhex(low_order)

    def write_low_order() -> bytes:
        initiator._mix_ephemeral(public)
        return public

    monkeypatch.setattr(initiator, "_write_key", write_low_order)
    responder = Responder(PSK, PROLOGUE)
    _, theirs = responder.read(initiator.begin())
    with pytest.raises(NotAuthenticError):
        responder.answer(theirs)
