from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensed.errors import WireError
from sensed.provisioning import improv
from sensed.provisioning.improv import Capability, Command, Packet, SeenNetwork, State
from sensed.provisioning.improv_server import Description, ImprovServer, Join, Notify, Scan
from sensed.secret import Secret

OURS = Description("sensed", "1.0", "Raspberry Pi 4 Model B Rev 1.5", "sensed-42", "pi")
MTUS = st.integers(23, 517)


def packet(command: int, data: bytes = b"") -> bytes:
    octets = bytes((command, len(data))) + data
    return octets + bytes((improv.checksum(octets),))


def check_result(octets: bytes, mtu: int) -> list[str]:
    assert len(octets) <= min(mtu - 3, 258)
    assert octets[1] == len(octets) - 3
    assert octets[-1] == sum(octets[:-1]) & 0xFF
    found, rest = [], octets[2:-1]
    while rest:
        found.append(rest[1 : 1 + rest[0]].decode())
        assert rest[0] <= 127
        rest = rest[1 + rest[0] :]
    return found


def test_example_of_the_specification() -> None:
    data = b"\x0cMyWirelessAP\x10mysecurepassword"
    octets = b"\x01\x1e" + data + bytes((sum(b"\x01\x1e" + data) & 0xFF,))
    found = improv.Assembler().receive(octets, 0.0)
    assert found == Packet(Command.WIFI_SETTINGS, data)
    assert improv.wifi_settings(data) == (b"MyWirelessAP", b"mysecurepassword")


@given(st.integers(0, 255), st.binary(max_size=255), st.data())
def test_a_packet_arrives_whole_however_it_is_cut(
    command: int, payload: bytes, data: st.DataObject
) -> None:
    octets = packet(command, payload)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=8)))
    pieces = [
        octets[start:end] for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True)
    ]
    assembler = improv.Assembler()
    found = [assembler.receive(piece, 0.0) for piece in pieces]
    assert [item for item in found if item] == [Packet(command, payload)]


@given(st.lists(st.binary(max_size=512), max_size=6), MTUS)
def test_no_octets_do_more_than_an_error(writes: list[bytes], mtu: int) -> None:
    server = ImprovServer(OURS)
    server.authorize(allowed=True)
    for number, octets in enumerate(writes):
        for action in server.written(octets, mtu, float(number)):
            if isinstance(action, Notify):
                assert len(action.value) <= mtu - 3
    assert len(server._assembler._octets) <= improv.LONGEST_PACKET


@given(st.binary(max_size=600))
def test_inner_lengths_that_do_not_add_up_are_refused_and_nothing_else_is_raised(
    data: bytes,
) -> None:
    for parse in (improv.wifi_settings, improv.one_text):
        try:
            parse(data)
        except WireError:
            continue


@given(
    st.lists(
        st.builds(
            SeenNetwork,
            st.text(min_size=1, max_size=8),
            st.integers(-100, -50),
            st.sampled_from(["NO", "WPA2", "WPA2/WPA3"]),
        ),
        max_size=60,
    ),
    MTUS,
)
def test_a_scan_result_fits_and_keeps_the_order(networks: list[SeenNetwork], mtu: int) -> None:
    found = check_result(improv.scan_result(networks, mtu), mtu)
    told = [tuple(found[at : at + 3]) for at in range(0, len(found), 3)]
    all_of_them = iter([(n.ssid, str(n.rssi_dbm), n.auth) for n in networks])
    assert all(entry in all_of_them for entry in told)


@given(st.lists(st.text(max_size=200), min_size=4, max_size=4), MTUS)
def test_device_info_is_always_four_strings(strings: list[str], mtu: int) -> None:
    found = check_result(improv.device_info(strings, mtu), mtu)
    assert len(found) == 4
    assert all(found)


def test_a_silent_half_packet_is_forgotten() -> None:
    assembler = improv.Assembler()
    assert assembler.receive(b"\x01\x20half", 0.0) is None
    assert assembler.receive(packet(3), 4.1) == Packet(3, b"")


@pytest.mark.parametrize("data", [b"\x04pi-1", b"pi-1"])
def test_a_name_comes_with_or_without_its_length(data: bytes) -> None:
    assert improv.one_text(data) == "pi-1"


def test_service_data_is_six_octets() -> None:
    octets = improv.service_data(State.AUTHORIZED, Capability(7))
    assert octets == b"\x02\x07\x00\x00\x00\x00"


def server(*, allowed: bool = True) -> ImprovServer:
    made = ImprovServer(OURS)
    made.authorize(allowed=allowed)
    return made


def errors(actions: list[object]) -> list[int]:
    return [
        action.value[0]
        for action in actions
        if isinstance(action, Notify) and action.characteristic.name == "ERROR"
    ]


@pytest.mark.parametrize(
    ("octets", "error"),
    [
        (b"\x03\x00\xff", 1),
        (packet(3, b"x"), 1),
        (packet(1, b"\x05ab"), 1),
        (packet(1, b"\x00\x00"), 1),
        (packet(0x42), 2),
        (packet(5, b"-x"), 2),
        (packet(6, b"name"), 2),
        (packet(3) + b"\x00", 1),
        (b"\xff" * 512, 1),
    ],
)
def test_errors_are_told_and_cleared_by_the_next_good_packet(octets: bytes, error: int) -> None:
    made = server()
    assert errors(made.written(octets, 185, 0.0)) == [error]
    assert made.value(improv.Characteristic.ERROR) == bytes((error,))
    assert errors(made.written(packet(3), 185, 1.0)) == [0]
    assert errors(made.written(packet(3), 185, 2.0)) == []


@pytest.mark.parametrize("command", [2, 3, 4])
def test_what_needs_no_authorization(command: int) -> None:
    assert errors(server(allowed=False).written(packet(command), 185, 0.0)) == []


def test_credentials_need_authorization_and_are_never_shown() -> None:
    settings = packet(1, b"\x02ap\x08password")
    assert errors(server(allowed=False).written(settings, 185, 0.0)) == [4]
    actions = server().written(settings, 185, 0.0)
    assert Join(b"ap", Secret("password")) in actions
    assert "password" not in repr(actions).replace("password=", "")


def test_a_join_is_told_every_20_seconds_and_disturbed_by_nothing() -> None:
    made = server()
    made.written(packet(1, b"\x02ap\x08password"), 185, 0.0)
    assert made.tick(19.9) == []
    (told,) = made.tick(20.0)
    assert isinstance(told, Notify)
    assert told.value == b"\x03"
    assert made.deadline_s == 40.0
    assert made.authorize(allowed=False) == []
    assert errors(made.written(packet(1, b"\x02ap\x08password"), 185, 21.0)) == [4]


def test_success_is_state_then_result_even_on_the_smallest_link() -> None:
    made = server()
    made.written(packet(1, b"\x02ap\x08password"), 23, 0.0)
    told = [a.value for a in made.joined() if isinstance(a, Notify)]
    assert told == [b"\x04", b"\x01\x00\x01"]
    assert made.deadline_s is None


def test_a_scan_that_outlives_its_client_is_not_told_to_the_next() -> None:
    made = server()
    assert Scan() in made.written(packet(4), 185, 0.0)
    assert Scan() not in made.written(packet(4), 185, 0.1)
    made.client_gone()
    assert made.scanned([]) == []
