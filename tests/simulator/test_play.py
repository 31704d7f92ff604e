"""Delivery at the line's pace to real ptys, ttys and TCP connections."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import math
import os
import tty
from pathlib import Path

import pytest

from sensed.errors import PortError
from sensed.simulator import METERS, MeterSimulator, Telegram
from sensed.simulator.play import FileSink, PtySink, TcpSink, TtySink, play
from tests.waiting import until

MODEL = METERS["kaifa-3ph"]


def some(count: int, name: str = "kaifa-3ph") -> list[Telegram]:
    return list(itertools.islice(MeterSimulator(METERS[name]).telegrams(), count))


def wire(telegrams: list[Telegram]) -> bytes:
    return b"".join(telegram.wire for telegram in telegrams)


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


class Clocked:
    """A sink that notes when each octet came."""

    def __init__(self) -> None:
        self.data = b""
        self.times_s: list[float] = []

    async def write(self, data: bytes) -> None:
        self.data += data
        self.times_s += [asyncio.get_running_loop().time()] * len(data)

    async def close(self) -> None:
        pass


async def test_octets_leave_at_the_speed_of_the_line() -> None:
    telegrams = some(1)
    sink = Clocked()
    began_s = asyncio.get_running_loop().time()
    assert await play(telegrams, sink, octets_per_s=MODEL.octets_per_s) == 1
    assert sink.data == wire(telegrams)
    took_s = asyncio.get_running_loop().time() - began_s
    assert took_s == pytest.approx(len(sink.data) / MODEL.octets_per_s, abs=0.1)
    half_s = sink.times_s[len(sink.data) // 2] - began_s
    assert half_s == pytest.approx(took_s / 2, abs=0.1)


async def test_speed_shortens_time_and_line_alike() -> None:
    telegrams = some(10)
    sink = Clocked()
    began_s = asyncio.get_running_loop().time()
    await play(telegrams, sink, octets_per_s=MODEL.octets_per_s, speed=40)
    assert asyncio.get_running_loop().time() - began_s == pytest.approx(18.2 / 40, abs=0.15)
    assert sink.data == wire(telegrams)


async def test_without_pacing_the_caller_hears_of_every_telegram() -> None:
    telegrams = some(500)
    sent: list[Telegram] = []
    stream = io.BytesIO()
    await play(telegrams, FileSink(stream), octets_per_s=1, speed=math.inf, on_sent=sent.append)
    assert sent == telegrams
    assert stream.getvalue() == wire(telegrams)


def names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


async def test_a_pty_can_be_pulled_and_given_back(tmp_path: Path) -> None:
    link = tmp_path / "meter"
    sink = PtySink(link)
    assert sink.device == str(link)
    for _ in range(2):
        reader = os.open(link, os.O_RDONLY | os.O_NOCTTY)
        await sink.write(bytes(range(256)))
        assert os.read(reader, 300) == bytes(range(256))
        sink.unplug()
        assert not link.is_symlink()
        assert os.read(reader, 1) == b""
        os.close(reader)
        await sink.write(b"nobody hears this")
        sink.plug_in()
    await sink.close()
    assert names(tmp_path) == []


async def test_a_pty_that_nobody_reads_does_not_hold_up_the_meter() -> None:
    sink = PtySink()
    for _ in range(200):
        await sink.write(bytes(1000))
    await sink.close()


def test_a_file_in_the_links_place_is_not_touched(tmp_path: Path) -> None:
    link = tmp_path / "precious"
    link.write_text("data")
    with pytest.raises(PortError, match="no symbolic link"):
        PtySink(link)
    assert link.read_text() == "data"


def test_a_link_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    descriptors = open_descriptors()
    with pytest.raises(PortError, match="Cannot make the link"):
        PtySink(tmp_path / "missing" / "meter")
    assert open_descriptors() == descriptors


async def test_an_existing_tty_is_written_raw() -> None:
    master, slave = os.openpty()
    sink = TtySink(os.ttyname(slave), "2400 8N1")
    await sink.write(b"one\ntwo\r\x11")
    assert os.read(master, 100) == b"one\ntwo\r\x11"
    await sink.close()
    os.close(slave)
    os.close(master)


async def test_a_full_tty_is_waited_for() -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    sink = TtySink(os.ttyname(slave), "2400 8N1")
    data = os.urandom(100_000)
    writing = asyncio.create_task(sink.write(data))
    received = b""
    while len(received) < len(data):
        await asyncio.sleep(0)
        received += await asyncio.to_thread(os.read, master, 65536)
    await writing
    assert received == data
    await sink.close()
    os.close(slave)
    os.close(master)


@pytest.mark.parametrize(
    ("path", "sentence"), [("/dev/null", "no.*terminal"), ("/nonexistent/tty", "Cannot open")]
)
def test_what_is_no_tty_is_said_so(path: str, sentence: str) -> None:
    with pytest.raises(PortError, match=sentence):
        TtySink(path, "2400 8E1")


async def test_every_tcp_client_hears_the_meter() -> None:
    sink = await TcpSink.listen("127.0.0.1", 0)
    host, _, port = sink.url.removeprefix("socket://").partition(":")
    clients = [await asyncio.open_connection(host, int(port)) for _ in range(2)]
    await until(lambda: sink.clients == 2)
    telegrams = some(20)
    await play(telegrams, sink, octets_per_s=1e6, speed=math.inf)
    for reader, _ in clients:
        assert await reader.readexactly(len(wire(telegrams))) == wire(telegrams)
    await hang_up(clients[0][1])
    await until(lambda: sink.clients == 1)
    await sink.close()
    assert await clients[1][0].read(1) == b""
    await hang_up(clients[1][1])


async def test_a_stuck_tcp_client_does_not_hold_up_the_others() -> None:
    sink = await TcpSink.listen("127.0.0.1", 0)
    _, _, port = sink.url.rpartition(":")
    _, stuck = await asyncio.open_connection("127.0.0.1", int(port), limit=1024)
    await until(lambda: sink.clients == 1)
    for _ in range(200):
        await sink.write(bytes(100_000))
    await sink.close()
    await hang_up(stuck)


async def test_a_taken_tcp_port_is_said_in_one_sentence() -> None:
    sink = await TcpSink.listen("127.0.0.1", 0)
    with pytest.raises(PortError, match="Cannot listen on 127"):
        await TcpSink.listen("127.0.0.1", int(sink.url.rpartition(":")[2]))
    await sink.close()
