from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import settings as budget
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sensed.backoff import Backoff
from sensed.errors import ConfigError
from sensed.uplink import HistorySettings
from sensed.uplink.backlog import Backlog, Entry
from sensed.uplink.history import History
from sensed.uplink.store import Store, StoreDamagedError, StoreError
from tests.mosquitto import Mosquitto, free_port
from tests.uplink.tools import (
    POWER_ONLY,
    QUICK,
    WITH_CURRENTS,
    Listener,
    Wire,
    listening,
    settings,
    up,
)
from tests.waiting import until

SOON = replace(QUICK, live_age_s=0.2, acknowledge_deadline_s=0.3)


def text(number: int) -> bytes:
    return b"%d" % number


# -- the queue --------------------------------------------------------------------------


class BacklogModel(RuleBasedStateMachine):
    """The queue with a file that may be damaged, over a link that may break."""

    def __init__(self) -> None:
        super().__init__()
        self.backlog = Backlog(most_in_memory=6)
        self.file: deque[Entry] = deque()
        self.row = 0
        self.read_up_to = 0
        self.wire: deque[Entry] = deque()
        self.arrived: list[int] = []
        self.added = 0
        self.lost = 0

    @rule()
    def add(self) -> None:
        self.added += 1
        self.backlog.add(text(self.added), 0)

    @rule(fails=st.booleans())
    def spill(self, *, fails: bool) -> None:
        if self.wire:
            return  # the file is written only while the broker is away
        batch = self.backlog.take_memory()
        if fails:
            self.backlog.put_back(batch)
            return
        for payload in batch:
            self.row += 1
            self.file.append(Entry(self.row, payload))
        dropped = max(0, len(self.file) - 8)
        for _ in range(dropped):
            self.file.popleft()
        self.backlog.stored_batch(batch, dropped=dropped)

    @rule()
    def read(self) -> None:
        if self.backlog.wants_rows:
            rows = [entry for entry in self.file if (entry.row or 0) > self.read_up_to][:3]
            self.read_up_to = rows[-1].row or 0
            self.backlog.rows_read(rows)

    @rule(room=st.integers(1, 4))
    def send(self, room: int) -> None:
        self.wire += self.backlog.take(room)

    @rule()
    def acknowledge(self) -> None:
        if self.wire:
            self.arrived.append(int(self.wire.popleft().payload))
            row = self.backlog.arrived()
            while self.file and row is not None and (self.file[0].row or 0) <= row:
                self.file.popleft()

    @rule()
    def break_off(self) -> None:
        self.wire.clear()
        self.backlog.connection_lost()
        self.read_up_to = 0

    @rule()
    def damage(self) -> None:
        self.file.clear()
        self.read_up_to = 0
        self.backlog.file_lost()

    @invariant()
    def every_reading_waits_or_has_arrived_or_is_counted_as_dropped(self) -> None:
        arrived = len(set(self.arrived))
        assert arrived + len(self.backlog) + self.backlog.dropped == self.added

    @invariant()
    def they_arrive_in_order_and_none_twice_on_a_link_that_holds(self) -> None:
        assert self.arrived == sorted(set(self.arrived))


BacklogModel.TestCase.settings = budget(max_examples=30, stateful_step_count=30, deadline=None)
TestBacklogModel = BacklogModel.TestCase


def test_rows_that_were_not_counted_count_once_they_are_read() -> None:
    backlog = Backlog(most_in_memory=6)
    backlog.rows_read([Entry(row, text(row)) for row in range(1, 4)])
    assert len(backlog) == 3
    assert len(backlog.take(2)) == 2
    backlog.arrived()
    assert len(backlog) == 2
    backlog.counted(1)  # of one more than are known to be there
    assert len(backlog) == 2
    backlog.file_lost()
    assert (len(backlog), backlog.dropped) == (2, 0)


def test_rows_that_went_unseen_to_make_room_do_not_count_below_nothing() -> None:
    backlog = Backlog(most_in_memory=6)
    backlog.stored_batch([b"x"], dropped=500)
    assert len(backlog) == 0


# -- the file ---------------------------------------------------------------------------


def test_rows_come_back_in_order_and_the_last_takes_the_file_along(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    store = Store(path, most_rows=5)
    assert store.count() == 0
    assert not path.exists()
    assert store.append([text(n) for n in range(4)]) == 0
    assert store.append([text(n) for n in range(4, 8)]) == 3
    store.close()
    again = Store(path, most_rows=5)
    assert again.count() == 5
    rows = again.read(0, 3)
    assert [again.count(after_row=entry.row or 0) for entry in rows] == [4, 3, 2]
    assert again.count(after_row=10**9) == 0
    assert [entry.payload for entry in rows] == [b"3", b"4", b"5"]
    again.delete(rows[-1].row or 0)
    assert [entry.payload for entry in again.read(rows[-1].row or 0, 9)] == [b"6", b"7"]
    again.delete(10**9)
    assert list(tmp_path.iterdir()) == []
    again.append([b"x"])
    assert again.count() == 1
    again.close()


@pytest.mark.parametrize("where", ["head", "middle", "all"])
def test_a_damaged_file_is_replaced(tmp_path: Path, where: str) -> None:
    path = tmp_path / "history.db"
    store = Store(path, most_rows=10_000)
    store.append([b"x" * 300] * 2000)
    store.close()
    content = bytearray(path.read_bytes())
    start, end = {"head": (0, 100), "middle": (4096, 40_960), "all": (0, len(content))}[where]
    content[start:end] = os.urandom(end - start)
    path.write_bytes(content)
    with pytest.raises(StoreDamagedError, match="damaged"):
        store.read(0, 10_000)
    assert store.append([b"new"]) == 0
    assert [entry.payload for entry in store.read(0, 10)] == [b"new"]
    store.close()


def test_a_file_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    store = Store(tmp_path / "absent" / "history.db", most_rows=1000)
    with pytest.raises(StoreError, match="readings wait in memory"):
        store.append([b"x"])


def test_a_damaged_file_that_cannot_be_replaced_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.db"
    path.write_bytes(os.urandom(8192))

    def read_only(_path: Path, *, missing_ok: bool) -> None:
        assert missing_ok
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", read_only)
    for _ in range(2):
        store = Store(path, most_rows=1000)
        with pytest.raises(StoreDamagedError, match="cannot be replaced: Read-only") as damaged:
            store.count()
        assert not damaged.value.replaced
        store.close()


def test_a_last_row_that_cannot_take_the_file_along_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "history.db", most_rows=1000)
    store.append([b"x"])
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_, **__: os.unlink("/nowhere/at/all"))  # noqa: PTH108 - unlink is what fails
        with pytest.raises(StoreError, match="readings wait in memory"):
            store.delete(1)
    assert store.count() == 0
    store.append([b"y"])
    assert [entry.payload for entry in store.read(0, 9)] == [b"y"]
    store.close()


@pytest.mark.parametrize(
    "schema",
    [
        "CREATE TABLE history (id INTEGER PRIMARY KEY, other BLOB)",
        "CREATE VIEW history AS SELECT 1 AS id, 2 AS payload",
    ],
)
def test_a_file_of_another_make_is_replaced(tmp_path: Path, schema: str) -> None:
    path = tmp_path / "history.db"
    with sqlite3.connect(path) as database:
        database.execute(schema)
    database.close()
    store = Store(path, most_rows=1000)
    with pytest.raises(StoreDamagedError, match="damaged"):
        store.append([b"x"])
    store.append([b"x"])
    assert [entry.payload for entry in store.read(0, 9)] == [b"x"]
    store.close()


def test_what_is_not_octets_in_a_row_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    store = Store(path, most_rows=1000)
    store.append([b"x"])
    with sqlite3.connect(path) as database:
        database.execute("UPDATE history SET payload = 5")
    database.close()
    with pytest.raises(StoreDamagedError, match="damaged"):
        store.read(0, 9)
    store.close()


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
@pytest.mark.parametrize("content", [b"", os.urandom(40_000)])
def test_damage_beside_the_file_loses_no_order(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / "history.db"
    store = Store(path, most_rows=10_000)
    for number in range(100):
        store.append([text(number)])
    copies = [(name, (tmp_path / name).read_bytes()) for name in ("history.db", "history.db-wal")]
    store.close()
    for name, octets in copies:  # as a power cut leaves it
        (tmp_path / name).write_bytes(octets)
    path.with_name(path.name + suffix).write_bytes(content)
    again = Store(path, most_rows=10_000)
    rows = [int(entry.payload) for entry in again.read(0, 1000)]
    assert rows == list(range(len(rows)))
    assert again.append([b"new"]) == 0
    again.close()


KILLED = """
import sys
from pathlib import Path
from sensed.uplink.history import History
from sensed.uplink.store import Store
store = Store(Path(sys.argv[1]), most_rows=100_000)
number = 0
while True:
    store.append([b"%d" % (number + n) for n in range(20)])
    number += 20
    print(number, flush=True)
"""


def test_a_kill_at_any_moment_tears_nothing(tmp_path: Path) -> None:
    path, rng = tmp_path / "history.db", random.Random(5)
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(rng.uniform(0, 0.03))
            writer.send_signal(signal.SIGKILL)
            told = [20, *(int(line) for line in writer.stdout if line.strip())]
        store = Store(path, most_rows=100_000)
        payloads = [entry.payload for entry in store.read(0, 1_000_000)]
        assert len(payloads) >= max(told)
        assert payloads == [text(n) for n in range(len(payloads))]
        with sqlite3.connect(path) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        database.close()
        store.delete(10**9)
        assert not path.exists()


@pytest.mark.parametrize("wrong", [{"most_rows": 1}, {"most_in_memory": 1}, {"batch_s": 61.0}])
def test_bounds_without_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        HistorySettings(**wrong)  # type: ignore[arg-type]  # that is the point


# -- between them -----------------------------------------------------------------------


class Disk(Store):
    """A file whose next count, append or delete can be made to fail."""

    failing: ClassVar[list[str]] = []

    def count(self, after_row: int = 0) -> int:
        self._fail("count")
        return super().count(after_row)

    def append(self, batch: Sequence[bytes]) -> int:
        excess = super().append(batch)
        self._fail("append")
        return excess

    def delete(self, up_to_row: int) -> bool:
        self._fail("delete")
        return super().delete(up_to_row)

    def _fail(self, step: str) -> None:
        if step in self.failing:
            self.failing.remove(step)
            raise StoreError(f"{step} fails")


class Keeping:
    """A history that sends to the test, which acknowledges all at once."""

    def __init__(self, path: Path) -> None:
        self.troubles: list[str] = []
        self.sent: list[int] = []
        self.history = History(
            HistorySettings(path=path, batch_s=0.02),
            on_ready=lambda: None,
            on_trouble=self.troubles.append,
        )

    def send(self) -> bool:
        for entry in self.history.take(64):
            self.sent.append(int(entry.payload))
            self.history.arrived()
        return self.history.counts.waiting == 0

    @property
    def stored(self) -> int:
        return self.history._backlog.stored


@contextlib.asynccontextmanager
async def keeping(
    path: Path, monkeypatch: pytest.MonkeyPatch, failing: Sequence[str] = ()
) -> AsyncIterator[Keeping]:
    monkeypatch.setattr("sensed.uplink.history.Store", Disk)
    monkeypatch.setattr("sensed.uplink.history._RETRY_S", 0.05)
    monkeypatch.setattr(Disk, "failing", list(failing))
    kept = Keeping(path)
    task = asyncio.create_task(kept.history.run())
    try:
        yield kept
    finally:
        task.cancel()
        await asyncio.wait([task])
        await kept.history.flush(deadline_s=5)


def filled(path: Path, rows: int) -> None:
    with contextlib.closing(Store(path, most_rows=10_000)) as store:
        store.append([text(number) for number in range(rows)])


async def test_a_count_that_fails_is_made_later_and_meanwhile_memory_flows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.db"
    filled(path, 1500)
    async with keeping(path, monkeypatch, ["count"]) as kept:
        kept.history.connected()
        await until(lambda: kept.troubles)
        kept.history.add(text(1500))
        kept.send()
        assert kept.sent == [1500]
        await until(lambda: kept.send() and not path.exists())
        assert kept.sent == [1500, *range(1500)]
        assert kept.troubles == ["count fails"]


async def test_a_batch_that_is_in_the_file_although_that_failed_does_not_upset_the_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.db"
    async with keeping(path, monkeypatch, ["append"]) as kept:
        for number in range(700):
            kept.history.add(text(number))
        await until(lambda: kept.stored == 1400)
        kept.history.add(text(700))
        kept.history.connected()
        await until(lambda: kept.send() and not path.exists())
        assert kept.sent == [*range(700), *range(701)]


async def test_rows_that_another_uplink_has_added_meanwhile_are_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.db"
    filled(path, 1000)
    async with keeping(path, monkeypatch) as kept:
        await until(lambda: kept.stored == 1000)
        filled(path, 30)  # as one does that ends while this one counts
        kept.history.connected()
        await until(lambda: kept.send() and not path.exists())
        assert kept.sent == [*range(1000), *range(30)]


async def test_rows_that_another_uplink_has_sent_meanwhile_hold_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.db"
    filled(path, 30)
    async with keeping(path, monkeypatch) as kept:
        await until(lambda: kept.stored == 30)
        with contextlib.closing(Store(path, most_rows=10_000)) as other:
            other.delete(10**9)
        kept.history.connected()
        kept.history.add(text(30))
        await until(kept.send)
        assert kept.sent == [30]


async def test_a_delete_that_fails_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.db"
    filled(path, 30)
    async with keeping(path, monkeypatch, ["delete"]) as kept:
        kept.history.connected()
        await until(lambda: kept.send() and kept.sent)
        await until(lambda: not path.exists())
        assert kept.sent == [*range(30)]


async def test_a_disk_that_goes_on_failing_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.db"
    async with keeping(path, monkeypatch, ["append"] * 3) as kept:
        kept.history.add(text(0))
        await until(lambda: not Disk.failing)
        assert kept.troubles == ["append fails"]
        await until(lambda: kept.stored == 4)
        Disk.failing.append("append")
        kept.history.add(text(1))
        await until(lambda: not Disk.failing)
        await until(lambda: len(kept.troubles) == 2)


# -- over a broker ----------------------------------------------------------------------


def seqs(listener: Listener, *names: str) -> list[int]:
    return [item.json["seq"] for item in listener.heard if item.topic.rsplit("/")[-1] in names]


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
async def test_what_could_not_be_sent_live_follows_in_order(
    mosquitto: Mosquitto, protocol: str
) -> None:
    async with (
        listening(mosquitto.port) as listener,
        Wire(mosquitto.port) as wire,
        up(settings(wire.port, protocol=protocol), SOON) as running,
    ):
        await running.linked()
        running.send(WITH_CURRENTS)
        await listener.wait_for("phases")
        wire.refuse()
        await running.failed()
        for number in range(50):
            running.send(WITH_CURRENTS if number % 4 == 0 else POWER_ONLY)
        await asyncio.sleep(0.3)  # the newest is no news any more
        running.send(POWER_ONLY)
        assert running.uplink.history_counts.waiting >= 50
        wire.accept()
        await running.linked()
        await listener.wait_for("history", 50)
        await asyncio.sleep(0.05)
        assert seqs(listener, "history")[:50] == list(range(2, 52))
        heard = listener.on("history")[0]
        assert (heard.qos, heard.retain) == (1, False)
        assert heard.json["current_l1_a"] == 2.3
        assert "current_l2_a" not in heard.json
        assert heard.json["received_at"] == "2026-01-02T03:04:05.678Z"
        assert running.uplink.history_counts.waiting == 0
        assert running.uplink.history_counts.sent >= 50


async def test_online_nothing_goes_to_the_history_nor_to_the_disk(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    history = HistorySettings(path=tmp_path / "history.db", batch_s=0.05)
    async with (
        listening(mosquitto.port) as listener,
        up(settings(mosquitto.port), SOON, history=history) as running,
    ):
        await running.linked()
        for number in range(40):
            running.send(WITH_CURRENTS if number % 4 == 0 else POWER_ONLY)
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
    assert listener.on("history") == []
    assert not (tmp_path / "history.db").exists()


async def test_a_long_outage_goes_to_the_disk_in_batches_and_outlives_the_process(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    history = HistorySettings(path=tmp_path / "history.db", batch_s=0.2)
    async with up(settings(free_port()), SOON, history=history) as running:
        for _ in range(300):
            running.send(POWER_ONLY)
        assert not (tmp_path / "history.db").exists()
        await until((tmp_path / "history.db").exists)
        running.send(POWER_ONLY)
        running.send(POWER_ONLY)
    async with (
        listening(mosquitto.port) as listener,
        up(settings(mosquitto.port), SOON, history=history) as running,
    ):
        await listener.wait_for("history", 302)
        await until(lambda: not (tmp_path / "history.db").exists())
        assert seqs(listener, "history") == list(range(1, 303))


async def test_a_meter_s_last_words_in_an_outage_reach_the_disk_without_another(
    tmp_path: Path,
) -> None:
    seldom = replace(SOON, retry=Backoff(30.0, 60.0))
    path = tmp_path / "history.db"
    history = HistorySettings(path=path, batch_s=0.05)
    async with up(settings(free_port()), seldom, history=history) as running:
        await running.failed()
        running.send(POWER_ONLY)
        await until(path.exists)  # the file comes before its first row
        with contextlib.closing(Store(path, most_rows=1000)) as kept:
            await until(lambda: len(kept.read(0, 9)) == 1)


async def test_a_second_outage_is_kept_and_sent_like_the_first(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    path = tmp_path / "history.db"
    async with (
        listening(mosquitto.port) as listener,
        Wire(mosquitto.port) as wire,
        up(settings(wire.port), SOON, history=HistorySettings(path=path, batch_s=0.05)) as running,
    ):
        for _ in range(2):
            await running.linked()
            wire.refuse()
            await running.failed()
            first = running.seq + 1
            for _ in range(20):
                running.send(POWER_ONLY)
            await until(path.exists)
            wire.accept()
            wanted = set(range(first, running.seq))
            await until(lambda: wanted <= set(seqs(listener, "history")))  # noqa: B023 - awaited here
            await until(lambda: not path.exists())


async def test_a_link_that_comes_up_while_a_batch_is_written_gets_it_in_order(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, writing = Store.append, threading.Event()

    def slowly(store: Store, batch: Sequence[bytes]) -> int:
        writing.set()
        time.sleep(0.3)
        return append(store, batch)

    monkeypatch.setattr(Store, "append", slowly)
    history = HistorySettings(path=tmp_path / "history.db", batch_s=0.05)
    async with Wire(mosquitto.port) as wire:
        wire.refuse()
        async with (
            listening(mosquitto.port) as listener,
            up(settings(wire.port), SOON, history=history) as running,
        ):
            for _ in range(10):
                running.send(POWER_ONLY)
            await until(writing.is_set)
            wire.accept()
            await running.linked()
            running.send(POWER_ONLY)
            running.send(POWER_ONLY)
            await until(lambda: len(seqs(listener, "power", "history")) >= 12)
            late = seqs(listener, "history")
            assert late == sorted(late)
            assert set(seqs(listener, "power", "history")) == set(range(1, 13))


async def test_a_row_is_deleted_only_after_its_acknowledgement(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    path = tmp_path / "history.db"
    store = Store(path, most_rows=10_000)
    store.append([b'{"seq":%d}' % n for n in range(3000)])
    store.close()
    async with (
        listening(mosquitto.port) as listener,
        Wire(mosquitto.port) as wire,
        up(settings(wire.port), SOON, history=HistorySettings(path=path)),
    ):
        for target in (200, 900, 1500):
            await until(lambda: len(listener.heard) >= target)  # noqa: B023 - awaited here
            wire.cut()
        await until(lambda: not path.exists(), within_s=10)
        await until(lambda: any(item.payload == b'{"seq":2999}' for item in listener.heard[-99:]))
        assert len(set(seqs(listener, "history"))) == 3000
        assert len(seqs(listener, "history")) - 3000 <= 3 * 64  # what was under way, by cut


async def test_a_damaged_file_is_told_and_readings_go_on(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    path = tmp_path / "history.db"
    path.write_bytes(os.urandom(8192))
    sentences: list[str] = []
    async with (
        listening(mosquitto.port) as listener,
        up(
            settings(mosquitto.port),
            SOON,
            history=HistorySettings(path=path),
            on_trouble=sentences.append,
        ) as running,
    ):
        await running.linked()
        running.send(WITH_CURRENTS)
        await listener.wait_for("phases")
        await until(lambda: sentences)
        assert "damaged" in sentences[0]


async def test_a_damaged_file_on_a_disk_that_is_read_only_stops_nothing(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.db"
    path.write_bytes(os.urandom(8192))

    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", read_only)
    sentences: list[str] = []
    async with (
        listening(mosquitto.port) as listener,
        up(
            settings(mosquitto.port),
            SOON,
            history=HistorySettings(path=path),
            on_trouble=sentences.append,
        ) as running,
    ):
        await running.linked()
        await until(lambda: sentences)
        running.send(WITH_CURRENTS)
        await listener.wait_for("phases")
        assert not running.task.done()
    assert "Read-only file system" in sentences[0]


async def test_a_disk_that_takes_nothing_leaves_readings_in_memory(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    sentences: list[str] = []
    history = HistorySettings(path=tmp_path / "absent" / "history.db", batch_s=0.05)
    async with Wire(mosquitto.port) as wire:
        wire.refuse()
        async with (
            listening(mosquitto.port) as listener,
            up(settings(wire.port), SOON, history=history, on_trouble=sentences.append) as running,
        ):
            for _ in range(10):
                running.send(POWER_ONLY)
            await until(lambda: sentences)
            wire.accept()
            await listener.wait_for("history", 9)
            assert len(sentences) == 1


async def test_live_readings_do_not_wait_for_the_history(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    path = tmp_path / "history.db"
    store = Store(path, most_rows=50_000)
    store.append([json.dumps({"seq": n, "pad": "x" * 200}).encode() for n in range(5000)])
    store.close()
    async with (
        listening(mosquitto.port, "sensed/pi-1/power") as listener,
        up(settings(mosquitto.port), QUICK, history=HistorySettings(path=path)) as running,
    ):
        await running.linked()
        delays = []
        await until(lambda: running.uplink.history_counts.waiting)
        while running.uplink.history_counts.waiting:
            start_s, count = time.monotonic(), len(listener.heard)
            running.send(POWER_ONLY)
            await until(lambda: len(listener.heard) > count)  # noqa: B023 - awaited here
            delays.append(time.monotonic() - start_s)
            await asyncio.sleep(0.02)
        assert len(delays) > 5
        assert sorted(delays)[len(delays) // 2] < 0.05
