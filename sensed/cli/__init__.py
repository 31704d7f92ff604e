"""The ``sensed`` command: one program, one module per command.

Exit codes: 0 well, 1 the command found nothing or failed, 2 wrong use or
configuration, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final

from sensed import __version__
from sensed.errors import SensedError

COMMANDS: Final = (
    "run",
    "demo",
    "decode",
    "capture",
    "doctor",
    "setup",
    "simulate",
    "status",
)

EXIT_WRONG_USE: Final = 2
EXIT_INTERRUPTED: Final = 130


def build_parser(names: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """Return the parser of the whole command line, or of some commands of it."""
    parser = argparse.ArgumentParser(
        prog="sensed",
        description="Read a smart meter's HAN port, show its state on a light, relay the readings.",
    )
    parser.add_argument("--version", action="version", version=f"sensed {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in names:
        module = importlib.import_module(f"sensed.cli.{name}")
        command = commands.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        module.add_arguments(command)
        command.set_defaults(main=module.main)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    words = sys.argv[1:] if argv is None else argv
    # The daemon has no use for the other commands and what they import.
    named = [name for name in words[:1] if name in COMMANDS]
    args = build_parser(named or COMMANDS).parse_args(words)
    try:
        code: int = args.main(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except (SensedError, BrokenPipeError) as error:
        return _ended_by(error)
    except BaseExceptionGroup as group:
        foreseen, bugs = group.split((SensedError, BrokenPipeError))
        if foreseen is None or bugs is not None:
            raise
        return _ended_by(_first(foreseen))
    return code


def _ended_by(error: BaseException) -> int:
    if isinstance(error, BrokenPipeError):
        # The reader of our output has gone: not a failure, and nothing more can be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    print(f"sensed: {error}", file=sys.stderr)
    return EXIT_WRONG_USE


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
