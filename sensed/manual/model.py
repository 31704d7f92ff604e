"""The command line as plain data, read out of its argparse parser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_FILE_METAVARS: Final = frozenset({"FILE", "PATH", "DEVICE", "DIR", "DIRECTORY"})


@dataclass(frozen=True, slots=True)
class Argument:
    """An option (with ``flags``) or a positional argument (without)."""

    flags: tuple[str, ...]
    metavar: str
    help: str
    choices: tuple[str, ...]
    takes_value: bool

    @property
    def names_file(self) -> bool:
        """Whether the value is a path, which a shell can complete."""
        return self.takes_value and bool(
            _FILE_METAVARS.intersection(self.metavar.replace("|", " ").split())
        )


@dataclass(frozen=True, slots=True)
class Command:
    """A program, command or subcommand; ``path`` is what a person types."""

    path: tuple[str, ...]
    summary: str
    usage: str
    options: tuple[Argument, ...]
    arguments: tuple[Argument, ...]
    commands: tuple[Command, ...]

    @property
    def name(self) -> str:
        """The last word of the path."""
        return self.path[-1]

    def walk(self) -> Iterator[Command]:
        """Yield this command and everything beneath it."""
        yield self
        for command in self.commands:
            yield from command.walk()


def read_parser(
    parser: argparse.ArgumentParser, path: tuple[str, ...] = (), summary: str = ""
) -> Command:
    """Return ``parser`` and its subparsers as data."""
    path = path or (parser.prog,)
    options: list[Argument] = []
    arguments: list[Argument] = []
    commands: list[Command] = []
    # argparse offers no public way to enumerate what was declared.
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            commands += _subcommands(action, path)
        elif action.help != argparse.SUPPRESS:
            (options if action.option_strings else arguments).append(_argument(action, parser))
    return Command(
        path=path,
        summary=summary or parser.description or "",
        usage=" ".join(parser.format_usage().removeprefix("usage: ").split()),
        options=tuple(options),
        arguments=tuple(arguments),
        commands=tuple(commands),
    )


def _subcommands(action: argparse.Action, path: tuple[str, ...]) -> Iterator[Command]:
    summaries = {
        choice.dest: choice.help or ""
        for choice in action._choices_actions  # type: ignore[attr-defined]  # noqa: SLF001
    }
    parsers: dict[str, argparse.ArgumentParser] = dict(action.choices or {})
    for name, parser in parsers.items():
        yield read_parser(parser, (*path, name), summaries.get(name, ""))


def _argument(action: argparse.Action, parser: argparse.ArgumentParser) -> Argument:
    choices = tuple(str(choice) for choice in action.choices or ())
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    # argparse's own formatter knows how %(default)s and the like are filled in.
    formatter = parser._get_formatter()  # noqa: SLF001
    return Argument(
        flags=tuple(action.option_strings),
        metavar=metavar or ("|".join(choices) if choices else action.dest.upper()),
        help=formatter._expand_help(action) if action.help else "",  # noqa: SLF001
        choices=choices,
        takes_value=action.nargs != 0,
    )
