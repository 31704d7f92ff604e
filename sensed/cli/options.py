"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

from sensed.control import default_path


def add_config(parser: argparse.ArgumentParser) -> None:
    """Declare where the administrator's configuration stands."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration (default: /etc/sensed/sensed.toml)",
    )


def add_socket(parser: argparse.ArgumentParser) -> None:
    """Declare where the daemon listens."""
    parser.add_argument(
        "--socket",
        type=Path,
        default=default_path(),
        help="the daemon's control socket (default: /run/sensed/control)",
    )
