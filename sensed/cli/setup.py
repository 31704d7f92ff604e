"""``sensed setup``: on the device open set-up or show its code; from a laptop set it up."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any, Final

from sensed.cli import setup_client, setup_code
from sensed.cli.options import add_socket
from sensed.errors import ConfigError

SUMMARY: Final = "on the device: let it be set up; on a laptop: set up a device nearby"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    commands = parser.add_subparsers(metavar="ACTION", required=True)
    for name, (help_text, act) in _ACTIONS.items():
        command = commands.add_parser(name, help=help_text, description=help_text)
        add_socket(command)
        if name == "reset":
            command.add_argument("--yes", action="store_true", help="do not ask")
        command.set_defaults(act=act)
    code = commands.add_parser("code", help=setup_code.SUMMARY, description=setup_code.SUMMARY)
    setup_code.add_arguments(code)
    code.set_defaults(act=setup_code.show_code)
    setup_client.add_actions(commands)


def main(args: argparse.Namespace) -> int:
    """Do what the action says."""
    code: int = args.act(args)
    return code


def _open(args: argparse.Namespace) -> int:
    answer = _ask(args, "setup-open")
    minutes = max(round(float(answer["open_s"]) / 60), 1)
    print(f"Set-up is open for {minutes} minutes: bring a phone near the device.")
    return 0


def _close(args: argparse.Namespace) -> int:
    _ask(args, "setup-close")
    print("Set-up is closed.")
    return 0


def _reset(args: argparse.Namespace) -> int:
    if not args.yes:
        try:
            sure = input("Forget the Wi-Fi networks and settings made in set-up? [y/N] ")
        except EOFError:
            raise ConfigError("Nothing was typed; --yes forgets them without asking.") from None
        if sure.strip().lower() not in ("y", "yes"):
            print("Nothing was changed.")
            return 1
    answer = _ask(args, "setup-reset")
    networks = int(answer["networks"])
    noun = "network" if networks == 1 else "networks"
    print(f"Forgot {networks} Wi-Fi {noun} and the settings made in set-up.")
    return 0


def _ask(args: argparse.Namespace, command: str) -> Mapping[str, Any]:
    from sensed.control import request

    return request(args.socket, command)


_ACTIONS: Final[Mapping[str, tuple[str, Callable[[argparse.Namespace], int]]]] = {
    "open": ("let a phone nearby set up the device, for some minutes", _open),
    "close": ("close set-up again", _close),
    "reset": ("forget the Wi-Fi networks and settings that set-up has made", _reset),
}
