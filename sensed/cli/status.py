"""``sensed status``: the indicator in words, each fact behind it and its age.

Exit codes: 0 active, 1 the daemon does not answer, 3 not configured, 4 no meter data,
5 no address, 6 no contact with the broker, 7 starting.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

from sensed.cli.options import add_socket
from sensed.control import request
from sensed.errors import PortError

SUMMARY: Final = "show the state in words, and each fact behind it"

EXIT_UNREACHABLE: Final = 1
EXIT_CODES: Final = {
    "active": 0,
    "not_configured": 3,
    "no_meter_data": 4,
    "no_ip": 5,
    "no_cloud": 6,
    "starting": 7,
}
_INTERVAL_S: Final = 1.0
_MARKS: Final = {True: "ok", False: "no", None: "?"}
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86400


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--watch", action="store_true", help="go on, once a second, until Ctrl-C")
    add_socket(parser)
    parser.epilog = (
        "Exit status: 0 active, 1 the daemon does not answer, 3 not configured, 4 no data "
        "from the meter, 5 no network address, 6 no contact with the broker, 7 starting."
    )


def main(args: argparse.Namespace) -> int:
    """Ask the daemon and show its answer; return the state's exit code."""
    while True:
        try:
            answer = request(args.socket, "status")
        except PortError as error:
            print(f"sensed: {error}", file=sys.stderr)
            if not args.watch:
                return EXIT_UNREACHABLE
        else:
            text = json.dumps(answer) if args.json else render(answer)
            print(text, flush=True)
            if not args.watch:
                return EXIT_CODES.get(str(answer["state"]), EXIT_UNREACHABLE)
        time.sleep(_INTERVAL_S)


def render(answer: Mapping[str, Any]) -> str:
    """Return the answer as a small table."""
    lines = [f"{answer['words']} ({age(answer['age_s'])})"]
    for name, fact in answer["facts"].items():
        words = fact["detail"] or fact["cause"] or ""
        holds, since = _MARKS[fact["holds"]], age(fact["age_s"])
        lines.append(f"  {name.replace('_', ' '):<15} {holds:<3} {since:>7}  {words}".rstrip())
    meter = answer["meter"]
    if meter["last_list_age_s"] is not None:
        lines.append(f"  last list       {age(meter['last_list_age_s'])} ago")
    history = answer["history"]
    if history and (history["waiting"] or history["dropped"]):
        waiting, dropped = history["waiting"], history["dropped"]
        lost = f", {dropped} lost for want of room" if dropped else ""
        lines.append(f"  history         {waiting} readings wait for the broker{lost}")
    return "\n".join(lines)


def age(seconds: float) -> str:
    """Return a length of time for a person: 12 s, 3 min, 5 h, 2 d."""
    for unit_s, unit in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds >= unit_s:
            return f"{int(seconds // unit_s)} {unit}"
    return f"{int(seconds)} s"
