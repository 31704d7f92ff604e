"""``sensed simulate`` as its user meets it."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sensed.cli import simulate
from sensed.errors import ConfigError
from sensed.simulator import METERS, TEST_KEY
from sensed.simulator.faults import FAULTS

PROGRAM = """
import argparse, sys
from sensed.cli import simulate
parser = argparse.ArgumentParser()
simulate.add_arguments(parser)
sys.exit(simulate.main(parser.parse_args()))
"""


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sensed simulate")
    simulate.add_arguments(parser)
    return parser.parse_args(arguments)


def started(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def captured(capture: pytest.CaptureFixture[bytes], *arguments: str) -> bytes:
    assert simulate.main(parsed("--to", "-", *arguments)) == 0
    written = capture.readouterr()
    assert written.err == b""
    return written.out


def test_captures_are_the_same_every_time_and_bounded(
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    meter = ("--meter", "kaifa-3ph", "--seed", "4")
    capture = captured(capsysbinary, *meter, "--count", "6")
    assert capture == captured(capsysbinary, *meter, "--seconds", "11")
    assert capture.count(b"\x7e\xa0") == 6


def test_faults_and_key_reach_the_wire(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    meter = ("--meter", "kamstrup-dk", "--count", "2")
    clean = captured(capsysbinary, *meter)
    other = captured(capsysbinary, *meter, "--key", "00" * 16)
    assert len(clean) == len(other)
    assert clean != other
    assert captured(capsysbinary, *meter, "--key", TEST_KEY.hex()) == clean
    assert len(captured(capsysbinary, *meter, "--fault", "cut-frames=1")) < len(clean)


def test_the_list_names_every_meter_and_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(parsed("--list")) == 0
    words = capsys.readouterr().out.split()
    assert set(words) >= {*METERS, *FAULTS}


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_and_nothing_is_left(tmp_path: Path, ending: int) -> None:
    link = tmp_path / "meter"
    with started("--to", f"pty:{link}", "--meter", "p1-dsmr5") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().decode().strip() == str(link)
        reader = os.open(link, os.O_RDONLY | os.O_NOCTTY)
        assert os.read(reader, 100)
        process.send_signal(ending)
        assert process.wait(10) == 0
        assert process.stderr.read() == b""
        os.close(reader)
    assert list(tmp_path.iterdir()) == []


def test_a_tcp_port_says_where_it_listens() -> None:
    with started("--to", "tcp:127.0.0.1:0", "--speed", "50") as process:
        assert process.stdout is not None
        address = process.stdout.readline().decode().strip()
        host, _, port = address.removeprefix("socket://").partition(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            assert connection.recv(10)
        process.terminate()
        assert process.wait(10) == 0


def test_the_true_pace_is_the_default() -> None:
    began_s = time.monotonic()
    with started("--to", "pty", "--meter", "kaifa-3ph", "--count", "1") as process:
        assert process.wait(20) == 0
    assert time.monotonic() - began_s > 122 / METERS["kaifa-3ph"].octets_per_s


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--meter", "aidon-3ph-nt"], "did you mean aidon-3ph"),
        (["--meter", "gasmeter"], "--list"),
        (["--fault", "byte-lost"], "did you mean byte-loss"),
        (["--fault", "byte-loss=2"], "from 0 to 1"),
        (["--fault", "byte-loss=x"], "from 0 to 1"),
        (["--meter", "kamstrup-dk", "--key", "abc"], "32 hexadecimal"),
        (["--key", "00" * 16], "does not encrypt"),
        (["--speed", "0"], "above 0"),
        (["--to", "elsewhere"], "--to"),
        (["--to", "tcp:localhost"], "--to"),
        (["--to", "tcp:localhost:99999"], "--to"),
    ],
)
def test_a_wrong_argument_is_one_sentence(arguments: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        simulate.main(parsed(*arguments))


def test_help_fits_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    parser = argparse.ArgumentParser(prog="sensed simulate", description=simulate.SUMMARY)
    simulate.add_arguments(parser)
    assert max(map(len, parser.format_help().splitlines())) <= 80
