from __future__ import annotations

import io
import os
import socket
import struct
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensed.events import EVENTS
from sensed.journal import JournalLogger, encode, is_journal, journal_fields
from sensed.secret import Secret


class Journal:
    """The receiving end of the protocol, as journald's documentation has it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(5)

    def entry(self) -> dict[str, str]:
        data, control, _, _ = self._socket.recvmsg(1 << 20, socket.CMSG_SPACE(4))
        if control:
            (file,) = struct.unpack("i", control[0][2])
            with os.fdopen(file, "rb") as memory:
                memory.seek(0)
                data = memory.read()
        return parse(data)

    def close(self) -> None:
        self._socket.close()


def parse(data: bytes) -> dict[str, str]:
    fields: dict[str, str] = {}
    while data:
        line, _, data = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (size,) = struct.unpack_from("<Q", data)
            value, data = data[8 : 8 + size], data[8 + size + 1 :]
        fields[name.decode("ascii")] = value.decode()
    return fields


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    receiver = Journal(tmp_path / "socket")
    yield receiver
    receiver.close()


@pytest.fixture
def logger(journal: Journal) -> JournalLogger:
    return JournalLogger(io.StringIO(), str(journal.path))


def fields_of(**event: object) -> dict[str, str]:
    fields: dict[str, str] = journal_fields(None, "", dict(event))["fields"]
    return fields


def test_an_event_becomes_fields_with_a_sentence_for_people() -> None:
    fields = fields_of(
        event="meter_found",
        level="info",
        meter_id="6970631401234567",
        meter_type="6534",
        maker="Aidon",
        seen_at_a=Decimal("230.1"),
        known=True,
        missing=None,
    )

    assert fields == {
        "MESSAGE": "Found the meter 6970631401234567, type 6534, made by Aidon.",
        "MESSAGE_ID": EVENTS["meter_found"].message_id,
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "sensed",
        "SENSED_EVENT": "meter_found",
        "SENSED_METER_ID": "6970631401234567",
        "SENSED_METER_TYPE": "6534",
        "SENSED_MAKER": "Aidon",
        "SENSED_SEEN_AT_A": "230.1",
        "SENSED_KNOWN": "true",
    }


def test_an_unknown_event_still_tells_what_it_carries() -> None:
    fields = fields_of(event="novelty", level="warning", count=3, why="no idea")

    assert fields["MESSAGE"] == 'novelty count=3 why="no idea"'
    assert fields["PRIORITY"] == "4"
    assert "MESSAGE_ID" not in fields


def test_a_traceback_stands_in_the_message_on_lines_of_its_own() -> None:
    fields = fields_of(
        event="part_crashed",
        level="error",
        part="meter",
        restart_in_s=1.5,
        exception="Traceback:\n  somewhere\nValueError: \x1b[31mred",
    )

    assert fields["MESSAGE"].splitlines() == [
        "A mistake in sensed stopped its part meter; it starts again in 1.5 s.",
        "Traceback:",
        "  somewhere",
        "ValueError: \\x1b[31mred",
    ]
    assert fields["PRIORITY"] == "3"


def test_what_came_over_the_wire_can_neither_end_a_line_nor_colour_it() -> None:
    fields = fields_of(
        event="meter_found",
        level="info",
        meter_id="12\nMESSAGE=forged\x1b[2J",
        meter_type="\u202egnirts",
        maker="\udcff",
    )

    assert fields["MESSAGE"].isprintable()
    assert fields["SENSED_METER_ID"] == "12\\nMESSAGE=forged\\x1b[2J"
    assert fields["SENSED_METER_TYPE"] == "\\u202egnirts"
    assert fields["SENSED_MAKER"] == "\\udcff"
    assert fields_of(event="x", level="info", raw=b"\x00\xff")["SENSED_RAW"] == "00ff"


def test_a_secret_is_never_shown() -> None:
    fields = fields_of(event="x", level="info", password=Secret("hunter2"), all=[Secret("hunter2")])

    assert "hunter2" not in str(fields)
    assert fields["SENSED_PASSWORD"] == "***"


def test_field_names_keep_to_what_the_journal_accepts() -> None:
    fields = fields_of(event="x", level="info", **{"måler-1": 1, "k" * 80: 2})

    assert fields["SENSED_M_LER_1"] == "1"
    assert all(name.isascii() and len(name) <= 64 for name in fields)


@given(st.dictionaries(st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True), st.text()))
def test_any_text_survives_the_wire_format(fields: dict[str, str]) -> None:
    expected = {
        name: value.encode("utf-8", "backslashreplace").decode() for name, value in fields.items()
    }

    assert parse(encode(fields)) == expected


def test_entries_arrive(journal: Journal, logger: JournalLogger) -> None:
    logger.info({"MESSAGE": "two\nlines", "PRIORITY": "6"})

    assert journal.entry() == {"MESSAGE": "two\nlines", "PRIORITY": "6"}


def test_an_entry_larger_than_a_datagram_arrives(journal: Journal, logger: JournalLogger) -> None:
    large = "x" * 1_000_000

    logger.info({"MESSAGE": large, "PRIORITY": "6"})

    assert journal.entry()["MESSAGE"] == large


def test_without_a_journal_lines_carry_their_priority(tmp_path: Path) -> None:
    stream = io.StringIO()
    logger = JournalLogger(stream, str(tmp_path / "nobody"))

    logger.warning({"MESSAGE": "first\nsecond", "PRIORITY": "4"})

    assert stream.getvalue() == "<4>first\n<4>second\n"


def test_a_journal_that_comes_back_is_used_again(tmp_path: Path) -> None:
    stream = io.StringIO()
    logger = JournalLogger(stream, str(tmp_path / "socket"))
    logger.info({"MESSAGE": "lost", "PRIORITY": "6"})
    journal = Journal(tmp_path / "socket")

    logger.info({"MESSAGE": "found", "PRIORITY": "6"})

    assert journal.entry()["MESSAGE"] == "found"
    journal.close()


def test_a_journal_that_does_not_read_never_holds_the_daemon_up(
    journal: Journal, logger: JournalLogger
) -> None:
    def flood() -> None:
        for _ in range(2000):
            logger.info({"MESSAGE": "x" * 4000, "PRIORITY": "6"})

    flooding = threading.Thread(target=flood)
    flooding.start()
    flooding.join(timeout=10)
    assert not flooding.is_alive()

    assert journal.entry()["MESSAGE"] == "x" * 4000
    logger.info({"MESSAGE": "after", "PRIORITY": "6"})
    entry = journal.entry()
    while entry["MESSAGE"] != "after":
        entry = journal.entry()
    assert int(entry["SENSED_LOST"]) > 1000


@pytest.mark.parametrize("said", ["right", "wrong"])
def test_only_the_stream_that_systemd_connected_counts_as_the_journal(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "stream").open("w") as stream:
        status = os.fstat(stream.fileno())
        inode = status.st_ino + (said == "wrong")
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{inode}")

        assert is_journal(stream) is (said == "right")


def test_a_stream_without_a_file_is_not_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "1:2")

    assert not is_journal(io.StringIO())
