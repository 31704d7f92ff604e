from __future__ import annotations

from pathlib import Path

import pytest

from sensed.daemon.memory import LineMemory
from sensed.han.port_settings import SerialSettings

KAMSTRUP = SerialSettings.parse("2400 8N1")


def test_what_worked_is_known_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "line"
    assert LineMemory(path).recall() is None
    LineMemory(path).keep(KAMSTRUP)
    assert LineMemory(path).recall() == KAMSTRUP
    assert [entry.name for entry in tmp_path.iterdir()] == ["line"]


def test_the_file_is_written_only_when_something_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "line"
    memory = LineMemory(path)
    memory.keep(KAMSTRUP)
    path.unlink()
    memory.keep(KAMSTRUP)
    assert not path.exists()
    memory.keep(SerialSettings.parse("2400 8E1"))
    assert path.read_text() == "2400 8E1\n"


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"2400", b"x" * 100_000, b"9 8N1"])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "line"
    path.write_bytes(content)
    assert LineMemory(path).recall() is None


def test_without_the_folder_nothing_fails(tmp_path: Path) -> None:
    LineMemory(tmp_path / "absent" / "line").keep(KAMSTRUP)
    assert not (tmp_path / "absent").exists()
