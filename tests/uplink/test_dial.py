"""From a name and a port to a socket: several addresses, slow resolvers, unfinished handshakes."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sensed import lookup
from sensed.uplink import Cause, LinkError, dial
from sensed.uplink.dial import Dialer
from sensed.uplink.link import Endpoint
from tests.mosquitto import free_port

Info = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]


def place(host: str, port: int) -> Info:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return (family, socket.SOCK_STREAM, 0, "", (host, port))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[float]]:
    """Let names be resolved as told; returns when it was asked."""

    def install(*places: Info, until: threading.Event | None = None) -> list[float]:
        asked: list[float] = []

        def getaddrinfo(_host: str, _port: int, flags: int) -> list[Info]:
            if flags & socket.AI_NUMERICHOST:
                raise socket.gaierror(socket.EAI_NONAME, "not a number")
            asked.append(time.monotonic())
            if until is not None:
                until.wait(10)
            if not places:
                raise socket.gaierror(socket.EAI_AGAIN, "try again")
            return list(places)

        monkeypatch.setattr(lookup, "getaddrinfo", getaddrinfo)
        return asked

    return install


def port_of(sock: socket.socket) -> int:
    number: int = sock.getsockname()[1]
    return number


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count is all that is wanted


async def cause(dialer: Dialer, *, within_s: float = 5.0) -> Cause:
    with pytest.raises(LinkError) as failed:
        async with asyncio.timeout(within_s):
            await dialer.dial()
    return failed.value.cause


async def test_the_socket_is_connected_and_sends_small_messages_at_once(
    listener: socket.socket,
) -> None:
    sock = await Dialer(Endpoint("127.0.0.1", port_of(listener))).dial()
    with sock:
        assert sock.getpeername() == listener.getsockname()
        assert not sock.getblocking()
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10_000


async def test_an_address_that_fails_gives_way_to_the_next(
    listener: socket.socket, resolver: Callable[..., list[float]]
) -> None:
    port = port_of(listener)
    resolver(place("::1", free_port()), place("127.0.0.2", free_port()), place("127.0.0.1", port))
    with await Dialer(Endpoint("broker.lan", port)).dial() as sock:
        assert sock.getpeername() == ("127.0.0.1", port)


async def test_an_address_that_does_not_answer_gives_way_to_the_next(
    listener: socket.socket,
    resolver: Callable[..., list[float]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dial, "_PER_ADDRESS_S", 0.05)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        crowd = [socket.socket() for _ in range(8)]
        for sock in crowd:
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        resolver(place("127.0.0.1", port_of(full)), place("127.0.0.1", port_of(listener)))
        with await Dialer(Endpoint("broker.lan", 1883)).dial() as sock:
            assert sock.getpeername() == listener.getsockname()
        for sock in crowd:
            sock.close()


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([errno.ECONNREFUSED, errno.ENETUNREACH], Cause.REFUSED),
        ([errno.ENETUNREACH, errno.ECONNREFUSED], Cause.REFUSED),
        ([errno.ENETUNREACH, errno.EHOSTUNREACH], Cause.UNREACHABLE),
        ([errno.ETIMEDOUT, errno.ENETUNREACH], Cause.TIMEOUT),
    ],
)
async def test_of_several_failures_the_one_is_told_that_got_furthest(
    resolver: Callable[..., list[float]],
    monkeypatch: pytest.MonkeyPatch,
    errors: list[int],
    expected: Cause,
) -> None:
    resolver(*(place(f"127.0.0.{number}", 1) for number, _ in enumerate(errors, 1)))
    left = list(errors)

    async def connect(*_: object) -> socket.socket:
        number = left.pop(0)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(dial, "_connect", connect)
    assert await cause(Dialer(Endpoint("broker.lan", 1))) is expected
    assert left == []


@pytest.mark.parametrize("host", ["255.255.255.255", "ff02::1%lo", "fe80::1"])
async def test_an_address_that_no_way_leads_to_is_unreachable(host: str) -> None:
    assert await cause(Dialer(Endpoint(host, 1883))) is Cause.UNREACHABLE


async def test_a_slow_resolver_is_asked_once_however_often_it_is_waited_for(
    listener: socket.socket, resolver: Callable[..., list[float]]
) -> None:
    answer = threading.Event()
    asked = resolver(place("127.0.0.1", port_of(listener)), until=answer)
    dialer = Dialer(Endpoint("broker.lan", port_of(listener)))
    for _ in range(4):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await dialer.dial()
    assert len(asked) == 1
    answer.set()
    (await dialer.dial()).close()
    assert len(asked) == 1
    (await dialer.dial()).close()
    assert len(asked) == 2  # addresses may change


async def test_a_resolver_that_fails_is_dns_and_is_asked_again(
    resolver: Callable[..., list[float]],
) -> None:
    asked = resolver()
    dialer = Dialer(Endpoint("broker.lan", 1883))
    assert [await cause(dialer) for _ in range(2)] == [Cause.DNS, Cause.DNS]
    assert len(asked) == 2


async def test_a_resolver_that_never_answers_holds_up_neither_loop_nor_end(
    resolver: Callable[..., list[float]],
) -> None:
    never = threading.Event()
    resolver(place("127.0.0.1", 1), until=never)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await Dialer(Endpoint("broker.lan", 1883)).dial()
    looking_up = [thread for thread in threading.enumerate() if thread.name == "sensed-dns"]
    assert [thread.daemon for thread in looking_up] == [True]
    never.set()
    looking_up[0].join()


async def test_a_handshake_that_is_not_answered_can_be_given_up(listener: socket.socket) -> None:
    before = open_files()
    context = ssl.create_default_context()
    dialer = Dialer(Endpoint("127.0.0.1", port_of(listener)), context)
    for _ in range(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await dialer.dial()
    assert open_files() == before


async def test_whatever_a_port_answers_to_tls_is_a_cause_and_leaves_nothing(
    listener: socket.socket,
) -> None:
    listener.setblocking(False)
    before = open_files()
    loop = asyncio.get_running_loop()
    dialer = Dialer(Endpoint("127.0.0.1", port_of(listener)), ssl.create_default_context())
    for answer in (b"", b"\x20\x02\x00\x00", b"\x16\x03\x03\xff\xff", os.urandom(64)):
        dialling = asyncio.create_task(cause(dialer))
        sock, _ = await loop.sock_accept(listener)
        with sock:
            await loop.sock_recv(sock, 4096)
            await loop.sock_sendall(sock, answer)
        assert await dialling is Cause.TLS, answer
    assert open_files() == before


async def test_a_name_that_tls_cannot_carry_is_told(listener: socket.socket) -> None:
    dialer = Dialer(Endpoint("127.0.0.1", port_of(listener)), ssl.create_default_context())
    dialer._endpoint = Endpoint(".", port_of(listener))
    dialer._resolve = lambda: asyncio.sleep(0, [place("127.0.0.1", port_of(listener))])  # type: ignore[method-assign]  # a name that resolves
    assert await cause(dialer) is Cause.TLS
