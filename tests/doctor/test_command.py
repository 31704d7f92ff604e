from __future__ import annotations

import json
from pathlib import Path

import pytest

from sensed.cli import main
from sensed.doctor import CHECKS


def run(folder: Path, *arguments: str) -> int:
    config = folder / "sensed.toml"
    config.write_text('[meter]\nport = "/dev/none"\n')
    where = ("--config", str(config), "--socket", str(folder / "control"))
    return main(["doctor", *where, *arguments])


def test_json_is_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--json") == 1
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert err == ""
    assert out.count("\n") == 1
    assert told["worst"] == "fail"
    assert {finding["check"] for finding in told["findings"]} <= set(CHECKS)
    for finding in told["findings"]:
        assert set(finding) == {"check", "level", "text", "remedy"}
        assert (finding["remedy"] is None) == (finding["level"] == "ok")


def test_people_get_lines_that_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert run(tmp_path) == 1
    out, err = capsys.readouterr()
    assert err == ""
    assert "fail  daemon           The daemon is not running." in out
    assert "-> Start it: sudo systemctl start sensed." in out
    assert all(line.isprintable() and len(line) <= 80 for line in out.splitlines())
