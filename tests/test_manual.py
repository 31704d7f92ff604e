from __future__ import annotations

import argparse
import shutil
import subprocess
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from sensed.cli import build_parser
from sensed.config import load_config
from sensed.config.schema import SECTIONS, Config
from sensed.events import EVENTS
from sensed.manual import completion, man
from sensed.manual.__main__ import write
from sensed.manual.example import example_settings
from sensed.manual.model import Command, read_parser


@pytest.fixture(scope="module")
def program() -> Command:
    return read_parser(build_parser())


@pytest.fixture
def small() -> Command:
    parser = argparse.ArgumentParser(prog="lamp", description="Be a lamp.")
    commands = parser.add_subparsers()
    light = commands.add_parser("light", help="it's bright: [on]")
    light.add_argument("-c", "--colour", choices=("red", "green"), help="one of (two)")
    light.add_argument("--from", metavar="FILE", help="100%% of a .file")
    light.add_argument("place", choices=("here", "there"))
    setup = commands.add_parser("set-up", help="begin").add_subparsers()
    setup.add_parser("find", help="look around").add_argument("file", metavar="FILE")
    return read_parser(parser)


def test_the_example_sets_nothing_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "sensed.toml"
    path.write_text(example_settings(), encoding="utf-8")

    assert load_config(path, state=None) == Config()


def test_the_example_shows_each_key_with_its_default(tmp_path: Path) -> None:
    shown = "\n".join(
        line.removeprefix("#") if line.startswith("#") and not line.startswith("# ") else line
        for line in example_settings().splitlines()
        if line != "#"
    )
    path = tmp_path / "sensed.toml"
    path.write_text(shown, encoding="utf-8")

    assert load_config(path, state=None) == Config()
    assert {name: set(table) for name, table in tomllib.loads(shown).items()} == {
        name: {item.name for item in fields(holder)} for name, holder in SECTIONS.items()
    }


def test_the_manual_knows_each_command_and_option(program: Command) -> None:
    page = man.command_page(program, version="1", date="2026-01-01").replace("\\-", "-")

    for command in program.walk():
        if not command.commands:
            assert f".SS {' '.join(command.path)}\n" in page
        for option in command.options:
            for flag in option.flags:
                assert flag in ("-h", "--help") or f"\\fB{flag}\\fR" in page
    assert all(f".B {name}\n" in page for name in EVENTS)


def test_the_manual_knows_each_setting() -> None:
    page = man.settings_page(version="1", date="2026-01-01").replace("\\-", "-")

    for section, holder in SECTIONS.items():
        assert f".SH [{section}]" in page
        for item in fields(holder):
            assert f"\\fB{item.name}\\fR = " in page
            assert item.metadata["help"] in page


def test_the_pages_are_sound_roff(program: Command, small: Command) -> None:
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("needs groff, which is not installed")
    for page in (
        man.command_page(program, version="1", date="2026-01-01"),
        man.command_page(small, version="1", date="2026-01-01"),
        man.settings_page(version="1", date="2026-01-01"),
    ):
        done = subprocess.run(
            [groff, "-man", "-Tutf8", "-ww", "-z"],
            input=page.encode(),
            capture_output=True,
            check=True,
        )
        assert done.stderr == b""


def test_text_that_looks_like_roff_is_shown_as_text(small: Command) -> None:
    page = man.command_page(small, version="1", date="2026-01-01")

    assert "100% of a .file." in page.replace("\\-", "-")
    assert "\n'" not in page


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("lamp ", ["light", "set-up"]),
        ("lamp l", ["light"]),
        ("lamp --", ["--help"]),
        ("lamp light ", ["here", "there"]),
        ("lamp light --c", ["--colour"]),
        ("lamp light -c ", ["red", "green"]),
        ("lamp light --colour g", ["green"]),
        ("lamp set-up ", ["find"]),
        ("lamp light --from no", ["notes"]),
        ("lamp set-up find ", ["notes"]),
    ],
)
def test_bash_offers_what_fits(
    typed: str, offered: list[str], small: Command, tmp_path: Path
) -> None:
    (tmp_path / "notes").touch()
    words = typed.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    script = (
        f"{completion.bash(small)}\nCOMP_WORDS=({quoted}) COMP_CWORD={len(words) - 1}\n"
        "_lamp\nprintf '%s\\n' \"${COMPREPLY[@]}\""
    )

    done = subprocess.run(
        ["bash", "-euc", script], capture_output=True, check=True, text=True, cwd=tmp_path
    )

    assert done.stdout.split() == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_is_sound(shell: str, program: Command, small: Command) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}, which is not installed")
    for commands in (program, small):
        script = getattr(completion, shell)(commands)
        done = subprocess.run(
            [shell, "-n"], input=script, capture_output=True, check=True, text=True
        )
        assert done.stderr == ""


def test_zsh_and_fish_quote_what_they_would_interpret(small: Command) -> None:
    assert "light:it'\"'\"'s bright\\: \\[on\\]" in completion.zsh(small)
    assert "-d 'it\\'s bright: [on]'" in completion.fish(small)


def test_everything_is_written_with_the_builds_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")

    write(tmp_path)

    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "_sensed",
        "sensed",
        "sensed.1",
        "sensed.fish",
        "sensed.toml",
        "sensed.toml.5",
    ]
    assert '"1970-01-01"' in (tmp_path / "sensed.1").read_text(encoding="utf-8")
