"""Man pages: sensed(1) from the command line, sensed.toml(5) from the table of settings.

Source: man(7), man-pages(7).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any, Final

from sensed.config.schema import SECTIONS
from sensed.config.toml import toml_value
from sensed.events import EVENTS
from sensed.manual.model import Argument, Command

_EXIT_CODES: Final = (
    ("0", "All is well."),
    ("1", "The command found nothing, or failed."),
    ("2", "Wrong use, or a wrong configuration; one sentence on standard error says which."),
    ("130", "Interrupted."),
)
_ENVIRONMENT: Final = (
    ("NO_COLOR", "When set and not empty, nothing is coloured."),
    ("NOTIFY_SOCKET", "Where systemd is told that the daemon is ready, well, or going down."),
)
_FILES: Final = (
    ("/etc/sensed/sensed.toml", "The administrator's configuration; the daemon never writes it."),
    ("/var/lib/sensed/settings.toml", "What was set from a phone; /etc takes precedence."),
)


def command_page(program: Command, *, version: str, date: str) -> str:
    """Return sensed(1) as roff source."""
    lines = [*_head("SENSED", 1, version, date), ".SH NAME"]
    lines += [rf"sensed \- {_text(_clause(program.summary))}"]
    lines += [".SH SYNOPSIS", ".B sensed", r"[\fIoption\fR] \fIcommand\fR [\fIargument\fR ...]"]
    lines += [".SH OPTIONS", *_arguments(program.options), ".SH COMMANDS"]
    for command in program.walk():
        if not command.commands:
            lines += _command(command)
    lines += [".SH EXIT STATUS", *_table(_EXIT_CODES)]
    lines += [".SH ENVIRONMENT", *_table(_ENVIRONMENT), ".SH FILES", *_table(_FILES)]
    lines += [".SH JOURNAL", *_journal()]
    lines += [".SH SEE ALSO", r".BR sensed.toml (5), \ journalctl (1), \ systemctl (1)"]
    return "\n".join(lines) + "\n"


def settings_page(*, version: str, date: str) -> str:
    """Return sensed.toml(5) as roff source."""
    lines = [*_head("SENSED.TOML", 5, version, date), ".SH NAME"]
    lines += [r"sensed.toml \- configuration of sensed", ".SH SYNOPSIS", "/etc/sensed/sensed.toml"]
    lines += [".SH DESCRIPTION"]
    lines += [
        _text("The file is TOML. A key that is set here cannot be changed from a phone; what a")
    ]
    lines += [_text("phone set in /var/lib/sensed/settings.toml applies to the other keys.")]
    lines += [_text("Unknown sections and keys are refused. Say whether the file is right with:")]
    lines += [".PP", ".RS", r".B sensed run \-\-check\-config", ".RE", ".PP"]
    lines += [_text("The daemon reads it again on: systemctl reload sensed.")]
    for section, holder in SECTIONS.items():
        lines += [f".SH [{section}]", _text((holder.__doc__ or "").strip())]
        for item in fields(holder):
            lines += [".TP", rf"\fB{_text(item.name)}\fR = {_text(toml_value(item.default))}"]
            lines += [_text(item.metadata["help"])]
    lines += [".SH SEE ALSO", ".BR sensed (1)"]
    return "\n".join(lines) + "\n"


def _head(title: str, section: int, version: str, date: str) -> list[str]:
    manual = {1: "User Commands", 5: "File Formats"}[section]
    return [
        '.\\" Generated from the program itself.',
        f'.TH {title} {section} "{date}" "sensed {version}" "{manual}"',
        ".nh",
        ".ad l",
    ]


def _command(command: Command) -> Iterator[str]:
    yield f".SS {_text(' '.join(command.path))}"
    if command.summary:
        yield _text(_sentence(command.summary))
    yield ".PP"
    yield _text(command.usage)
    yield from _arguments((*command.arguments, *command.options))


def _arguments(arguments: Sequence[Argument]) -> Iterator[str]:
    for argument in arguments:
        if argument.flags == ("-h", "--help"):
            continue
        value = rf"\fI{_text(argument.metavar)}\fR"
        flags = ", ".join(rf"\fB{_text(flag)}\fR" for flag in argument.flags)
        yield ".TP"
        yield " ".join(part for part in (flags, value if argument.takes_value else "") if part)
        yield _text(_sentence(argument.help))


def _table(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    for name, meaning in rows:
        yield from (".TP", rf".B {_text(name)}", _text(meaning))


def _journal() -> Iterator[str]:
    yield _text("Each event has a name, in the field SENSED_EVENT, and explains itself with:")
    yield from (".PP", ".RS", r".B journalctl \-u sensed \-x", ".RE", ".PP")
    for name, kind in EVENTS.items():
        yield from (".TP", rf".B {_text(name)}", _text(f"({kind.level}) {kind.sentence}"))


def _clause(words: str) -> str:
    return words[:1].lower() + words[1:].rstrip(".")


def _sentence(words: str) -> str:
    if words.split(" ", maxsplit=1)[0].isalpha():
        words = words[:1].upper() + words[1:]
    return words if not words or words.endswith((".", "?", ")")) else words + "."


def _text(words: Any) -> str:
    shown = " ".join(str(words).split()).replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + shown if shown.startswith((".", "'")) else shown
