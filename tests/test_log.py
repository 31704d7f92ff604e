from __future__ import annotations

import io
import json
import logging
import os
import pty
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from sensed.log import configure_logging
from sensed.secret import Secret
from tests.test_journal import Journal


@pytest.fixture(autouse=True)
def _untouched_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


def test_elsewhere_each_event_is_one_plain_line() -> None:
    stream = io.StringIO()
    configure_logging("info", stream=stream)

    structlog.get_logger().info("port_opened", device="/dev/ttyUSB0", settings="2400 8E1", tries=2)

    (line,) = lines(stream)
    when, level, words = line.split(maxsplit=2)
    assert when.endswith("Z")
    assert level == "info"
    assert words == "The meter's port /dev/ttyUSB0 is open (2400 8E1). tries=2"


def test_below_the_level_nothing_is_written_and_the_level_can_change() -> None:
    stream = io.StringIO()
    log = structlog.get_logger()
    configure_logging("info", stream=stream)
    log.debug("list", layout="x")
    assert lines(stream) == []

    configure_logging("debug", stream=stream)
    log.debug("list", layout="x")

    assert len(lines(stream)) == 1


def test_json_is_one_object_per_line_with_facts_and_sentence() -> None:
    stream = io.StringIO()
    configure_logging("info", "json", stream=stream)

    structlog.get_logger().warning("broker_lost", cause="dns", detail="No such\nname.")

    (line,) = lines(stream)
    told = json.loads(line)
    assert told["event"] == "broker_lost"
    assert told["level"] == "warning"
    assert told["cause"] == "dns"
    assert told["message"] == "No such\\nname."
    assert len(told["message_id"]) == 32


@pytest.mark.parametrize("log_format", ["auto", "json"])
def test_secrets_and_control_characters_stay_out(log_format: str) -> None:
    stream = io.StringIO()
    configure_logging("info", log_format, stream=stream)

    structlog.get_logger().info("x", password=Secret("hunter2"), text="\x1b[2J\n\udcff")

    (line,) = lines(stream)
    assert "hunter2" not in line
    assert line.isprintable()


def test_a_crash_shows_its_traceback() -> None:
    stream = io.StringIO()
    configure_logging("info", stream=stream)
    try:
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger().exception("part_crashed", part="meter", restart_in_s=1)

    assert lines(stream)[1] == "Traceback (most recent call last):"
    assert lines(stream)[-1] == "ValueError: broken"


def test_what_libraries_say_comes_along_from_warnings_on() -> None:
    stream = io.StringIO()
    configure_logging("info", stream=stream)

    logging.getLogger("serial").info("chatter")
    logging.getLogger("serial").warning("noise on %s", "the line")
    logging.getLogger("asyncio").critical("end")
    logging.getLogger("asyncio").log(35, "odd level")

    assert [line.split(maxsplit=2)[1:] for line in lines(stream)] == [
        ["warning", "The library serial says: noise on the line"],
        ["error", "The library asyncio says: end"],
        ["warning", "The library asyncio says: odd level"],
    ]


def test_configuring_twice_does_not_double_what_libraries_say() -> None:
    stream = io.StringIO()
    configure_logging("info", stream=stream)
    configure_logging("info", stream=stream)

    logging.getLogger("serial").warning("noise")

    assert len(lines(stream)) == 1


def on_terminal() -> bytes:
    master, slave = pty.openpty()
    try:
        with os.fdopen(slave, "w") as stream:
            configure_logging("info", stream=stream)
            structlog.get_logger().error("port_lost", device="/dev/x", cause="gone", detail="Gone.")
            return os.read(master, 4096)
    finally:
        os.close(master)


def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)

    assert b"\x1b[31merror  \x1b[0m No meter's port. Gone." in on_terminal()


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    shown = on_terminal()

    assert b"No meter's port. Gone. device=/dev/x cause=gone" in shown
    assert b"\x1b" not in shown


def test_under_systemd_events_go_to_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path / "socket")
    monkeypatch.setattr("sensed.journal.SOCKET_PATH", str(journal.path))
    with (tmp_path / "stderr").open("w+") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        configure_logging("info", stream=stream)
        structlog.get_logger().info("state_changed", state="active", words="configured and active")
        stream.seek(0)
        assert stream.read() == ""

    entry = journal.entry()
    assert entry["SENSED_STATE"] == "active"
    assert entry["MESSAGE"] == "State: configured and active"
    journal.close()
