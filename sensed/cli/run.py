"""``sensed run``: the daemon, in the foreground."""

from __future__ import annotations

import argparse
import asyncio
from typing import Final

from sensed.cli.options import add_config

SUMMARY: Final = "run the daemon in the foreground (what systemd starts)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_config(parser)
    parser.add_argument(
        "--check-config", action="store_true", help="only say whether the configuration is right"
    )
    parser.add_argument(
        "--log-format",
        choices=("auto", "json"),
        default="auto",
        help="how events are written to standard error (default: auto)",
    )


def main(args: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT."""
    from sensed.config import SettingsStore, load_config

    config = load_config(args.config)
    if args.check_config:
        from sensed.daemon.meter import check_port
        from sensed.daemon.settings import check

        check(config)
        check_port(config.meter.port)
        print("The configuration is right.")
        return 0

    from sensed.daemon import run_daemon
    from sensed.log import configure_logging

    configure_logging(config.log.level, args.log_format)
    asyncio.run(
        run_daemon(
            config,
            load=lambda: load_config(args.config),
            store=SettingsStore(args.config),
            on_accepted=lambda config: configure_logging(config.log.level, args.log_format),
        )
    )
    return 0
