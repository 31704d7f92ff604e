"""``sensed capture``: what the meter's port really delivers, into a file.

Exit codes: 0 something was recorded, 1 not one octet came.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sensed.cli.options import add_config, add_socket
from sensed.cli.progress import Progress
from sensed.errors import ConfigError

if TYPE_CHECKING:
    from sensed.capture.capture import Tally
    from sensed.capture.recording import Recording

SUMMARY: Final = "record what the meter's port really delivers, for support"

_SECONDS: Final = 60.0
_MOST_SECONDS: Final = 7 * 86400.0
_OCTETS: Final = 1_000_000
_MOST_OCTETS: Final = 1_000_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--seconds",
        type=float,
        default=_SECONDS,
        metavar="S",
        help="end after S seconds (default: 60)",
    )
    parser.add_argument(
        "--bytes",
        type=int,
        default=_OCTETS,
        metavar="N",
        help="end after N octets (default: 1000000)",
    )
    add_config(parser)
    add_socket(parser)
    parser.add_argument("file", type=Path, metavar="FILE", help="the capture to write")
    parser.epilog = (
        "A running daemon goes on reading and gives a copy; without one the port is opened. "
        "Ctrl-C ends early and keeps what has come. The file is text: sensed decode reads it, "
        "sensed simulate --replay plays it. It holds the household's consumption and the "
        "meter's number: only its owner may read it; give it to people you trust. "
        "Exit status: 0 something was recorded, 1 not one octet came."
    )


def main(args: argparse.Namespace) -> int:
    """Record; return 1 when nothing came. Raises ConfigError, PortError or SensedError."""
    from sensed.capture.recording import Recording
    from sensed.log import configure_logging

    if not 0 < args.seconds <= _MOST_SECONDS:
        raise ConfigError(f"--seconds: give a number above 0, up to {_MOST_SECONDS:.0f}.")
    if not 0 < args.bytes <= _MOST_OCTETS:
        raise ConfigError(f"--bytes: give a number from 1 to {_MOST_OCTETS}.")
    configure_logging("error", "auto")
    progress = Progress()
    try:
        with Recording(args.file) as recording:
            tally = asyncio.run(_record(args, recording, progress))
            if tally.octets:
                recording.keep()
    finally:
        progress.clear()
    if not tally.octets:
        print(
            f"sensed: Not one byte came from {tally.device or 'the port'} in {tally.at_s:.0f} s: "
            "check the cable, and ask the grid company whether the HAN port is open.",
            file=sys.stderr,
        )
        return 1
    lost = f", {tally.missed} more were missed" if tally.missed else ""
    print(
        f"{args.file}: {tally.octets} octets in {tally.at_s:.0f} s{lost}. "
        "They tell what the household uses.",
        file=sys.stderr,
    )
    return 0


async def _record(args: argparse.Namespace, recording: Recording, progress: Progress) -> Tally:
    from sensed.capture.capture import Tally, capture, source
    from sensed.config import load_config

    tally = Tally()

    def show() -> None:
        progress.show(f"{tally.at_s:.0f} of {args.seconds:.0f} s, {tally.octets} octets")

    recorded = asyncio.ensure_future(
        capture(
            recording,
            source(lambda: load_config(args.config), args.socket),
            tally,
            seconds=args.seconds,
            most_octets=args.bytes,
            on_tally=show,
        )
    )
    for ending in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(ending, recorded.cancel)
    await asyncio.wait([recorded])
    if not recorded.cancelled():
        recorded.result()
    return tally
