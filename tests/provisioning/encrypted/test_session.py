from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensed.provisioning.encrypted import (
    Action,
    Begun,
    ClientSession,
    DeviceInfo,
    End,
    Ended,
    HangUp,
    Lockout,
    Phase,
    Send,
    Serve,
    SessionEndedError,
    SetupCode,
    SetupSession,
    WrongCode,
    messages,
    session,
)
from sensed.provisioning.encrypted import lockout as lockouts
from sensed.provisioning.encrypted.frames import SILENCE_S, Cutter, Kind, Message
from sensed.provisioning.encrypted.messages import RefusedError
from sensed.secret import Secret

CODE = SetupCode(Secret("0123456789ABCDEFGHJK"))
OTHER = SetupCode(Secret("1123456789ABCDEFGHJK"))
EXAMPLE = json.loads((Path(__file__).parent / "example.json").read_text())


class Line:
    """A device, a clock, and whoever talks to the device."""

    def __init__(self, code: SetupCode = CODE, *, wrong: int = 0, mtu: int = 23) -> None:
        self.kept: list[int] = []
        self.now_s = 1000.0
        self.mtu = mtu
        self.lockout = Lockout(wrong, self.now_s, keep=self.kept.append)
        self.device = SetupSession(code.key, self.lockout)
        self.actions: list[Action] = []

    def client(self, code: SetupCode = CODE, versions: tuple[int, ...] = (1,)) -> ClientSession:
        return ClientSession(code.key(), DeviceInfo(versions, "sensed", self.mtu - 3, False, 0))

    def write(self, frames: Iterable[bytes]) -> list[Action]:
        actions = []
        for frame in frames:
            actions += self.device.received(frame, self.mtu, self.now_s)
        self.actions += actions
        return actions

    def handshake(self, client: ClientSession) -> list[Action]:
        actions = self.write(client.begin())
        deliver(actions, client)
        return actions

    def begun(self) -> ClientSession:
        client = self.client()
        self.handshake(client)
        assert serve(self.write(client.request("hello")[1]))
        return client


def deliver(actions: Iterable[Action], client: ClientSession) -> list[dict[str, object]]:
    came = [client.received(action.frame) for action in actions if isinstance(action, Send)]
    return [message for message in came if message is not None]


def serve(actions: Iterable[Action]) -> list[messages.Request]:
    return [action.request for action in actions if isinstance(action, Serve)]


def hangs_up(actions: Iterable[Action]) -> bool:
    return any(isinstance(action, HangUp) for action in actions)


def ends(actions: Iterable[Action]) -> list[End]:
    return [action.why for action in actions if isinstance(action, Ended)]


@given(st.integers(23, 600), st.text(max_size=3000))
@settings(max_examples=30)
def test_a_client_with_the_code_asks_and_is_answered(mtu: int, text: str) -> None:
    line = Line(mtu=mtu)
    client = line.client()
    line.handshake(client)
    assert line.device.phase is Phase.OFFERED
    text = text.encode()[:1000].decode(errors="ignore")
    number, frames = client.request("wifi.join", ssid=text, password="grautfat")
    actions = line.write(frames)
    assert actions[0] == Begun()
    (request,) = serve(actions)
    assert (request.id, request.do) == (number, "wifi.join")
    assert request.arguments == {"ssid": text, "password": "grautfat"}
    assert "grautfat" not in repr(actions)
    line.now_s += 5
    said = line.device.tell(messages.progress(number, "joining"))
    said += line.device.tell(messages.answer(number, {"addresses": [text]}))
    assert deliver(said, client) == [
        {"v": 1, "id": number, "progress": "joining"},
        {"v": 1, "id": number, "ok": True, "addresses": [text]},
    ]


def test_the_example_of_the_protocol_s_description() -> None:
    keys = {name: bytes.fromhex(EXAMPLE[name]) for name in ("client_key", "device_key")}
    code = SetupCode.parse(EXAMPLE["code"])
    assert code.key().hex() == EXAMPLE["psk"]
    device = SetupSession(
        code.key, Lockout(0, 0.0, keep=lambda _: None), ephemeral=lambda: keys["device_key"]
    )
    info = DeviceInfo.parse(EXAMPLE["info"].encode())
    client = ClientSession(code.key(), info, ephemeral=keys["client_key"])
    wire = {"client": client.begin(), "device": []}
    said = [action for frame in wire["client"] for action in device.received(frame, 23, 0.0)]
    deliver(said, client)
    _, frames = client.request("hello")
    wire["client"] += frames
    for frame in frames:
        said += device.received(frame, 23, 0.0)
    said += device.tell(EXAMPLE["answer"].encode())
    wire["device"] = [action.frame for action in said if isinstance(action, Send)]
    assert [frame.hex() for frame in wire["client"]] == EXAMPLE["client_frames"]
    assert [frame.hex() for frame in wire["device"]] == EXAMPLE["device_frames"]


# -- who does not know the code ------------------------------------------------------


def test_a_wrong_code_is_told_and_the_next_try_can_come_at_once() -> None:
    line = Line()
    with pytest.raises(SessionEndedError, match="another set-up code") as ended:
        line.handshake(line.client(OTHER))
    assert ended.value.why is End.WRONG_CODE
    assert WrongCode(locked_s=0, tries_left=4) in line.actions
    assert not hangs_up(line.actions)
    line.begun()
    assert line.kept == [1, 0]


def test_five_wrong_codes_lock_even_the_right_one_out_for_a_while() -> None:
    line = Line()
    for _ in range(4):
        with pytest.raises(SessionEndedError, match="another"):
            line.handshake(line.client(OTHER))
    with pytest.raises(SessionEndedError, match="none for 60 s") as ended:
        line.handshake(line.client(OTHER))
    assert ended.value.seconds == 60
    assert line.actions[-1] == HangUp(End.LOCKED)
    line.now_s += 59.5
    with pytest.raises(SessionEndedError, match="none for 1 s"):
        line.handshake(line.client())
    assert line.kept == [1, 2, 3, 4, 5]
    line.now_s += 0.6
    line.begun()
    assert line.kept[-1] == 0


def test_each_further_wrong_code_doubles_the_lock_up_to_an_hour() -> None:
    now_s, kept = 0.0, [0]
    lockout = Lockout(4, now_s, keep=kept.append)
    locks = []
    for _ in range(9):
        locks.append(lockout.wrong_code(now_s))
        now_s += locks[-1]
        assert lockout.locked_s(now_s) == 0
    assert locks == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    # A restart begins the present lock anew instead of ending it.
    assert Lockout(kept[-1], 0.0, keep=kept.append).locked_s(0.0) == 3600
    assert Lockout(10**9, 0.0, keep=kept.append).locked_s(0.0) == lockouts.LONGEST_S


def test_who_plays_back_a_handshake_gets_no_session_and_clears_no_count() -> None:
    heard = Line(wrong=3)
    client = heard.client()
    begin = client.begin()
    deliver(heard.write(begin), client)
    reset = client.request("reset")[1]
    assert serve(heard.write(reset))
    assert heard.kept == [0]

    victim = Line(wrong=3)
    played = victim.write(begin + reset)
    assert ends(played) == [End.PROTOCOL]
    assert played[-1] == HangUp(End.PROTOCOL)
    assert not serve(played)
    assert Begun() not in played
    assert victim.kept == []


def test_an_impostor_learns_nothing_and_is_known() -> None:
    client = Line().client()
    client.begin()
    # It cannot make a second message: whatever it says, the client stays silent.
    fake = Cutter().cut(Message(Kind.SECOND, bytes(48)), 20)
    with pytest.raises(SessionEndedError, match="does not know the set-up code") as ended:
        deliver([Send(frame) for frame in fake], client)
    assert ended.value.why is None
    assert not client.is_verified


def test_nobody_can_talk_both_sides_into_an_older_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "VERSIONS", (1, 2))
    line = Line()
    with pytest.raises(SessionEndedError, match="another set-up code"):
        line.handshake(line.client(versions=(1,)))


def test_an_unknown_version_is_told() -> None:
    line = Line()
    with pytest.raises(SessionEndedError, match="update the older"):
        line.client(versions=(7,))
    frames = Cutter().cut(Message(Kind.FIRST, b"\x07" + bytes(48)), 20)
    assert ends(line.write(frames)) == [End.VERSION]
    assert line.kept == []


# -- frames that go wrong ------------------------------------------------------------


def test_a_session_cut_at_every_frame_leaves_the_device_ready() -> None:
    line = Line()
    client = line.client()
    begin = client.begin()
    whole = Line()
    deliver(whole.write(begin), client)
    frames = begin + client.request("wifi.scan")[1]
    for count in range(len(frames) + 1):
        line.write(frames[:count])
        line.device.client_gone()
        assert line.device.phase is Phase.NONE
        assert line.device.deadline_s is None
    line.begun()


def test_a_reordered_or_replayed_message_ends_the_session() -> None:
    for play in ("replay", "reorder"):
        line = Line(mtu=247)
        client = line.begun()
        (one,) = client.request("status")[1]
        (two,) = client.request("identify")[1]
        # The attacker puts the sequence numbers right, which are not secret.
        if play == "replay":
            line.write([one])
            two = two[:1] + two[1:2] + one[2:]
            actions = line.write([two])
        else:
            actions = line.write([one[:2] + two[2:]])
        assert ends(actions) == [End.PROTOCOL]
        assert not serve(actions)
        assert not hangs_up(actions)
        line.begun()


@given(st.integers(0, 16 + 40), st.integers(1, 255))
def test_a_changed_message_ends_the_session(place: int, flip: int) -> None:
    line = Line(mtu=247)
    client = line.begun()
    (frame,) = client.request("status", padding="x" * 20)[1]
    changed = bytearray(frame)
    changed[2 + place] ^= flip
    assert ends(line.write([bytes(changed)])) == [End.PROTOCOL]


def test_truncated_and_oversized_messages_end_the_session() -> None:
    for octets in (bytes(10), bytes(16), bytes(5000)):
        line = Line()
        line.begun()
        cutter = Cutter()
        cutter._number = line.device._line.joiner._number
        actions = line.write(cutter.cut(Message(Kind.TRANSPORT, octets), 20)[:230])
        assert ends(actions)[0] is End.PROTOCOL
        line.begun()


@given(st.lists(st.binary(max_size=300), max_size=20), st.sampled_from(["new", "offered", "live"]))
def test_no_octets_do_more_than_end_the_session(pieces: list[bytes], begun: str) -> None:
    line = Line()
    if begun == "live":
        line.begun()
    elif begun == "offered":
        line.handshake(line.client())
    for piece in pieces:
        for action in line.write([piece]):
            assert not isinstance(action, Serve | Begun)
            if isinstance(action, Send):
                assert 3 <= len(action.frame) <= 20
        line.now_s += 0.1


@given(
    st.lists(
        st.sampled_from(["begin", "half", "request", "garbage", "wait", "gone", "wrong"]),
        max_size=25,
    )
)
@settings(max_examples=60)
def test_after_any_history_a_client_with_the_code_gets_in_unless_it_is_locked(
    history: list[str],
) -> None:
    line = Line(mtu=64)
    client: ClientSession | None = None
    for step in history:
        if step == "wait":
            line.now_s += 7
            line.actions += line.device.tick(line.now_s)
        elif step == "gone":
            line.device.client_gone()
        elif step == "garbage":
            line.write([b"\x03\x05garbage"])
        elif step == "half":
            line.write(line.client().begin()[:1])
        elif step in ("begin", "wrong"):
            client = line.client(CODE if step == "begin" else OTHER)
            try:
                line.handshake(client)
            except SessionEndedError:
                client = None
        elif client is not None and client.is_verified:
            line.write(client.request("status")[1])
        if any(isinstance(action, Ended | HangUp) for action in line.actions[-3:]):
            client = None
    line.now_s += line.lockout.locked_s(line.now_s)
    line.device.client_gone()
    line.begun()


# -- time ----------------------------------------------------------------------------


def test_a_handshake_that_stops_is_ended_and_hung_up() -> None:
    line = Line()
    line.handshake(line.client())
    deadline_s = line.device.deadline_s
    assert deadline_s == line.now_s + session.HANDSHAKE_S
    assert line.device.tick(deadline_s - 0.01) == []
    actions = line.device.tick(deadline_s)
    assert ends(actions) == [End.TIMEOUT]
    assert actions[-1] == HangUp(End.TIMEOUT)


def test_beginning_over_and_over_gives_no_more_time() -> None:
    line = Line()
    for _ in range(4):
        line.write(line.client().begin())
        line.now_s += 2.4
    actions = line.device.tick(1000 + session.HANDSHAKE_S)
    assert ends(actions) == [End.TIMEOUT]


def test_a_message_that_stops_is_ended() -> None:
    line = Line()
    client = line.begun()
    line.write(client.request("wifi.join", ssid="x" * 30, password="")[1][:2])
    assert ends(line.device.tick(line.now_s + SILENCE_S)) == [End.TIMEOUT]


def test_a_session_lasts_half_an_hour_at_most() -> None:
    line = Line()
    line.begun()
    assert line.device.tick(line.now_s + session.LONGEST_S - 1) == []
    assert ends(line.device.tick(line.now_s + session.LONGEST_S)) == [End.CLOSED]
    assert line.device.phase is Phase.NONE


# -- messages ------------------------------------------------------------------------


def test_what_belongs_nowhere_ends_the_session_in_every_phase() -> None:
    wanted = {
        (Phase.NONE, Kind.FIRST),
        (Phase.OFFERED, Kind.TRANSPORT),
        (Phase.LIVE, Kind.TRANSPORT),
    }
    for phase, kind in itertools.product(Phase, Kind):
        line = Line()
        if phase is Phase.LIVE:
            line.begun()
        elif phase is Phase.OFFERED:
            line.handshake(line.client())
        assert line.device.phase is phase
        number = line.device._line.joiner._number
        actions = line.write([bytes((kind, number)) + b"x"])
        assert (ends(actions) == []) == ((phase, kind) in wanted)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", -1),
        ("[]", -1),
        ("null", -1),
        ("{}", -1),
        ('{"v":1,"id":true,"do":"status"}', -1),
        ('{"v":1,"id":-2,"do":"status"}', -1),
        ('{"v":1,"id":2147483648,"do":"status"}', -1),
        ('{"v":1,"id":1.5,"do":"status"}', -1),
        ('{"v":2,"id":4,"do":"status"}', 4),
        ('{"v":true,"id":4,"do":"status"}', 4),
        ('{"id":4,"do":"status"}', 4),
        ('{"v":1,"id":4}', 4),
        ('{"v":1,"id":4,"do":7}', 4),
        ('{"v":1,"id":4,"do":""}', 4),
        ('{"v":1,"id":4,"do":"' + "x" * 65 + '"}', 4),
        ('{"v":1,"id":4,"do":"status","x":NaN}', -1),
        ('{"v":1,"id":4,"do":"status"', -1),
        ("[" * 4000, -1),
        ("\udcff", -1),
    ],
)
def test_what_is_no_request_is_refused_and_the_session_goes_on(text: str, number: int) -> None:
    line = Line(mtu=247)
    client = line.begun()
    send = client._send
    assert send is not None
    sealed = send.encrypt(text.encode(errors="surrogateescape") or b" ")
    actions = line.write(client._cut(Kind.TRANSPORT, sealed))
    (told,) = deliver(actions, client)
    assert (told["id"], told["ok"], told["code"]) == (number, False, "bad-request")
    assert serve(line.write(client.request("status")[1]))


@given(st.text(max_size=200), st.text(max_size=50))
def test_a_refusal_says_why_and_which_setting(text: str, key: str) -> None:
    refused = RefusedError("invalid", text.encode(errors="replace").decode(), key)
    told = json.loads(messages.refusal(3, refused))
    assert (told["code"], told["ok"], told.get("key", "")) == ("invalid", False, key)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"[]",
        b"{}",
        b'{"v":[]}',
        b'{"v":"1"}',
        b'{"v":[0]}',
        b'{"v":[256]}',
        b'{"v":[1.5]}',
        b'{"v":1}',
        b"\xff",
        b'{"v":[' + b"1," * 20 + b"1]}",
    ],
)
def test_information_that_is_not_readable_is_told(octets: bytes) -> None:
    with pytest.raises(Exception, match="information"):
        DeviceInfo.parse(octets)


def test_a_client_passes_over_what_is_left_from_before() -> None:
    line = Line()
    old = line.begun()
    number, frames = old.request("status")
    line.write(frames)
    late = line.device.tell(messages.answer(number, {"words": "x" * 50}))
    client = line.client()
    begin = client.begin()
    assert deliver(late[1:], client) == []
    deliver(line.write(begin), client)
    assert client.is_verified
