"""``sensed doctor``: a read-only look at everything sensed depends on, with remedies.

Exit codes: 0 nothing fails (there may be warnings), 1 at least one check fails.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sensed import __version__
from sensed.cli.options import add_config, add_socket
from sensed.cli.progress import Progress
from sensed.events import escaped

if TYPE_CHECKING:
    from sensed.doctor import Finding

SUMMARY: Final = "look at all that sensed depends on and say what to do; nothing is changed"

EXIT_FAILS: Final = 1
_COLOURS: Final = {"ok": "\x1b[32m", "warn": "\x1b[33m", "fail": "\x1b[31m"}
_PLAIN: Final = "\x1b[0m"
_INDENT: Final = 23
_NARROWEST: Final = 60
_WIDEST: Final = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    add_config(parser)
    add_socket(parser)
    parser.epilog = (
        "Adapter, meter, light, Bluetooth, NetworkManager, polkit, Wi-Fi, clock and the way to "
        "the broker are looked at; a running daemon is asked and not disturbed. fail: readings "
        "do not come or do not get through. warn: something else does not work, or this user "
        "cannot see it; root sees most. "
        "Exit status: 0 nothing fails, 1 at least one check fails."
    )


def main(args: argparse.Namespace) -> int:
    """Examine and show the findings; return 1 if any fails."""
    from sensed.doctor import Level, Place, examine, worst

    progress = Progress()
    progress.show("Looking")
    try:
        findings = asyncio.run(examine(Place(config=args.config, socket=args.socket)))
    finally:
        progress.clear()
    print(_as_json(findings) if args.json else render(findings))
    return EXIT_FAILS if worst(findings) is Level.FAIL else 0


def _as_json(findings: Sequence[Finding]) -> str:
    from sensed.doctor import worst

    told = [
        {
            "check": finding.check,
            "level": finding.level.value,
            "text": finding.text,
            "remedy": finding.remedy or None,
        }
        for finding in findings
    ]
    return json.dumps({"sensed": __version__, "worst": worst(findings).value, "findings": told})


def render(findings: Sequence[Finding]) -> str:
    """Return the findings for a person, each remedy beneath its finding."""
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    width = min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST)
    lines: list[str] = []
    for finding in findings:
        level = f"{finding.level.value:<4}"
        if coloured:
            level = f"{_COLOURS[finding.level]}{level}{_PLAIN}"
        first, *more = _wrapped(finding.text, width)
        lines += [f"{level}  {finding.check.replace('_', ' '):<15}  {first}"]
        lines += [" " * _INDENT + line for line in more]
        if finding.remedy:
            lines += [" " * _INDENT + line for line in _wrapped(f"-> {finding.remedy}", width)]
    return "\n".join(lines)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(escaped(text), width - _INDENT, break_on_hyphens=False) or [""]
