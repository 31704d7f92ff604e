from __future__ import annotations

import os
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from sensed import config
from sensed.cli import main
from sensed.label import Matrix, label_svg, qr_matrix, qr_svg, terminal_lines
from sensed.provisioning import SetupState, read_code

SVG = "{http://www.w3.org/2000/svg}"
TEXT = "https://page.example/#v=1&k=0123456789ABCDEFGHJKW&n=sensed"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(config, "STATE_PATH", tmp_path / "settings.toml")
    return tmp_path


@pytest.fixture
def etc(tmp_path: Path) -> str:
    path = tmp_path / "etc.toml"
    path.write_text('[device]\nname = "Kåre & <sons>"\n[setup]\npage = "https://page.example/"\n')
    return str(path)


def modules_of(lines: list[str], *, light_drawn: bool) -> list[list[int]]:
    """Read half blocks back into rows of modules."""
    halves = {" ": (0, 0), "\u2580": (1, 0), "\u2584": (0, 1), "\u2588": (1, 1)}
    return [
        [halves[char][half] ^ light_drawn for char in line] for line in lines for half in (0, 1)
    ]


def bare(rows: list[list[int]], size: int) -> list[list[int]]:
    """Take the quiet zone away, of which nothing may be dark."""
    inner = [row[4 : 4 + size] for row in rows[4 : 4 + size]]
    assert sum(map(sum, rows)) == sum(map(sum, inner))
    assert len(rows[0]) == size + 8
    assert len(rows) >= size + 8
    return inner


def painted(path: str, size: int) -> list[list[int]]:
    """Paint an SVG path of runs on a grid."""
    grid = [[0] * size for _ in range(size)]
    for run in path.split("M")[1:]:
        place, length = run.split("h")[:2]
        x, y = map(int, place.split())
        for step in range(int(length.split("v")[0])):
            grid[y][x + step] = 1
    return grid


def plain(matrix: Matrix) -> list[list[int]]:
    return [list(row) for row in matrix]


def test_the_terminal_shows_each_module() -> None:
    matrix = qr_matrix(TEXT)
    size = len(matrix)
    uncoloured = list(terminal_lines(matrix, coloured=False))
    assert bare(modules_of(uncoloured, light_drawn=True), size) == plain(matrix)
    coloured = list(terminal_lines(matrix, coloured=True))
    assert all(line.startswith("\x1b[30;107m") and line.endswith("\x1b[0m") for line in coloured)
    inner = [line.removeprefix("\x1b[30;107m").removesuffix("\x1b[0m") for line in coloured]
    assert bare(modules_of(inner, light_drawn=False), size) == plain(matrix)
    assert max(map(len, uncoloured)) <= 80
    assert len(uncoloured) <= 24


def test_the_matrix_is_a_qr_code() -> None:
    matrix = plain(qr_matrix(TEXT))
    size = len(matrix)
    finder = [[1] * 7, [1, 0, 0, 0, 0, 0, 1], *[[1, 0, 1, 1, 1, 0, 1]] * 3]
    finder += [finder[1], finder[0]]
    for top, left in ((0, 0), (0, size - 7), (size - 7, 0)):
        assert [row[left : left + 7] for row in matrix[top : top + 7]] == finder
    assert [matrix[6][x] for x in range(8, size - 8)] == [1, 0] * ((size - 17) // 2) + [1]


def test_the_drawings_show_each_module_and_are_well_formed() -> None:
    matrix = qr_matrix(TEXT)
    drawing = ET.fromstring(qr_svg(matrix))
    *_, path = drawing.iter(f"{SVG}path")
    assert painted(path.attrib["d"], len(matrix)) == plain(matrix)
    label = ET.fromstring(label_svg(matrix, name="x" * 99 + "<&", code="A-B-C"))
    assert (label.attrib["width"], label.attrib["height"]) == ("62mm", "29mm")
    assert [text.text for text in label.iter(f"{SVG}text")] == ["x" * 21 + "\u2026", "A", "B", "C"]


def test_the_code_is_shown_with_its_page(
    folder: Path, etc: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = SetupState(folder, 0.0).code
    capsys.readouterr()
    assert code is not None
    assert main(["setup", "code", "--config", etc]) == 0
    shown = capsys.readouterr()
    assert f"Set-up code of Kåre & <sons>: {code.grouped}\n" in shown.out
    assert "\nhttps://page.example/\n" in shown.out
    matrix = qr_matrix(code.address("https://page.example/", "Kåre & <sons>"))
    assert "\n".join(terminal_lines(matrix, coloured=False)) in shown.out
    assert shown.err == ""


def test_without_a_page_there_is_a_code_and_no_qr_code_that_leads_nowhere(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = SetupState(folder, 0.0).code
    capsys.readouterr()
    assert code is not None
    etc = tmp_path / "etc.toml"
    etc.write_text("")
    assert main(["setup", "code", "--config", str(etc)]) == 0
    told, remedy = capsys.readouterr().out.splitlines()
    assert told == f"Set-up code of sensed: {code.grouped}"
    assert "setup.page" in remedy
    for drawing in ("--svg", "--label"):
        assert main(["setup", "code", "--config", str(etc), drawing, "-"]) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert "setup.page" in shown.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize(
    ("sudo", "owner"),
    [
        ({"SUDO_UID": "1234", "SUDO_GID": "5678"}, (1234, 5678)),
        ({"SUDO_UID": "root"}, (0, os.getegid())),
        ({}, (0, os.getegid())),
    ],
)
def test_under_sudo_files_belong_to_who_called_it(
    folder: Path,
    etc: str,
    monkeypatch: pytest.MonkeyPatch,
    sudo: dict[str, str],
    owner: tuple[int, int],
) -> None:
    SetupState(folder, 0.0)
    for name in ("SUDO_UID", "SUDO_GID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in sudo.items():
        monkeypatch.setenv(name, value)
    label = folder / "label.svg"
    assert main(["setup", "code", "--config", etc, "--label", str(label)]) == 0
    there = label.stat()
    assert (there.st_uid, there.st_gid, there.st_mode & 0o777) == (*owner, 0o600)


def test_files_are_this_user_s_alone(
    folder: Path, etc: str, capsys: pytest.CaptureFixture[str]
) -> None:
    SetupState(folder, 0.0)
    capsys.readouterr()
    label, qr = folder / "label.svg", folder / "qr.svg"
    arguments = ["--config", etc, "--label", str(label), "--svg", str(qr)]
    assert main(["setup", "code", *arguments]) == 0
    for file in (label, qr):
        assert file.stat().st_mode & 0o777 == 0o600
        ET.parse(file)
    assert read_code(folder).grouped.split("-")[1] in label.read_text()
    assert "keep it as you keep a key" in capsys.readouterr().err
    assert main(["setup", "code", "--config", etc, "--svg", "-"]) == 0
    assert capsys.readouterr().out == qr.read_text()
    assert main(["setup", "code", "--config", etc, "--svg", str(folder / "no" / "x")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_what_is_missing_is_told(
    folder: Path, etc: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["setup", "code", "--config", etc]) == 2
    assert "no set-up code yet" in capsys.readouterr().err
    (folder / "setup-code").write_text("nonsense")
    assert main(["setup", "code", "--config", etc]) == 2
    assert "cannot be read" in capsys.readouterr().err
    (folder / "setup-code").unlink()
    code = SetupState(folder, 0.0).code
    assert code is not None
    monkeypatch.setitem(sys.modules, "segno", None)
    assert main(["setup", "code", "--config", etc]) == 0
    shown = capsys.readouterr()
    assert code.grouped in shown.out
    assert "\nOpen this page and type the code:\n" in shown.out
    assert "python3-segno" in shown.err
    assert main(["setup", "code", "--config", etc, "--svg", "-"]) == 2
