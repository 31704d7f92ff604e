"""``sensed setup find``, ``wifi``, ``mqtt`` and so on: set-up from a laptop over Bluetooth.

Exit codes: 0 well, 1 the device refused, 2 wrong use, 3 no device, 4 not this set-up code,
5 the connection failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sensed.cli.progress import Progress
from sensed.cli.setup_actions import ACTIONS, Action, Question, secret_from

if TYPE_CHECKING:
    from sensed.provisioning.encrypted import SetupCode
    from sensed.setup_client import Found

EXIT_REFUSED: Final = 1
EXIT_NO_DEVICE: Final = 3
EXIT_WRONG_CODE: Final = 4
EXIT_CONNECTION: Final = 5

_FIND_HELP: Final = "list the devices nearby that are open for set-up"
_EPILOG: Final = (
    "Exit status: 0 well, 1 the device refused, 2 wrong use, 3 no device, 4 not this set-up "
    "code, 5 the connection failed."
)
_SEARCH_S: Final = 20.0
_PROGRESS: Final = {
    "scanning": "looking for networks",
    "joining": "joining the network",
    "testing-broker": "trying the settings",
    "looking": "looking for brokers",
}


class _FailedError(Exception):
    """The command ends with this exit code, a stable word, and a sentence."""

    def __init__(self, code: int, word: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.word = word


def add_actions(commands: Any) -> None:
    """Declare the actions."""
    finder = commands.add_parser("find", help=_FIND_HELP, description=_FIND_HELP, epilog=_EPILOG)
    finder.add_argument("--seconds", type=float, default=8.0, help="how long to look (default: 8)")
    finder.set_defaults(act=_find)
    for name, action in ACTIONS.items():
        command = commands.add_parser(
            name, help=action.help, description=action.help, epilog=_EPILOG
        )
        action.arguments(command)
        command.add_argument(
            "--device",
            default="",
            metavar="NAME",
            help="name or address of the device, where there are several",
        )
        command.add_argument(
            "--code-file",
            type=Path,
            metavar="FILE",
            help="file with the set-up code (default: ask for it)",
        )
        command.set_defaults(act=_act, action=action)
    for name in ("find", *ACTIONS):
        commands.choices[name].add_argument(
            "--json", action="store_true", help="one JSON object on standard output"
        )


def _find(args: argparse.Namespace) -> int:
    def list_devices(answer: Mapping[str, Any]) -> str:
        return "\n".join(
            f"{one['name']:<30} {one['address']}  {one['rssi_dbm']} dBm"
            for one in answer["devices"]
        )

    return _ending(args, lambda progress: _devices(args.seconds, progress), list_devices)


def _act(args: argparse.Namespace) -> int:
    action: Action = args.action
    # What the person has to be asked for comes before the radio.
    question = action.prepare(args)
    code = _code(args.code_file)

    def talk(progress: Progress) -> Mapping[str, Any]:
        return asyncio.run(_talk(args.device, code, question, progress))

    return _ending(args, talk, action.render)


def _ending(
    args: argparse.Namespace,
    work: Callable[[Progress], Mapping[str, Any]],
    render: Callable[[Any], str],
) -> int:
    """Do the work; print its answer or its error, and return the exit code."""
    from sensed.provisioning.encrypted import End, SessionEndedError
    from sensed.setup_client import LinkLostError, RequestRefusedError

    progress = Progress()
    try:
        answer = work(progress)
    except _FailedError as failed:
        code, what = failed.code, {"error": failed.word, "text": str(failed)}
    except RequestRefusedError as refused:
        code, what = EXIT_REFUSED, {"error": refused.code, "text": str(refused)}
        if refused.key:
            what["key"] = refused.key
    except SessionEndedError as ended:
        wrong = ended.why in (None, End.WRONG_CODE, End.LOCKED)
        code = EXIT_WRONG_CODE if wrong else EXIT_CONNECTION
        word = "unverified" if ended.why is None else ended.why.name.lower().replace("_", "-")
        what = {"error": word, "text": str(ended)}
    except LinkLostError as lost:
        code, what = EXIT_CONNECTION, {"error": "connection", "text": str(lost)}
    else:
        print(json.dumps(answer, ensure_ascii=False) if args.json else render(answer))
        return 0
    finally:
        progress.clear()
    if args.json:
        print(json.dumps(what, ensure_ascii=False))
    else:
        print(f"sensed: {what['text']}", file=sys.stderr)
    return code


def _devices(seconds: float, progress: Progress) -> Mapping[str, Any]:
    from sensed.setup_client import find

    progress.show("looking around")
    found = asyncio.run(find(seconds))
    if not found:
        raise _none_found()
    return {
        "devices": [
            {"name": one.name, "address": one.address, "rssi_dbm": one.rssi_dbm} for one in found
        ]
    }


async def _talk(
    wanted: str, code: SetupCode, question: Question, progress: Progress
) -> Mapping[str, Any]:
    from sensed.setup_client import conversation, find

    progress.show("looking for the device")
    device = _chosen(await find(_SEARCH_S, wanted=wanted), wanted)
    progress.show(f"connecting to {device.name}")
    async with conversation(device, code) as talk:

        async def ask(do: str, **arguments: Any) -> Mapping[str, Any]:
            progress.show("asking")
            return await talk.ask(
                do, lambda word: progress.show(_PROGRESS.get(word, word)), **arguments
            )

        return await question(ask)


def _chosen(around: list[Found], wanted: str) -> Found:
    meant = [one for one in around if not wanted or one.is_called(wanted)]
    if not meant:
        raise _none_found()
    if len(meant) > 1:
        names = ", ".join(f"{one.name} ({one.address})" for one in meant)
        raise _FailedError(EXIT_NO_DEVICE, "several", f"Say which one with --device: {names}.")
    return meant[0]


def _none_found() -> _FailedError:
    return _FailedError(
        EXIT_NO_DEVICE,
        "no-device",
        "No device is open for set-up: run sudo sensed setup open on it, or press its button.",
    )


def _code(file: Path | None) -> SetupCode:
    from sensed.provisioning.encrypted import SetupCode

    typed = secret_from(file, "Set-up code (on the label, or: sudo sensed setup code): ")
    # The QR code's text will do as well.
    _, _, fragment = typed.partition("#")
    for part in fragment.split("&"):
        if part.startswith("k="):
            typed = part[2:]
    return SetupCode.parse(typed.strip())
