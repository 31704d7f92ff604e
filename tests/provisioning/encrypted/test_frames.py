from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensed.errors import WireError
from sensed.provisioning.encrypted.frames import (
    LENGTHS,
    LONGEST_FRAME,
    Cutter,
    Joiner,
    Kind,
    Message,
    frame_room,
)

ALL = frozenset(Kind)
MTUS = st.integers(23, 600)


def receive_all(joiner: Joiner, frames: Iterable[bytes]) -> None:
    for frame in frames:
        joiner.receive(frame, ALL)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    kind = draw(st.sampled_from(Kind))
    length = draw(st.sampled_from(LENGTHS[kind]))
    return Message(kind, draw(st.randoms(use_true_random=False)).randbytes(length))


@given(st.lists(messages(), min_size=1, max_size=8), MTUS)
def test_what_is_cut_is_joined_under_any_mtu(sent: list[Message], mtu: int) -> None:
    cutter, joiner = Cutter(), Joiner()
    room = frame_room(mtu)
    came = []
    for message in sent:
        for frame in cutter.cut(message, room):
            assert 3 <= len(frame) <= min(mtu - 3, LONGEST_FRAME)
            came.append(joiner.receive(frame, ALL))
    assert [message for message in came if message is not None] == sent


@given(messages(), MTUS, st.data())
def test_a_lost_repeated_or_swapped_frame_is_told_at_once(
    message: Message, mtu: int, data: st.DataObject
) -> None:
    frames = Cutter().cut(message, frame_room(mtu))
    place = data.draw(st.integers(0, len(frames) - 1))
    how = data.draw(st.sampled_from(["lost", "repeated", "swapped"]))
    before, rest = frames[:place], frames[place:]
    if how == "lost":
        rest = rest[1:]
    elif how == "repeated":
        rest = [rest[0], *rest]
    elif len(rest) > 1:
        rest = [rest[1], rest[0], *rest[2:]]
    else:
        rest = []
    joiner = Joiner()
    for frame in before:
        joiner.receive(frame, ALL)
    if not rest:
        return
    with pytest.raises(WireError):
        receive_all(joiner, rest[:2])


@given(st.lists(st.binary(max_size=600), max_size=30))
def test_whatever_comes_no_more_than_one_message_is_held(pieces: list[bytes]) -> None:
    joiner = Joiner()
    for piece in pieces:
        try:
            joiner.receive(piece, ALL)
        except WireError:
            return
        assert len(joiner._octets) < LENGTHS[Kind.TRANSPORT].stop


def test_a_message_without_end_is_cut_off_at_its_bound() -> None:
    endless = (bytes((Kind.TRANSPORT, number % 256)) + bytes(242) for number in range(10_000))
    with pytest.raises(WireError, match="too long"):
        receive_all(Joiner(), endless)
    assert next(endless)[1] == LENGTHS[Kind.TRANSPORT].stop // 242 + 1


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (b"", "0 octets"),
        (b"\x83\x00", "2 octets"),
        (b"\x83\x00" + bytes(243), "245 octets"),
        (b"\x80\x00x", "no known kind"),
        (b"\x87\x00x", "no known kind"),
        (b"\x93\x00x", "unknown flags"),
        (b"\x83\x01x", "instead of 0"),
        (b"\x83\x00x", "too short"),
        (b"\x82\x00x", "does not belong"),
        (b"\x01\x00" + bytes(50), "too long"),
    ],
)
def test_what_is_wrong_with_a_frame_is_told(frame: bytes, told: str) -> None:
    with pytest.raises(WireError, match=told):
        Joiner().receive(frame, frozenset({Kind.FIRST, Kind.TRANSPORT}))


def test_pieces_of_two_messages_are_not_mixed() -> None:
    joiner = Joiner()
    joiner.receive(b"\x01\x00x", ALL)
    with pytest.raises(WireError, match="mixed"):
        joiner.receive(b"\x03\x01x", ALL)


@pytest.mark.parametrize(
    ("mtu", "room"), [(None, 20), (0, 20), (22, 20), (23, 20), (185, 182), (247, 244), (517, 244)]
)
def test_frames_fit_the_link(mtu: int | None, room: int) -> None:
    assert frame_room(mtu) == room
