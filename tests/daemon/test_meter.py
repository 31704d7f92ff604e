from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any, Self

import pytest
import structlog

from sensed.config import MeterSection
from sensed.daemon import meter
from sensed.daemon.facts import FactBoard, MeterWatch
from sensed.daemon.memory import LineMemory
from sensed.daemon.meter import MeterReader, check_port, find_port
from sensed.errors import ConfigError
from sensed.han import Sealed, port_inbox
from sensed.secret import Secret
from sensed.simulator import METERS, TEST_AUTHENTICATION_KEY, TEST_KEY, MeterSimulator
from sensed.simulator.faults import with_faults
from sensed.simulator.play import PtySink
from sensed.uplink import MeterIdentity, Sample
from tests.han.encode import hdlc
from tests.waiting import until


def wires(name: str, count: int) -> list[bytes]:
    telegrams = MeterSimulator(METERS[name], seed=1).telegrams()
    return [telegram.wire for telegram in itertools.islice(telegrams, count)]


class Reading:
    """A reader on a pty, and everything it hands on."""

    def __init__(self, folder: Path, name: str, **settings: Any) -> None:
        self.samples: list[Sample] = []
        self.identities: list[MeterIdentity] = []
        self.loop = asyncio.get_running_loop()
        self.watch = MeterWatch(self.loop.time())
        self.board = FactBoard(self.loop.time)
        self.pty = PtySink(folder / "mbus")
        self.name = name
        settings.setdefault("serial", "2400 8N1")
        self.reader = MeterReader(
            MeterSection(port=self.pty.device, **settings),
            self.watch,
            self.board,
            on_sample=self.samples.append,
            on_meter=self.identities.append,
            boot_id="b00t",
            memory=LineMemory(folder / "line"),
        )

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self.reader.run())
        await until(self.board.changed.is_set)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])
        self.pty.unplug()

    async def send(self, count: int) -> None:
        for wire in wires(self.name, count):
            await self.pty.write(wire)

    def verdict(self) -> tuple[bool | None, str, str]:
        return self.watch.verdict(self.loop.time())

    def overdue(self) -> tuple[bool | None, str, str]:
        """What is told once the deadline has passed."""
        return self.watch.verdict(self.watch.deadline_s())


async def test_lists_are_stamped_in_order(tmp_path: Path) -> None:
    async with Reading(tmp_path, "kaifa-3ph") as reading:
        await reading.send(3)
        await until(lambda: len(reading.samples) == 3)
    assert [sample.stamp.seq for sample in reading.samples] == [1, 2, 3]
    assert len({sample.stamp.boot_id for sample in reading.samples}) == 1
    assert reading.identities[-1].maker == "Kaifa"
    assert reading.identities[-1].meter_type == "MA304H4"


async def test_the_first_list_after_a_silence_is_told_at_once(tmp_path: Path) -> None:
    async with Reading(tmp_path, "kaifa-3ph") as reading:
        await reading.send(1)
        await until(lambda: reading.samples)
        reading.board.changed.clear()
        await reading.send(1)
        await until(lambda: len(reading.samples) == 2)
        assert not reading.board.changed.is_set()
        reading.watch.restart(reading.loop.time() - 100)
        assert reading.verdict()[0] is False
        await reading.send(1)
        await until(reading.board.changed.is_set)
        assert reading.verdict()[0] is True


async def test_an_encrypted_list_without_a_key_is_told_once_with_its_remedy(
    tmp_path: Path,
) -> None:
    with structlog.testing.capture_logs() as events:
        async with Reading(tmp_path, "kamstrup-dk") as reading:
            await reading.send(3)
            await until(lambda: reading.overdue()[1] == "no_key")
            await until(lambda: any(event["event"] == "list_unreadable" for event in events))
    told = [event for event in events if event["event"] == "list_unreadable"]
    assert [event["cause"] for event in told] == ["no_key"]
    assert not reading.samples


async def test_a_wrong_key_is_told_from_no_key(tmp_path: Path) -> None:
    wrong = {"key": Secret("00" * 16), "auth_key": Secret(TEST_AUTHENTICATION_KEY.hex())}
    async with Reading(tmp_path, "kamstrup-dk", **wrong) as reading:
        await reading.send(2)
        await until(lambda: reading.overdue()[1] == "wrong_key")


async def test_lists_read_without_the_authentication_key_are_said_to_be_so_once(
    tmp_path: Path,
) -> None:
    with structlog.testing.capture_logs() as events:
        async with Reading(tmp_path, "kamstrup-dk", key=Secret(TEST_KEY.hex())) as reading:
            await reading.send(3)
            await until(lambda: len(reading.samples) == 3)
    assert [event["event"] for event in events].count("lists_unverified") == 1


async def test_an_adapter_that_inserts_carriage_returns_is_told_once(tmp_path: Path) -> None:
    meter = METERS["kaifa-3ph"]
    damaged = with_faults(MeterSimulator(meter, seed=1).telegrams(), [("crlf", None)], model=meter)
    with structlog.testing.capture_logs() as events:
        async with Reading(tmp_path, "kaifa-3ph") as reading:
            for telegram in itertools.islice(damaged, 400):
                await reading.pty.write(telegram.wire)
                await asyncio.sleep(0)
            await until(lambda: any(e["event"] == "adapter_alters_octets" for e in events))
    assert [event["event"] for event in events].count("adapter_alters_octets") == 1


async def test_octets_that_were_dropped_are_told_once_in_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short, *_, long = sorted(wires("kaifa-3ph", 6), key=len)
    monkeypatch.setattr(port_inbox, "BACKLOG_OCTETS", len(short))

    def told() -> list[int]:
        return [event["octets"] for event in events if event["event"] == "octets_dropped"]

    with structlog.testing.capture_logs() as events:
        async with Reading(tmp_path, "kaifa-3ph") as reading:
            for rows in (1, 2):
                for _ in range(2):
                    await reading.pty.write(long)
                    await asyncio.sleep(0.05)
                await until(lambda rows=rows: len(told()) == rows)
                await reading.pty.write(short)
                await until(lambda rows=rows: len(reading.samples) == rows)
    assert told() == [len(long) - len(short)] * 2


async def test_the_right_keys_open_the_list(tmp_path: Path) -> None:
    right = {"key": Secret(TEST_KEY.hex()), "auth_key": Secret(TEST_AUTHENTICATION_KEY.hex())}
    async with Reading(tmp_path, "kamstrup-dk", **right) as reading:
        await reading.send(2)
        await until(lambda: len(reading.samples) == 2)


async def test_a_list_that_does_not_tell_its_order_is_read_by_the_layout_set(
    tmp_path: Path,
) -> None:
    layout = METERS["iskraemeco-am550"].layout
    async with Reading(tmp_path, "iskraemeco-am550", layout=layout) as reading:
        await reading.send(2)
        await until(lambda: len(reading.samples) == 2)
    async with Reading(tmp_path, "iskraemeco-am550") as reading:
        await reading.send(2)
        await until(lambda: reading.overdue()[1] == "unknown_list")
    assert not reading.samples


async def test_the_line_format_that_worked_is_tried_first_after_a_restart(
    tmp_path: Path,
) -> None:
    (tmp_path / "line").write_text("2400 8N1")
    with structlog.testing.capture_logs() as events:
        async with Reading(tmp_path, "kamstrup-3ph", serial="auto") as reading:
            await reading.send(1)
            await until(lambda: reading.samples)
    opened = [event["settings"] for event in events if event["event"] == "port_opened"]
    assert opened == ["2400 8N1"]
    (tmp_path / "line").unlink()
    async with Reading(tmp_path, "aidon-1ph", serial="auto") as reading:
        await reading.send(1)
        await until((tmp_path / "line").exists)
    assert (tmp_path / "line").read_text() == "2400 8E1\n"


async def test_octets_that_nobody_takes_count_as_stuck(tmp_path: Path) -> None:
    async with Reading(tmp_path, "kaifa-3ph") as reading:
        assert not reading.reader.stuck(reading.loop.time())
        handed = asyncio.Event()

        def hand_over_for_ever(_sample: Sample) -> None:
            handed.set()
            assert reading.reader.stuck(reading.loop.time() + 6)

        reading.reader._on_sample = hand_over_for_ever
        await reading.send(1)
        await asyncio.wait_for(handed.wait(), 5)
        await asyncio.sleep(0.01)
        assert not reading.reader.stuck(reading.loop.time())


def test_auto_takes_the_first_adapter_our_own_names_before_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, others = tmp_path / "ours", tmp_path / "others"
    monkeypatch.setattr(meter, "_STABLE_NAMES", (ours, others))
    assert not Path(find_port("auto")).exists()
    others.mkdir()
    (others / "b").touch()
    (others / "a").touch()
    assert find_port("auto") == str(others / "a")
    ours.mkdir()
    (ours / "mbus").touch()
    assert find_port("auto") == str(ours / "mbus")
    assert find_port("/dev/ttyUSB7") == "/dev/ttyUSB7"


def test_a_port_that_is_absent_is_no_error_but_a_file_is(tmp_path: Path) -> None:
    check_port(str(tmp_path / "absent"))
    check_port("socket://127.0.0.1:1")
    check_port("auto")
    with pytest.raises(ConfigError, match="not a serial device"):
        check_port(str(tmp_path))


async def test_a_cause_that_shows_late_is_told_at_once(tmp_path: Path) -> None:
    async with Reading(tmp_path, "kamstrup-dk") as reading:
        reading.watch.restart(reading.loop.time() - 100)
        assert reading.verdict()[1] == "no_octets"
        reading.board.changed.clear()
        await reading.pty.write(b"\x00")
        await until(reading.board.changed.is_set)
        assert reading.verdict()[1] == "no_frames"
        reading.board.changed.clear()
        await reading.send(1)
        await until(reading.board.changed.is_set)
        assert reading.verdict()[1] == "no_key"


async def test_whole_telegrams_without_sense_are_told_from_noise(tmp_path: Path) -> None:
    async with Reading(tmp_path, "kaifa-3ph") as reading:
        for _ in range(2):
            await reading.pty.write(hdlc(b"\x55" * 20))
            await asyncio.sleep(0.01)
        await until(lambda: reading.overdue()[1] == "malformed_list")


@pytest.mark.parametrize("cause", list(Sealed))
def test_every_reason_for_a_sealed_list_has_its_own_sentence(cause: Sealed) -> None:
    assert meter.TROUBLES[cause.value.replace(" ", "_")].count(":") == 1
    assert len(set(meter.TROUBLES.values())) == len(meter.TROUBLES)
