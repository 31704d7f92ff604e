"""``sensed demo`` as a person meets it: in a terminal of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(60)

GREEN_DOT = "\x1b[92m●\x1b[0m configured and active"


class Terminal:
    """A pseudo terminal with the demonstration in it."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.began_s = time.monotonic()
        self.text = ""
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            os.execve(
                sys.executable,
                [sys.executable, "-m", "sensed", "demo", *arguments],
                {**os.environ, "TERM": "xterm", **environment},
            )
        os.set_blocking(self._descriptor, False)

    async def shows(self, *wanted: str, within_s: float) -> None:
        deadline_s = self.began_s + within_s
        while not all(word in self.text for word in wanted):
            assert time.monotonic() < deadline_s, f"{wanted} not in {self.text!r}"
            with contextlib.suppress(BlockingIOError):
                self.text += os.read(self._descriptor, 65536).decode()
            await asyncio.sleep(0.02)

    async def press_ctrl_c(self) -> int:
        os.write(self._descriptor, b"\x03")
        for _ in range(400):
            with contextlib.suppress(BlockingIOError, OSError):
                self.text += os.read(self._descriptor, 65536).decode()
            pid, status = await asyncio.to_thread(os.waitpid, self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            await asyncio.sleep(0.02)
        raise AssertionError("Ctrl-C did not end the demonstration")

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._descriptor)


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A folder that every library would use for what it leaves lying about."""
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("meter", ["aidon-3ph-tn", "kamstrup-3ph"])
async def test_readings_and_light_are_there_within_five_seconds(meter: str, scratch: Path) -> None:
    terminal = Terminal("--meter", meter, TMPDIR=str(scratch))
    try:
        await terminal.shows("W in", "L1", GREEN_DOT, within_s=5)
        assert await terminal.press_ctrl_c() == 0
    finally:
        terminal.close()
    assert "Traceback" not in terminal.text


async def test_colours_can_be_declined(scratch: Path) -> None:
    terminal = Terminal("--meter", "kaifa-3ph", TMPDIR=str(scratch), NO_COLOR="1")
    try:
        await terminal.shows("W in", "● green configured and active", within_s=5)
        assert await terminal.press_ctrl_c() == 0
    finally:
        terminal.close()
    assert "\x1b[9" not in terminal.text


def test_a_reader_that_goes_away_is_no_error() -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "sensed", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert demo.stdout is not None
    assert "Ctrl-C ends it" in demo.stdout.readline()
    demo.stdout.close()
    assert demo.wait(10) == 0
    assert demo.stderr is not None
    assert demo.stderr.read() == ""
    demo.stderr.close()
