"""``sensed decode``: readings on stdout and nothing else, diagnostics on stderr."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from sensed.cli import main
from sensed.han import READING_KEYS
from sensed.simulator import METERS, TEST_AUTHENTICATION_KEY, TEST_KEY, MeterSimulator
from tests.han.encode import hdlc
from tests.han.simulated import telegrams

NAMES = ["aidon-3ph-it", "kaifa-3ph", "kamstrup-1ph", "p1-se", "aidon-se"]


def wire(name: str) -> bytes:
    return b"".join(telegram.wire for telegram in telegrams(name))


def expected(name: str) -> list[dict[str, Any]]:
    return [telegram.reading.present() for telegram in telegrams(name)]


def decode_file(tmp_path: Path, data: bytes, *options: str) -> int:
    path = tmp_path / "capture"
    path.write_bytes(data)
    return main(["decode", *options, str(path)])


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line, parse_float=Decimal) for line in text.splitlines()]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["bin", "hex", "colons"])
@pytest.mark.parametrize("option", ["auto", "stated"])
def test_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, form: str, option: str
) -> None:
    data = wire(name)
    hexed = data.hex(":" if form == "colons" else " ", 1).upper()
    text = "\n".join(hexed[at : at + 77] for at in range(0, len(hexed), 77)) + "\n"
    given = ["--input", "bin" if form == "bin" else "hex"] if option == "stated" else []
    assert decode_file(tmp_path, data if form == "bin" else text.encode(), *given) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert objects(out) == expected(name)


def test_json_keys_are_in_order_and_numbers_exact(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert decode_file(tmp_path, wire("kaifa-3ph")) == 0
    for line in capsys.readouterr().out.splitlines():
        keys = list(json.loads(line))
        assert keys == [key for key in READING_KEYS if key in keys]
        shown = json.loads(line, parse_float=str)
        for key in ("current_l1_a", "voltage_l1_v"):
            if key in shown:
                assert len(shown[key].partition(".")[2]) == (3 if "current" in key else 1)


def test_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert decode_file(tmp_path, wire("kaifa-3ph"), "--format", "table") == 0
    out = capsys.readouterr().out
    assert "Kaifa, kaifa-no-list2-3ph\n" in out
    assert max(len(line) for line in out.splitlines()) <= 80


def test_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = wire("kamstrup-dk")
    keys = ["--key", TEST_KEY.hex(), "--auth-key", TEST_AUTHENTICATION_KEY.hex()]
    assert decode_file(tmp_path, data, *keys) == 0
    out, err = capsys.readouterr()
    assert objects(out) == expected("kamstrup-dk")
    assert err == ""

    assert decode_file(tmp_path, data, *keys[:2]) == 0
    out, err = capsys.readouterr()
    assert objects(out) == expected("kamstrup-dk")
    assert err.count("unverified") == 1

    assert decode_file(tmp_path, data) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "--key" in err

    assert decode_file(tmp_path, data, "--key", "ff" * 16, *keys[2:]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "probably wrong" in err


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        (["--key", "abc"], "hex digits"),
        (["--key", "ab" * 15], "32 hex digits"),
        (["--auth-key", "ab" * 16], "--key"),
    ],
)
def test_wrong_keys_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], remedy: str
) -> None:
    assert decode_file(tmp_path, b"", *options) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert remedy in err
    assert len(err.splitlines()) == 1
    assert options[1] not in err


def test_missing_file_and_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (tmp_path / "none", tmp_path):
        assert main(["decode", str(path)]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("data", [b"", b"\n", b"\x00" * 50, b"7e", b"7e a"])
def test_nothing_found(tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes) -> None:
    assert decode_file(tmp_path, data) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "no reading" in err


def test_damage_is_told_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sent = [telegram.wire for telegram in telegrams("kaifa-3ph")]
    spoilt = bytearray(sent[1])
    spoilt[-2] ^= 1
    assert decode_file(tmp_path, b"".join([b"\x80" * 9, sent[0], bytes(spoilt), sent[2]])) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert "9 octets discarded" in err
    assert "bad frame check" in err


def test_every_kind_of_diagnosis_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ciphered = telegrams("kamstrup-dk")[0].wire
    crlf = b"".join(t.wire for t in telegrams("aidon-se")).replace(b"\n", b"\r\n")
    other = telegrams("iskraemeco-am550")[0].wire
    broken = hdlc(b"\xe6\xe7\x00\xc4")
    key = ["--key", TEST_KEY.hex()]
    assert decode_file(tmp_path, ciphered * 2 + broken + crlf + other, *key) == 0
    err = capsys.readouterr().err
    for words in (
        "read unverified",
        "repeated telegram",
        "holds no list: no APDU of this port: c4",
        "set the port raw",
        "unknown list: date-time standard: structure(",
        "lists repeated 1",
    ):
        assert words in err


def test_progress_is_shown_to_who_watches() -> None:
    """Standard error is a terminal, standard output is not."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "sensed", "decode"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=theirs,
        bufsize=0,
    )
    os.close(theirs)
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        first, second = telegrams("kaifa-3ph")[:2]
        process.stdin.write(first.wire)
        assert process.stdout.readline()
        time.sleep(1.1)
        process.stdin.write(second.wire)
        assert process.stdout.readline()
        process.stdin.close()
        assert process.wait(10) == 0
    assert b" MB" in os.read(ours, 1000)
    os.close(ours)


def test_diagnostics_are_bounded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert decode_file(tmp_path, b"\x7e\xa7\xff\x01\x01\x01" * 2000) == 1
    assert len(capsys.readouterr().err.splitlines()) < 110


def test_a_stray_character_costs_the_rest_of_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = wire("kaifa-3ph").hex()
    text = f"log\n{good}\n12x4\n{good}\n"
    assert decode_file(tmp_path, text.encode(), "--input", "hex") == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2 * len(telegrams("kaifa-3ph"))
    assert "line 1" in err
    assert "line 3" in err


@pytest.mark.parametrize("option", ["auto", "hex"])
def test_remarks_are_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    good = wire("kaifa-3ph").hex()
    text = f"# begun 2026\n{good[:100]} # 0.1234\n\n{good[100:]} # 0.5\n# 1.0 line 2400 8E1\n"
    assert decode_file(tmp_path, text.encode(), "--input", option) == 0
    out, err = capsys.readouterr()
    assert objects(out) == expected("kaifa-3ph")
    assert err == ""


def test_raw_octets_are_told_from_text_in_little_time(tmp_path: Path) -> None:
    """However much of the beginning looks like hex text with remarks."""
    data = b"#a#b" * 4000 + b"\n\x7e" + wire("kaifa-3ph")
    began_s = time.monotonic()
    assert decode_file(tmp_path, data) == 0
    assert time.monotonic() - began_s < 5


@pytest.mark.parametrize("form", ["bin", "hex"])
def test_a_stream_is_printed_as_it_comes(form: str) -> None:
    """Each list is out before the next one goes in."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sensed", "decode"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        for telegram in telegrams("kaifa-3ph")[:5]:
            data = telegram.wire if form == "bin" else telegram.wire.hex().encode() + b"\n"
            os.write(process.stdin.fileno(), data)
            line = process.stdout.readline()
            assert telegram.reading is not None
            assert json.loads(line, parse_float=Decimal) == telegram.reading.present()
        process.stdin.close()
        assert process.wait(10) == 0


def test_blank_chunks_do_not_decide_the_form() -> None:
    telegram = telegrams("p1-se")[0]
    process = subprocess.Popen(
        [sys.executable, "-m", "sensed", "decode"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        for piece in (b"\r\n", telegram.wire[:1], telegram.wire[1:]):
            os.write(process.stdin.fileno(), piece)
            time.sleep(0.2)
        process.stdin.close()
        assert len(process.stdout.readlines()) == 1


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_days_frames_take_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "day.hex"
    frames = 0
    with path.open("w") as capture:
        for telegram in islice(MeterSimulator(METERS["aidon-3ph-tn"]).telegrams(), 43_000):
            capture.write(telegram.wire.hex() + "\n")
            frames += 1
    with (
        path.open("rb") as capture,
        subprocess.Popen(
            [sys.executable, "-m", "sensed", "decode"], stdin=capture, stdout=subprocess.PIPE
        ) as process,
    ):
        assert process.stdout is not None
        came = 0
        for came, _ in enumerate(process.stdout, 1):
            if came == frames - 2_000:
                # Not getrusage(2): a child's peak begins with that of who started it.
                status = Path(f"/proc/{process.pid}/status").read_text()
                peak_kib = int(status.split("VmHWM:")[1].split()[0])
        assert came == frames
        assert process.wait() == 0
    assert peak_kib < 60 * 1024


def test_help_fits_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["decode", "--help"])
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 80


def test_a_layout_reads_a_list_that_does_not_tell_its_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "iskraemeco-am550"
    layout = ", ".join(METERS[name].layout)
    assert decode_file(tmp_path, wire(name), "--layout", layout) == 0
    assert objects(capsys.readouterr().out) == expected(name)
    assert decode_file(tmp_path, wire(name)) == 1
    assert "unknown list: " in capsys.readouterr().err


def test_a_wrong_layout_is_told_with_the_nearest_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert decode_file(tmp_path, b"", "--layout", "meter_id,-,power_import") == 2
    assert "'power_import' is neither, did you mean power_import_w" in capsys.readouterr().err
