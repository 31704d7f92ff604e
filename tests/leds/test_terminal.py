from __future__ import annotations

import io

import pytest

from sensed.leds.patterns import GREEN, OFF, RED
from sensed.leds.terminal import TerminalDriver


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def last_line(stream: io.StringIO) -> str:
    return stream.getvalue().rsplit("\r\x1b[K", 1)[-1]


@pytest.fixture(autouse=True)
def colour_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_the_dot_is_coloured_and_the_words_stand_beside_it() -> None:
    stream = Terminal()
    driver = TerminalDriver(stream)
    driver.open()
    driver.caption("no data from the meter")
    driver.set(*RED)
    assert last_line(stream) == "\x1b[91m●\x1b[0m no data from the meter"
    driver.set(*OFF)
    assert last_line(stream) == "○ no data from the meter"


def test_without_colour_the_words_say_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    driver = TerminalDriver(stream)
    driver.open()
    driver.caption("configured and active")
    driver.set(*GREEN)
    assert last_line(stream) == "● green configured and active"
    assert "m●" not in stream.getvalue()


def test_lines_that_stay_go_above_and_the_status_line_ends_with_the_light() -> None:
    stream = Terminal()
    driver = TerminalDriver(stream)
    driver.open()
    driver.set(*GREEN)
    driver.print_above("a reading")
    assert "\r\x1b[Ka reading\n\r\x1b[K\x1b[92m●\x1b[0m " in stream.getvalue()
    driver.close()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_into_a_file_only_words_are_written() -> None:
    stream = io.StringIO()
    driver = TerminalDriver(stream)
    driver.open()
    driver.caption("starting")
    driver.set(*RED)
    driver.set(*OFF)
    driver.caption("starting")
    driver.print_above("a reading")
    driver.caption("configured and active")
    driver.close()
    assert stream.getvalue() == "light: starting\na reading\nlight: configured and active\n"
