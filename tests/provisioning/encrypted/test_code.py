from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensed.errors import ConfigError
from sensed.provisioning.encrypted import SetupCode
from sensed.provisioning.encrypted.code import ALPHABET
from sensed.secret import Secret

CODES = st.text(ALPHABET, min_size=20, max_size=20).map(lambda text: SetupCode(Secret(text)))
EXAMPLE = SetupCode(Secret("0123456789ABCDEFGHJK"))


def test_the_check_symbol_is_luhn_mod_32() -> None:
    # Worked by hand: doubled 19,17,15,13,11,9,7,5,3,1 give 7,3,30,26,22,18,14,10,6,2 = 138,
    # the others 18+16+...+0 = 90; 228 mod 32 = 4, so the symbol is 32 - 4 = 28 = W.
    assert EXAMPLE.compact == "0123456789ABCDEFGHJKW"
    assert EXAMPLE.grouped == "0123456-789ABCD-EFGHJKW"


def test_a_code_has_100_bits_of_which_none_is_fixed() -> None:
    seen = [SetupCode.generate().symbols.reveal() for _ in range(500)]

    assert len(set(seen)) == 500
    for position in range(20):
        assert len({code[position] for code in seen}) > 25


@given(CODES)
def test_what_is_shown_can_be_typed(code: SetupCode) -> None:
    for typed in (code.grouped, code.compact, code.grouped.lower(), f" {code.compact}\t"):
        assert SetupCode.parse(typed) == code


def test_people_write_letters_for_digits_and_dashes_of_every_kind() -> None:
    assert SetupCode.parse("oI23456\u2013789abcd\u2014efghjkw") == EXAMPLE
    assert SetupCode.parse("0l23456 789ABCD EFGHJKW") == EXAMPLE


@given(CODES, st.integers(0, 20), st.sampled_from(ALPHABET))
def test_one_wrong_symbol_is_seen(code: SetupCode, place: int, symbol: str) -> None:
    compact = code.compact
    typed = compact[:place] + symbol + compact[place + 1 :]
    if typed != compact:
        with pytest.raises(ConfigError, match="typing mistake"):
            SetupCode.parse(typed)


@given(CODES, st.integers(0, 19))
def test_two_neighbours_in_the_wrong_order_are_seen(code: SetupCode, place: int) -> None:
    compact = code.compact
    pair = compact[place : place + 2]
    typed = compact[:place] + pair[::-1] + compact[place + 2 :]
    # Luhn's sum cannot tell 0 and the highest symbol apart.
    if pair[0] != pair[1] and set(pair) != {"0", "Z"}:
        with pytest.raises(ConfigError, match="typing mistake"):
            SetupCode.parse(typed)


@pytest.mark.parametrize("typed", ["", "0123456-789ABCD-EFGHJK", "0123456789ABCDEFGHJKWW"])
def test_a_wrong_length_is_told(typed: str) -> None:
    with pytest.raises(ConfigError, match="21 letters and digits"):
        SetupCode.parse(typed)


@pytest.mark.parametrize("typed", ["U123456789ABCDEFGHJKW", "æ", "0" * 1000])
def test_what_cannot_be_a_code_is_told(typed: str) -> None:
    with pytest.raises(ConfigError, match="set-up code"):
        SetupCode.parse(typed)


@given(st.text())
def test_nothing_else_happens_whatever_is_typed(typed: str) -> None:
    try:
        code = SetupCode.parse(typed)
    except ConfigError:
        return
    assert len(code.compact) == 21


def test_the_code_is_in_the_fragment_alone() -> None:
    address = EXAMPLE.address("https://host.example/setup/?lang=nb", "Ståle's #1")

    server, _, fragment = address.partition("#")
    assert server == "https://host.example/setup/?lang=nb"
    assert fragment == "v=1&k=0123456789ABCDEFGHJKW&n=St%C3%A5le%27s%20%231"


def test_the_key_is_hkdf_of_rfc_5869() -> None:
    extracted = hmac.digest(b"sensed-setup", b"0123456789ABCDEFGHJK", "sha256")
    assert EXAMPLE.key() == hmac.digest(extracted, b"psk 1\x01", "sha256")
    assert EXAMPLE.key().hex() == (
        "f85451ecd8203696b8aa13079fa17f895d3985145212ef77f6cd461fac216236"
    )


def test_no_code_is_shown_by_accident() -> None:
    assert "0123" not in repr(EXAMPLE)
