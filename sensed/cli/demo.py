"""``sensed demo``: the whole main job without hardware, root or a broker."""

from __future__ import annotations

import argparse
import math
from typing import Final

from sensed.errors import ConfigError

SUMMARY: Final = "show the main job without hardware: simulated meter, broker and light"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--meter", default="aidon-3ph-tn", help="meter type (sensed simulate --list shows them)"
    )
    parser.add_argument("--seed", type=int, default=6, help="same seed, same household")
    parser.add_argument(
        "--speed", type=float, default=1.0, help="simulated seconds per second (default: 1)"
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[=RATE]",
        help="damage the line, repeatable (sensed simulate --list shows them)",
    )


def main(args: argparse.Namespace) -> int:
    """Run until Ctrl-C."""
    import asyncio
    import sys

    from sensed.cli.simulate import damaged_meter
    from sensed.demo import run_demo
    from sensed.log import configure_logging

    if not 0 < args.speed < math.inf:
        raise ConfigError("--speed: give a number above 0.")
    model, telegrams = damaged_meter(args.meter, args.seed, args.fault)
    configure_logging("error")
    asyncio.run(run_demo(model, telegrams, speed=args.speed, stream=sys.stdout))
    return 0
