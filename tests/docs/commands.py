"""Whether a command that a document shows is there, with the options that it shows."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator

from sensed.cli import build_parser
from sensed.manual.model import Command, read_parser
from tests.docs.markdown import REPOSITORY

PARSER = build_parser()
PROGRAM = read_parser(PARSER)
_NEXT = re.compile(r"&&|\|\||[|;]")
_PLACEHOLDERS = ("…", "...")
_TO_SENSED = {"scripts/demo": ["demo"]}
_TO_PYTEST = ("scripts/test", "scripts/test-pi")


def commands_in(line: str) -> Iterator[list[str]]:
    """Yield the words of each of our commands in a line of shell, sudo left out."""
    for part in _NEXT.split(line):
        words = part.split()
        if words[:1] == ["sudo"]:
            del words[0]
        if words and _is_ours(words):
            with_quotes = shlex.split(" ".join(words), comments=True)
            yield [word for word in _unredirected(with_quotes) if word not in _PLACEHOLDERS]


def _is_ours(words: list[str]) -> bool:
    return (
        words[0] in ("sensed", ".venv/bin/sensed")
        or words[0].startswith("scripts/")
        or words[:2] in (["python3", "-m"], [".venv/bin/python", "-m"])
    )


def _unredirected(words: list[str]) -> list[str]:
    ends = [place for place, word in enumerate(words) if word.startswith((">", "<", "2>"))]
    return words[: ends[0]] if ends else words


def fault(words: list[str]) -> str | None:
    """Return what is wrong with a command, None if nothing is."""
    name, *arguments = words
    if name.startswith("scripts/"):
        return _script_fault(name, arguments)
    if name.endswith("sensed"):
        return _sensed_fault(arguments)
    return _module_fault(*arguments[1:])


def _sensed_fault(arguments: list[str]) -> str | None:
    if "COMMAND" in arguments or _is_path(PROGRAM, arguments):
        return None
    for option in (word.partition("=")[0] for word in arguments if word.startswith("--")):
        if option != "--help" and option not in _flags(PROGRAM, arguments):
            return f"there is no option {option}"
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            PARSER.parse_args(arguments)
    except SystemExit as end:
        if end.code:
            return said.getvalue().strip().splitlines()[-1]
    return None


def _is_path(command: Command, names: list[str]) -> bool:
    """Tell whether ``names`` only name a command: prose says so without its arguments."""
    if not names:
        return True
    below = {one.name: one for one in command.commands}
    return names[0] in below and _is_path(below[names[0]], names[1:])


def _flags(command: Command, words: list[str]) -> set[str]:
    """Return the options of the command that ``words`` name, none of them shortened."""
    for below in command.commands:
        if below.name in words[:1]:
            return _flags(below, words[1:])
    return {flag for option in command.options for flag in option.flags}


def _script_fault(name: str, arguments: list[str]) -> str | None:
    script = REPOSITORY / name
    if not script.is_file() or not script.stat().st_mode & 0o111:
        return f"{name} is not there"
    if name in _TO_SENSED:
        return _sensed_fault(_TO_SENSED[name] + arguments)
    return None if name in _TO_PYTEST else _option_fault(script.read_text(), arguments)


def _module_fault(module: str, *arguments: str) -> str | None:
    if module.partition(".")[0] not in ("benchmarks", "fuzz", "sensed", "tests"):
        return None
    path = REPOSITORY / module.replace(".", "/")
    source = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
    if not source.is_file():
        return f"there is no module {module}"
    return _option_fault(source.read_text(), list(arguments))


def _option_fault(source: str, arguments: list[str]) -> str | None:
    for argument in arguments:
        option = argument.partition("=")[0]
        if option.startswith("--") and not re.search(rf"{re.escape(option)}(?![\w-])", source):
            return f"there is no option {option}"
    return None
