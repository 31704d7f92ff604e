"""``sensed simulate``: a meter in software on a pty, a tty, a TCP port or standard output."""

from __future__ import annotations

import argparse
import asyncio
import difflib
import itertools
import math
import signal
import sys
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sensed.errors import ConfigError, WireError

if TYPE_CHECKING:
    from sensed.simulator import Keys, MeterModel, Telegram
    from sensed.simulator.play import Sink, Timed

_Timed = TypeVar("_Timed", bound="Timed")

SUMMARY = "be a meter: write its frames to a pty, a tty or a TCP port"

_DEFAULT_METER = "aidon-3ph-tn"
_KEY_OCTETS = 16
_PORT_MAX = 65535
_FLEET_S = 300.0
_AT_ONCE = 1e9
_USUAL_LINE = "2400 8E1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--meter", default=_DEFAULT_METER, help="meter type (see --list)")
    parser.add_argument("--list", action="store_true", help="list meter types and faults")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same octets")
    parser.add_argument(
        "--speed", type=float, help="simulated seconds per second (default 1; unpaced to -)"
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[=RATE]",
        help="damage the line, repeatable (see --list)",
    )
    parser.add_argument(
        "--to",
        default="pty",
        metavar="WHERE",
        help="pty[:LINK], tty:PATH, tcp:HOST:PORT, or - for standard output",
    )
    parser.add_argument("--count", type=int, metavar="N", help="end after N telegrams")
    parser.add_argument("--seconds", type=float, metavar="S", help="end after S simulated seconds")
    parser.add_argument("--key", metavar="HEX", help="encryption key of a ciphering meter")
    parser.add_argument(
        "--replay", metavar="FILE", help="play what sensed capture has recorded instead"
    )
    parser.add_argument(
        "--devices", type=int, metavar="N", help="be N whole devices on a broker instead"
    )
    parser.add_argument(
        "--broker",
        default="127.0.0.1:1883",
        metavar="HOST:PORT",
        help="broker for --devices (default: 127.0.0.1:1883)",
    )


def main(args: argparse.Namespace) -> int:
    """Run the command; ConfigError for a wrong argument, PortError for an unusable target."""
    if args.list:
        _print_list()
        return 0
    if args.devices is not None:
        return _fleet(args)
    if args.replay is not None:
        return _replay(args)
    model, telegrams = damaged_meter(args.meter, args.seed, args.fault, args.key)
    bounded = _bounded(telegrams, args.count, args.seconds)
    speed = _speed(args.speed, unpaced=args.to == "-")
    asyncio.run(_run(bounded, args.to, speed, model.octets_per_s, model.serial))
    return 0


def _replay(args: argparse.Namespace) -> int:
    """Play a capture at its own pace, from its first octet on."""
    from sensed.capture import Piece, read

    try:
        with Path(args.replay).open(encoding="ascii", errors="replace") as file:
            recorded = read(file)
    except OSError as error:
        raise ConfigError(f"--replay: {args.replay}: {error.strerror}.") from None
    except WireError as error:
        raise ConfigError(f"--replay: {args.replay} is no capture of sensed: {error}.") from None
    began_s = recorded.pieces[0].at_s if recorded.pieces else 0.0
    pieces = (Piece(piece.at_s - began_s, piece.wire) for piece in recorded.pieces)
    bounded = _bounded(pieces, args.count, args.seconds)
    speed = _speed(args.speed, unpaced=args.to == "-")
    asyncio.run(_run(bounded, args.to, speed, _AT_ONCE, recorded.line or _USUAL_LINE))
    return 0


def _fleet(args: argparse.Namespace) -> int:
    """Be many devices for ``--seconds``; return 1 when readings still wait at the end."""
    from sensed.simulator import METERS
    from sensed.simulator.fleet import FleetReport, FleetSettings, run_fleet
    from sensed.uplink import BrokerSettings

    def tell(report: FleetReport) -> None:
        print(
            f"{report.connected} of {report.devices} connected, {report.lists} lists sent, "
            f"{report.waiting} waiting",
            file=sys.stderr,
        )

    host, port = _address("--broker", args.broker)
    settings = FleetSettings(
        broker=BrokerSettings(host=host, port=port, device_id="device"),
        devices=args.devices,
        seconds=args.seconds or _FLEET_S,
        seed=args.seed,
    )
    model = METERS[_known(args.meter, METERS, "meter")]
    report = asyncio.run(run_fleet(settings, model, on_report=tell))
    tell(report)
    return 1 if report.waiting else 0


def _address(option: str, text: str) -> tuple[str, int]:
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdecimal() or not 0 < int(port) <= _PORT_MAX:
        raise ConfigError(f"{option}: give HOST:PORT.")
    return host.strip("[]"), int(port)


def damaged_meter(
    name: str, seed: int, faults: Iterable[str], key: str | None = None
) -> tuple[MeterModel, Iterator[Telegram]]:
    """Return a meter by the names given on the command line, and its telegrams.

    Raises ConfigError for a name, rate or key that is wrong.
    """
    from sensed.simulator import METERS, MeterSimulator
    from sensed.simulator.faults import with_faults

    model = METERS[_known(name, METERS, "meter")]
    simulator = MeterSimulator(model, seed=seed, keys=_keys(key, model))
    chosen = [_fault(text) for text in faults]
    return model, with_faults(simulator.telegrams(), chosen, model=model, seed=seed)


def _print_list() -> None:
    from sensed.simulator import METERS
    from sensed.simulator.faults import FAULTS

    for model in METERS.values():
        print(f"{model.name:20} {model.serial:12} {model.description}")
    print("\nFaults (rate per octet or telegram):")
    for fault in FAULTS.values():
        print(f"{fault.name:16} {fault.default_rate:<7} per {fault.rate_of:12} {fault.description}")


def _known(name: str, names: Collection[str], what: str) -> str:
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else "sensed simulate --list shows them all."
    raise ConfigError(f"Unknown {what} {name!r}: {hint}")


def _fault(text: str) -> tuple[str, float | None]:
    from sensed.simulator.faults import FAULTS

    name, given, rate_text = text.partition("=")
    _known(name, FAULTS, "fault")
    if not given:
        return name, None
    try:
        rate = float(rate_text)
    except ValueError:
        rate = math.nan
    if not 0 <= rate <= 1:
        raise ConfigError(f"--fault {name}: the rate must be a number from 0 to 1.")
    return name, rate


def _keys(text: str | None, model: MeterModel) -> Keys | None:
    from sensed.simulator import Keys

    if text is None:
        return None
    if not model.encrypted:
        raise ConfigError(f"--key: {model.name} does not encrypt; leave the key out.")
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != _KEY_OCTETS:
        raise ConfigError("--key: give 32 hexadecimal digits.")
    return Keys(encryption=key)


def _speed(given: float | None, *, unpaced: bool) -> float:
    if given is None:
        return math.inf if unpaced else 1.0
    if not given > 0:
        raise ConfigError("--speed: give a number above 0.")
    return given


def _bounded(
    telegrams: Iterable[_Timed], count: int | None, seconds: float | None
) -> Iterator[_Timed]:
    stream = iter(telegrams)
    if seconds is not None:
        stream = itertools.takewhile(lambda telegram: telegram.at_s < seconds, stream)
    return itertools.islice(stream, count)


async def _run(
    telegrams: Iterable[Timed], where: str, speed: float, octets_per_s: float, line: str
) -> None:
    from sensed.simulator.play import play

    sink = await _sink(where, line)
    playing = asyncio.ensure_future(play(telegrams, sink, octets_per_s=octets_per_s, speed=speed))
    for ending in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(ending, playing.cancel)
    try:
        await playing
    except asyncio.CancelledError:
        if not playing.cancelled():
            raise
    finally:
        await sink.close()


async def _sink(where: str, line: str) -> Sink:
    """Open the target and say on standard output where a reader finds it."""
    from sensed.simulator.play import FileSink, PtySink, TcpSink, TtySink

    kind, _, rest = where.partition(":")
    if where == "-":
        return FileSink(sys.stdout.buffer)
    if kind == "pty":
        pty = PtySink(Path(rest) if rest else None)
        print(pty.device, flush=True)
        return pty
    if kind == "tty" and rest:
        return TtySink(rest, line)
    host, separator, port = rest.rpartition(":")
    if kind == "tcp" and separator and port.isdecimal() and int(port) <= _PORT_MAX:
        tcp = await TcpSink.listen(host.strip("[]"), int(port))
        print(tcp.url, flush=True)
        return tcp
    raise ConfigError("--to: give pty[:LINK], tty:PATH, tcp:HOST:PORT or -.")
