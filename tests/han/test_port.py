"""The port on real ptys and TCP connections."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import threading
import time
import tty
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import pytest

from sensed import lookup
from sensed.backoff import Backoff
from sensed.errors import ConfigError
from sensed.han import port as port_module
from sensed.han import port_announced, port_serial
from sensed.han.port import (
    BytesReceived,
    MeterPort,
    MeterSilent,
    PortCause,
    PortEvent,
    PortLost,
    PortOpened,
    SettingsTried,
    Silence,
)
from sensed.han.port_inbox import BACKLOG_OCTETS
from sensed.han.port_settings import CANDIDATES, SerialSettings

T = TypeVar("T", bound=PortEvent)
FIXED = SerialSettings.parse("2400 8E1")
EVERY_OCTET = bytes(range(256))


class Cable:
    """A pty behind a stable link: pull it, give it back."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self._ends: tuple[int, int] | None = None

    def plug_in(self) -> None:
        self._ends = os.openpty()
        tty.setraw(self._ends[1])
        os.set_blocking(self._ends[0], False)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(os.ttyname(self._ends[1]))

    def unplug(self) -> None:
        self.link.unlink(missing_ok=True)
        for end in self._ends or ():
            os.close(end)
        self._ends = None

    @property
    def master(self) -> int:
        assert self._ends is not None
        return self._ends[0]

    def send(self, data: bytes) -> None:
        assert os.write(self.master, data) == len(data)


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    made = Cable(tmp_path / "meter")
    made.plug_in()
    yield made
    made.unplug()


@pytest.fixture(autouse=True)
async def silent_loop() -> AsyncIterator[None]:
    """No error may reach the loop's exception handler."""
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    yield
    await asyncio.sleep(0)
    assert reported == []


class Consumer:
    """Takes events one by one, within a deadline."""

    def __init__(self, port: MeterPort) -> None:
        self._events = port.events()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._events.aclose()

    async def next(self, *, within_s: float = 4.0) -> PortEvent:
        return await asyncio.wait_for(anext(self._events), within_s)

    async def until(self, kind: type[T]) -> T:
        while not isinstance(event := await self.next(), kind):
            pass
        return event

    async def octets(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += (await self.until(BytesReceived)).data
        return data


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_every_octet_arrives_as_sent(cable: Cable) -> None:
    async with Consumer(MeterPort(str(cable.link), settings=FIXED)) as consumer:
        assert await consumer.next() == PortOpened(str(cable.link), FIXED)
        for _ in range(5):
            cable.send(EVERY_OCTET)
            assert await consumer.octets(256) == EVERY_OCTET


async def test_a_tty_left_in_cooked_mode_is_set_raw(cable: Cable) -> None:
    import termios

    slave = os.open(cable.link, os.O_RDWR | os.O_NOCTTY)
    try:
        attributes = termios.tcgetattr(slave)
        attributes[0] |= termios.ICRNL | termios.IXON | termios.ISTRIP | termios.BRKINT
        attributes[3] |= termios.ICANON | termios.ECHO | termios.ISIG
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        async with Consumer(MeterPort(str(cable.link), settings=FIXED)) as consumer:
            await consumer.next()
            cable.send(EVERY_OCTET)
            assert await consumer.octets(256) == EVERY_OCTET
    finally:
        os.close(slave)


async def test_pulled_and_given_back(cable: Cable) -> None:
    async with Consumer(MeterPort(str(cable.link), settings=FIXED)) as consumer:
        await consumer.next()
        for round_number in range(2):
            cable.send(b"before")
            assert await consumer.octets(6) == b"before"
            cable.unplug()
            lost = await consumer.until(PortLost)
            assert lost.cause is PortCause.UNPLUGGED
            assert "unplugged" in str(lost)
            assert (await consumer.until(PortLost)).cause is PortCause.NO_DEVICE
            await asyncio.sleep(0.3 * round_number)
            cable.plug_in()
            began_s = asyncio.get_running_loop().time()
            await consumer.until(PortOpened)
            assert asyncio.get_running_loop().time() - began_s < 3


async def test_octets_delivered_before_the_loss_are_not_lost(cable: Cable) -> None:
    async with Consumer(MeterPort(str(cable.link), settings=FIXED)) as consumer:
        await consumer.next()
        cable.send(b"last words")
        await asyncio.sleep(0.02)
        assert await consumer.octets(10) == b"last words"
        cable.unplug()
        assert await consumer.next() == Silence()
        assert await consumer.next() == PortLost(str(cable.link), PortCause.UNPLUGGED)


async def test_a_read_error_of_any_kind_is_a_loss(
    cable: Cable, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Consumer(MeterPort(str(cable.link), settings=FIXED)) as consumer:
        await consumer.next()
        real_read = os.read

        def failing(descriptor: int, size: int) -> bytes:
            if os.isatty(descriptor):
                raise OSError(errno.ENXIO, "gone")
            return real_read(descriptor, size)

        monkeypatch.setattr("sensed.han.port_serial.os.read", failing)
        cable.send(b"x")
        assert (await consumer.until(PortLost)).cause is PortCause.UNPLUGGED


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (lambda _: None, PortCause.NO_DEVICE),
        (lambda path: path.write_bytes(b""), PortCause.NOT_A_TTY),
        (lambda path: path.mkdir(), PortCause.NOT_A_TTY),
        (lambda path: path.symlink_to("/dev/null"), PortCause.NOT_A_TTY),
    ],
)
async def test_what_cannot_be_opened_is_told_once_with_its_cause(
    tmp_path: Path, make: Callable[[Path], object], cause: PortCause
) -> None:
    device = tmp_path / "device"
    make(device)
    descriptors = open_descriptors()
    async with Consumer(MeterPort(str(device), settings=FIXED)) as consumer:
        assert await consumer.next() == PortLost(str(device), cause)
        with pytest.raises(TimeoutError):
            await consumer.next(within_s=0.8)
    assert open_descriptors() == descriptors


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (errno.EACCES, PortCause.PERMISSION),
        (errno.EBUSY, PortCause.BUSY),
        (errno.ENODEV, PortCause.NO_DEVICE),
        (errno.EINVAL, PortCause.SETTINGS),
        (errno.EIO, PortCause.UNPLUGGED),
    ],
)
async def test_the_systems_refusal_becomes_a_cause(
    monkeypatch: pytest.MonkeyPatch, number: int, cause: PortCause
) -> None:
    def refusing(path: str, _flags: int) -> int:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr("serial.serialposix.os.open", refusing)
    async with Consumer(MeterPort("/dev/null", settings=FIXED)) as consumer:
        assert await consumer.next() == PortLost("/dev/null", cause)


async def test_a_second_reader_is_told_that_the_port_is_busy(cable: Cable) -> None:
    async with (
        Consumer(MeterPort(str(cable.link), settings=FIXED)) as first,
        Consumer(MeterPort(str(cable.link), settings=FIXED)) as second,
    ):
        await first.next()
        assert (await second.until(PortLost)).cause is PortCause.BUSY


async def test_silence_after_octets_and_the_silence_deadline_are_told_once(cable: Cable) -> None:
    port = MeterPort(str(cable.link), settings=FIXED, silence_deadline_s=0.7)
    async with Consumer(port) as consumer:
        await consumer.next()
        assert await consumer.next() == MeterSilent(0.7)
        cable.send(b"half a fra")
        sent_s = asyncio.get_running_loop().time()
        assert await consumer.octets(10) == b"half a fra"
        assert await consumer.next() == Silence()
        assert 0.45 < asyncio.get_running_loop().time() - sent_s < 2
        assert await consumer.next() == MeterSilent(0.7)
        with pytest.raises(TimeoutError):
            await consumer.next(within_s=0.9)


async def test_cancelling_the_consumer_closes_the_port_at_once(cable: Cable) -> None:
    descriptors = open_descriptors()

    async def consume() -> None:
        async with contextlib.aclosing(MeterPort(str(cable.link)).events()) as events:
            async for _ in events:
                pass

    consumer = asyncio.create_task(consume())
    await asyncio.sleep(0.05)
    assert open_descriptors() > descriptors
    consumer.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await consumer
    assert open_descriptors() == descriptors


async def test_two_hundred_reopenings_leave_no_descriptor(cable: Cable) -> None:
    async with Consumer(MeterPort(str(cable.link), settings=FIXED)) as warm:
        await warm.next()
    descriptors = open_descriptors()
    for cycle in range(200):
        async with Consumer(MeterPort(str(cable.link), settings=FIXED)) as consumer:
            await consumer.next()
            if cycle % 2:
                cable.unplug()
                await consumer.until(PortLost)
                cable.plug_in()
    assert open_descriptors() == descriptors


async def test_a_large_burst_arrives_whole(cable: Cable) -> None:
    burst = os.urandom(200_000)

    async def send() -> None:
        rest = burst
        while rest:
            with contextlib.suppress(BlockingIOError):
                rest = rest[os.write(cable.master, rest) :]
            await asyncio.sleep(0)

    port = MeterPort(str(cable.link), settings=FIXED)
    async with Consumer(port) as consumer:
        await consumer.next()
        sending = asyncio.create_task(send())
        assert await consumer.octets(len(burst)) == burst
        await sending


# -- searching for the settings ----------------------------------------------------


class FakeTransport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__({"serial": None})


async def test_settings_are_searched_and_what_worked_is_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[str] = []
    receivers: list[asyncio.Protocol] = []

    async def fake_open(
        _path: str, settings: SerialSettings, protocol: asyncio.Protocol
    ) -> asyncio.Transport:
        opened.append(str(settings))
        receivers.append(protocol)
        good = settings == CANDIDATES[1]
        asyncio.get_running_loop().call_soon(
            protocol.data_received, b"good" if good else bytes(1200)
        )
        return FakeTransport()

    monkeypatch.setattr(port_serial, "open_serial", fake_open)
    port = MeterPort("/dev/ttyMETER")
    async with Consumer(port) as consumer:
        assert await consumer.next() == PortOpened("/dev/ttyMETER", CANDIDATES[0])
        assert isinstance(await consumer.next(), BytesReceived)
        unproven = port.proven_settings
        assert unproven is None
        assert await consumer.next() == SettingsTried("/dev/ttyMETER", CANDIDATES[1])
        assert (await consumer.octets(4)) == b"good"
        port.frame_good()
        assert port.proven_settings == CANDIDATES[1]
        receivers[-1].connection_lost(OSError(errno.EIO, "gone"))
        await consumer.until(PortLost)
        assert (await consumer.until(PortOpened)).settings == CANDIDATES[1]
    assert opened == ["2400 8E1", "2400 8N1", "2400 8N1"]


async def test_the_silence_deadline_spans_the_search(
    cable: Cable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sensed.han.port_settings.QUIET_DWELL_S", 0.3)
    async with Consumer(MeterPort(str(cable.link), silence_deadline_s=0.8)) as consumer:
        kinds = []
        while MeterSilent not in kinds:
            kinds.append(type(await consumer.next()))
    assert kinds[:2] == [PortOpened, SettingsTried]


# -- network serial servers ----------------------------------------------------------


async def serve(
    handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any], port: int = 0
) -> tuple[asyncio.Server, str, int]:
    server = await asyncio.start_server(handler, "127.0.0.1", port)
    number = server.sockets[0].getsockname()[1]
    return server, f"socket://127.0.0.1:{number}", number


async def test_a_network_port_is_read_lost_and_found_again() -> None:
    async def handler(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(EVERY_OCTET)
        await writer.drain()
        writer.close()

    server, url, number = await serve(handler)
    port = MeterPort(url)
    async with Consumer(port) as consumer:
        assert await consumer.next() == PortOpened(url, None)
        assert await consumer.octets(256) == EVERY_OCTET
        assert await consumer.next() == Silence()
        assert await consumer.next() == PortLost(url, PortCause.CLOSED)
        server.close()
        await server.wait_closed()
        assert (await consumer.until(PortLost)).cause in (PortCause.CLOSED, PortCause.UNREACHABLE)
        again, _, _ = await serve(handler, number)
        await consumer.until(PortOpened)
        assert await consumer.octets(256) == EVERY_OCTET
        again.close()
        await again.wait_closed()
    assert port.proven_settings is None


async def test_a_refused_connection_is_told_as_unreachable() -> None:
    server, url, _ = await serve(lambda _reader, writer: writer.close())
    server.close()
    await server.wait_closed()
    async with Consumer(MeterPort(url)) as consumer:
        assert await consumer.next() == PortLost(url, PortCause.UNREACHABLE)


async def test_a_late_consumer_loses_the_oldest_octets_and_is_told_how_many() -> None:
    total = 4 * BACKLOG_OCTETS
    stream = b"".join(number.to_bytes(4, "big") for number in range(total // 4))
    sent = asyncio.Event()

    async def handler(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(stream)
        await writer.drain()
        writer.close()
        sent.set()

    server, url, _ = await serve(handler)
    port = MeterPort(url)
    async with Consumer(port) as consumer:
        await consumer.next()
        await sent.wait()
        await asyncio.sleep(0.1)
        received = await consumer.until(BytesReceived)
        assert len(received.data) == BACKLOG_OCTETS
        assert received.data == stream[-BACKLOG_OCTETS:]
        assert received.dropped_octets == total - BACKLOG_OCTETS
        await consumer.until(PortLost)
    server.close()
    await server.wait_closed()


def announce(*properties: str) -> None:
    """Say on udev's multicast group what udev would."""
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK
    with socket.socket(socket.AF_NETLINK, kind, 15) as udev:
        message = b"libudev\0" + b"".join(text.encode() + b"\0" for text in properties)
        try:
            udev.sendto(message, (0, 2))
        except PermissionError:
            pytest.skip("needs root, as udev does")


@contextlib.asynccontextmanager
async def plugged_in_again(cable: Cable) -> AsyncIterator[asyncio.Task[PortOpened]]:
    """Have the adapter pulled, waited for and plugged in, and its opening awaited."""
    async with Consumer(MeterPort(str(cable.link), settings=FIXED)) as consumer:
        await consumer.until(PortOpened)
        cable.unplug()
        await consumer.until(PortLost)
        opening = asyncio.create_task(consumer.until(PortOpened))
        await asyncio.sleep(0.1)
        cable.plug_in()
        yield opening
        await opening


async def test_an_adapter_that_udev_announces_is_opened_at_once(
    cable: Cable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port_module, "_BACKOFF", Backoff(3600.0, 3600.0))
    async with plugged_in_again(cable) as opening:
        announce("ACTION=add", "SUBSYSTEM=net", "INTERFACE=wlan0")
        announce("ACTION=remove", "SUBSYSTEM=tty", "DEVNAME=/dev/ttyUSB1")
        await asyncio.sleep(0.3)
        assert not opening.done()
        announce("ACTION=add", "SUBSYSTEM=tty", "DEVNAME=/dev/ttyUSB0")


async def test_an_adapter_is_found_without_udev(
    cable: Cable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")

    monkeypatch.setattr(port_announced, "_listen", refused)
    async with plugged_in_again(cable):
        pass


def resolve(
    monkeypatch: pytest.MonkeyPatch, names: Callable[[], Sequence[lookup.AddressInfo]]
) -> None:
    """Let every name be looked up by ``names``."""

    def getaddrinfo(_host: str, _port: int, flags: int) -> Sequence[lookup.AddressInfo]:
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "not a number")
        return names()

    monkeypatch.setattr(lookup, "getaddrinfo", getaddrinfo)


def test_a_resolver_that_hangs_holds_up_no_end_and_keeps_one_thread_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, never = list[int](), threading.Event()

    def hang() -> Sequence[lookup.AddressInfo]:
        asked.append(1)
        never.wait(20)
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    async def main() -> None:
        async with Consumer(MeterPort("socket://bridge.example:4000")) as consumer:
            assert (await consumer.next()) == PortLost(
                "socket://bridge.example:4000", PortCause.UNREACHABLE
            )
            await asyncio.sleep(1)  # time for several attempts

    resolve(monkeypatch, hang)
    monkeypatch.setattr("sensed.han.port._CONNECT_DEADLINE_S", 0.1)
    began_s = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - began_s < 10
    assert len(asked) == 1
    never.set()


async def test_a_name_with_an_address_that_leads_nowhere_is_reached_by_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"~")
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    server, _, number = await serve(handler)
    kind = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nowhere = closed.getsockname()
    resolve(monkeypatch, lambda: [(*kind, nowhere), (*kind, ("127.0.0.1", number))])
    url = "socket://bridge.example:4000"
    async with Consumer(MeterPort(url)) as consumer:
        assert await consumer.next() == PortOpened(url, None)
        assert await consumer.octets(1) == b"~"
    server.close()
    await server.wait_closed()


async def test_a_name_that_no_host_can_have_is_a_port_that_is_not_there() -> None:
    url = f"socket://{'a' * 64}:4000"
    async with Consumer(MeterPort(url)) as consumer:
        assert await consumer.next() == PortLost(url, PortCause.UNREACHABLE)


@pytest.mark.parametrize(
    "device",
    [
        "",
        "socket://",
        "socket://host",
        "socket://host:x",
        "socket://host:0",
        "socket://[::1:4000",
        "rfc2217://host:4000",
    ],
)
def test_a_device_that_is_neither_path_nor_network_port_is_refused(device: str) -> None:
    with pytest.raises(ConfigError, match="socket://host:port"):
        MeterPort(device)
