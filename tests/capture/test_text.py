from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensed.capture import Capture, Piece, read
from sensed.capture.text import HEADER, header, piece, remark
from sensed.errors import WireError

BEGUN = header(datetime(2026, 11, 22, tzinfo=UTC))


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.binary(min_size=1, max_size=20)), max_size=20),
    st.text(max_size=30),
)
def test_what_was_written_is_read(pieces: list[tuple[int, bytes]], words: str) -> None:
    pieces = sorted(pieces, key=lambda item: item[0])
    text = BEGUN + remark(0.0, "line 2400 8N1") + remark(0.0, words)
    text += "".join(piece(at / 1000, octets.hex()) for at, octets in pieces)
    assert read(text.splitlines(keepends=True)) == Capture(
        tuple(Piece(at / 1000, octets) for at, octets in pieces), "2400 8N1"
    )


@given(st.text(max_size=200))
def test_anything_else_is_refused_in_words(text: str) -> None:
    with pytest.raises(WireError):
        read([text])
    try:
        read([HEADER, *text.split("\n")])
    except WireError as error:
        assert str(error)  # noqa: PT017 - most texts are refused, remarks alone are not


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "does not begin"),
        (["7e"], "does not begin"),
        ([HEADER, "7e"], "line 2 is not"),
        ([HEADER, "7 # 0.1"], "line 2 is not"),
        ([HEADER, "7e # 0.1", "7g # 0.2"], "line 3 is not"),
        ([HEADER, "7e # 0.2", "7e # 0.1"], "go back"),
    ],
)
def test_what_is_wrong_is_told(lines: list[str], words: str) -> None:
    with pytest.raises(WireError, match=words):
        read(lines)
