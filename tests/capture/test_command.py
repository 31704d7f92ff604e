"""``sensed capture``: from a port, or from the daemon that reads it, into a file."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sensed.capture import read
from sensed.cli import main
from sensed.control import ControlServer
from sensed.daemon.taps import Taps
from sensed.errors import ConfigError
from sensed.simulator import METERS, MeterSimulator
from sensed.simulator.play import PtySink
from tests.integration.tools import config_file, playing, sensed
from tests.waiting import until


@pytest.fixture
def pty(tmp_path: Path) -> Iterator[PtySink]:
    sink = PtySink(tmp_path / "mbus")
    yield sink
    sink.unplug()


LINE = b"".join(
    telegram.wire
    for telegram in itertools.islice(MeterSimulator(METERS["kaifa-3ph"], seed=1).telegrams(), 60)
)
"""What the meter of these tests sends in its first two minutes."""


class Command:
    """The command as a process of its own."""

    def __init__(self, folder: Path, device: str) -> None:
        self.file = folder / "it.capture"
        self._folder = folder
        config = folder / "sensed.toml"
        config.write_text(f'[meter]\nport = "{device}"\n')
        self._where = ("--config", str(config), "--socket", str(folder / "control"))

    async def start(self, *options: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sensed", "capture", *self._where, *options, str(self.file)),
            stderr=subprocess.PIPE,
        )

    async def run(self, *options: str) -> tuple[int, str]:
        process = await self.start(*options)
        return await outcome(process)

    @property
    def under_way(self) -> bool:
        """Whether whoever has the port has said so."""
        return any(b" device " in path.read_bytes() for path in self.leftovers)

    @property
    def leftovers(self) -> list[Path]:
        return list(self._folder.glob("*.part"))

    def octets(self) -> bytes:
        with self.file.open() as file:
            return b"".join(piece.wire for piece in read(file).pieces)


async def outcome(process: asyncio.subprocess.Process) -> tuple[int, str]:
    _, err = await asyncio.wait_for(process.communicate(), 25)
    assert process.returncode is not None
    return process.returncode, err.decode()


@pytest.fixture
def command(tmp_path: Path, pty: PtySink) -> Command:
    return Command(tmp_path, pty.device)


def decoded(path: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    main(["decode", str(path)])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.timeout(60)
async def test_without_a_daemon_the_port_is_read(
    command: Command, pty: PtySink, capsys: pytest.CaptureFixture[str]
) -> None:
    async with playing("kaifa-3ph", pty):
        code, err = await command.run("--seconds", "6")
    assert code == 0, err
    assert stat.S_IMODE(command.file.stat().st_mode) == 0o600
    assert command.leftovers == []
    assert command.octets() in LINE
    assert "power_import_w" in decoded(command.file, capsys)[0]
    assert "octets in" in err


@pytest.mark.timeout(120)
async def test_a_daemon_gives_a_copy_and_reads_on(pty: PtySink, tmp_path: Path) -> None:
    command = Command(tmp_path, "/dev/none")
    config = config_file(tmp_path, device=pty.device, broker_port=None)
    async with sensed("run", "--config", str(config), RUNTIME_DIRECTORY=str(tmp_path)) as daemon:
        await until((tmp_path / "control").exists, within_s=15)
        async with playing("kaifa-3ph", pty) as sent:
            process = await command.start("--seconds", "60")
            await until(lambda: command.under_way or process.returncode, within_s=15)
            began = len(sent)
            await until(lambda: len(sent) >= began + 2, within_s=15)
            process.send_signal(signal.SIGINT)
            code, err = await outcome(process)
        assert (code, daemon.returncode) == (0, None), err
        assert len(command.octets()) > 40
        assert command.octets() in LINE
        text = command.file.read_text()
        assert f"device {pty.device}\n" in text
        assert "line 2400 8E1\n" in text
        # A daemon that stops ends its captures, and at once.
        process = await command.start("--seconds", "60")
        await until(lambda: command.under_way or process.returncode, within_s=15)
        daemon.terminate()
        await asyncio.wait_for(daemon.wait(), 4)
        assert (await outcome(process))[0] in (0, 1)


async def test_ends_at_the_octets_asked_for(command: Command, pty: PtySink) -> None:
    async with playing("kaifa-3ph", pty):
        code, _ = await command.run("--bytes", "30")
    assert code == 0
    assert len(command.octets()) == 30


async def test_not_one_octet_leaves_no_file(command: Command) -> None:
    code, err = await command.run("--seconds", "1")
    assert code == 1
    assert "Not one byte came" in err
    assert "grid company" in err
    assert not command.file.exists()
    assert command.leftovers == []


async def test_no_adapter_is_one_sentence_at_once(command: Command, pty: PtySink) -> None:
    pty.unplug()
    code, err = await command.run()
    assert code == 2
    assert err == f"sensed: {pty.device}: there is no such device; plug in the adapter.\n"
    assert command.leftovers == []


async def test_a_daemon_that_has_lost_its_port_says_so(tmp_path: Path) -> None:
    taps = Taps()
    command = Command(tmp_path, "/dev/none")
    from sensed.han.port import PortCause, PortLost

    taps.put(PortLost("/dev/x", PortCause.PERMISSION))
    server = ControlServer(tmp_path / "control", {}, {"capture": taps.stream})
    task = asyncio.create_task(server.run())
    await until((tmp_path / "control").exists)
    try:
        code, err = await command.run()
    finally:
        taps.close()
        task.cancel()
        await asyncio.wait([task])
    assert code == 2
    assert "/dev/x: permission denied; add the user to the group dialout." in err


@pytest.mark.parametrize("options", [["--seconds", "0"], ["--seconds", "nan"], ["--bytes", "0"]])
def test_limits_are_checked(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capture", *options, "x"]) == 2
    assert "give a number" in capsys.readouterr().err


def test_places_that_cannot_be_written_are_told_first(tmp_path: Path) -> None:
    from sensed.capture.recording import Recording

    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (tmp_path, fifo, Path("/dev/null")):
        with pytest.raises(ConfigError, match="is no file"):
            Recording(path)
    with pytest.raises(ConfigError, match="No such file"):
        Recording(tmp_path / "nowhere" / "file")


def test_an_older_file_is_replaced_whole_or_left(tmp_path: Path) -> None:
    from sensed.capture.recording import Recording

    path = tmp_path / "capture"
    path.write_text("old")
    path.chmod(0o644)
    with Recording(path) as recording:
        recording.write("new")
    assert path.read_text() == "old"
    with Recording(path) as recording:
        recording.write("new")
        recording.keep()
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_capture_is_played_as_it_came(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    telegrams = MeterSimulator(METERS["kaifa-3ph"], seed=1).telegrams()
    wires = [next(telegrams).wire for _ in range(3)]
    path = tmp_path / "capture"
    lines = "".join(f"{wire.hex()} # {at}.5\n" for at, wire in enumerate(wires))
    path.write_text(f"# sensed capture 1\n# 0.0 line 2400 8E1\n{lines}")
    assert main(["simulate", "--replay", str(path), "--to", "-"]) == 0
    assert capsysbinary.readouterr().out == b"".join(wires)
    assert main(["simulate", "--replay", str(path), "--to", "-", "--seconds", "1.5"]) == 0
    assert capsysbinary.readouterr().out == b"".join(wires[:2])
    path.write_text("7ea0\n")
    assert main(["simulate", "--replay", str(path)]) == 2
    assert b"is no capture of sensed" in capsysbinary.readouterr().err
    assert main(["simulate", "--replay", str(tmp_path / "none")]) == 2
