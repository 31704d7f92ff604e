"""``sensed setup code``: the set-up code with its QR code, for a terminal or for paper."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sensed.cli.options import add_config
from sensed.errors import ConfigError, PortError, SensedError

if TYPE_CHECKING:
    from sensed.provisioning.encrypted import SetupCode

SUMMARY = "show the set-up code and its QR code"

_SET_PAGE: Final = "set setup.page to the address of the set-up page: man sensed.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the action's arguments."""
    add_config(parser)
    parser.add_argument("--svg", metavar="FILE", help="write the QR code as SVG; - for stdout")
    parser.add_argument(
        "--label",
        metavar="FILE",
        help="write a label of 62 x 29 mm to print, as SVG; - for standard output",
    )


def show_code(args: argparse.Namespace) -> int:
    """Print the code, or write what was asked for."""
    from sensed.config import load_config
    from sensed.label import label_svg, qr_matrix, qr_svg

    config = load_config(args.config)
    code = _code()
    page = config.setup.page
    if args.svg or args.label:
        if page is None:
            raise ConfigError(f"A QR code leads to the set-up page: {_SET_PAGE}.")
        matrix = qr_matrix(code.address(page, config.device.name))
        if args.svg:
            _write(args.svg, qr_svg(matrix))
        if args.label:
            _write(args.label, label_svg(matrix, name=config.device.name, code=code.grouped))
        return 0
    scans = page is not None and _print_qr(code.address(page, config.device.name))
    print(f"Set-up code of {config.device.name}: {code.grouped}")
    if page is None:
        print(f"For a QR code, {_SET_PAGE}.")
        return 0
    scan = "Scan the QR code with a phone, or open" if scans else "Open"
    print(f"{scan} this page and type the code:")
    print(page)
    return 0


def _code() -> SetupCode:
    from sensed.config import STATE_PATH
    from sensed.provisioning.setup_state import CODE_FILE, read_code

    path = STATE_PATH.with_name(CODE_FILE)
    try:
        return read_code(path.parent)
    except PermissionError:
        raise PortError(f"{path}: only for root and the user sensed; use sudo.") from None
    except (FileNotFoundError, NotADirectoryError):
        raise PortError(
            "There is no set-up code yet: the daemon makes it when it starts."
        ) from None
    except (OSError, ConfigError) as error:
        raise PortError(f"{path}: cannot be read ({error}).") from None


def _print_qr(address: str) -> bool:
    """Print the QR code; return whether that was possible."""
    from sensed.label import qr_matrix, terminal_lines

    try:
        matrix = qr_matrix(address)
    except SensedError as error:
        print(error, file=sys.stderr)
        return False
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print("\n".join(terminal_lines(matrix, coloured=coloured)))
    return True


def _write(target: str, text: str) -> None:
    from sensed.private_file import write_private

    if target == "-":
        sys.stdout.write(text)
        return
    try:
        # Whoever reads it can set the device up.
        write_private(Path(target), text.encode(), owner=_caller())
    except OSError as error:
        raise ConfigError(f"{target}: cannot be written ({error.strerror}).") from None
    print(f"{target} is written; keep it as you keep a key.", file=sys.stderr)


def _caller() -> tuple[int, int] | None:
    """Return who has called sudo, which reading the code takes: they are to print the label."""
    if os.geteuid() != 0:
        return None
    try:
        return int(os.environ["SUDO_UID"]), int(os.environ["SUDO_GID"])
    except (KeyError, ValueError):
        return None
