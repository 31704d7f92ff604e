"""What decoding a telegram costs: sensed beside its peers, in one process.

Run ``python -m benchmarks.decode`` with amshan, gurux-dlms and smartmeter-datacollector
installed; who is missing is left out. Telegrams come from the simulator.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import islice
from time import process_time_ns
from typing import Any

from sensed.han import HanDecoder, ListDecoded
from sensed.simulator import DEFAULT_START, METERS, MeterSimulator

Run = Callable[[], list[Any]]

_TELEGRAMS = (
    ("Aidon list 1", "aidon-3ph-tn", "list1"),
    ("Aidon list 2", "aidon-3ph-tn", "list2"),
    ("Aidon list 3", "aidon-3ph-tn", "list3"),
    ("Aidon Sweden", "aidon-se", "list"),
    ("Kaifa list 1", "kaifa-3ph", "list1"),
    ("Kaifa list 2", "kaifa-3ph", "list2"),
    ("Kaifa list 3", "kaifa-3ph", "list3"),
    ("Kamstrup list 1", "kamstrup-3ph", "list1"),
    ("Kamstrup list 2", "kamstrup-3ph", "list2"),
)
_ROUNDS = 7
_ROUND_NS = 60_000_000
_GROWTH = (1, 10, 100)
_GROWTH_ROUNDS = 5
_CHUNK = 16_384  # octets at a time, as ``sensed decode`` hands them over


def telegrams(model: str, kind: str, count: int) -> list[bytes]:
    """Return telegrams of one kind and meter, an hour apart: every value differs.

    Those whose check ends in 7D are passed over: amshan drops them as aborted.
    """
    return [
        next(
            telegram.wire
            for telegram in MeterSimulator(
                METERS[model], start=DEFAULT_START + timedelta(hours=hour)
            ).telegrams()
            if telegram.kind == kind and not telegram.wire.endswith(b"\x7d\x7e")
        )
        for hour in range(count)
    ]


def sensed_run(wires: list[bytes]) -> Run:
    """Decode with sensed, framing and reading included."""
    decoder = HanDecoder()

    def run() -> list[Any]:
        events: list[Any] = []
        for wire in wires:
            events += decoder.receive(wire)
        return events

    if not all(isinstance(event, ListDecoded) for event in run()):
        sys.exit("sensed did not decode its own telegrams")
    return run


def octetwise_run(wires: list[bytes]) -> Run:
    """Decode with sensed, one octet at a time."""
    decoder = HanDecoder()
    return lambda: [decoder.receive(wire[n : n + 1]) for wire in wires for n in range(len(wire))]


def amshan_run(wires: list[bytes]) -> Run:
    """Decode with amshan, framing included."""
    from han.autodecoder import AutoDecoder
    from han.hdlc import HdlcFrameReader

    decoder = AutoDecoder()
    return lambda: [
        decoder.decode_message(HdlcFrameReader(False, True).read(wire)[0]) for wire in wires
    ]


def gurux_run(wires: list[bytes]) -> Run:
    """Decode with gurux-dlms to its object tree; it yields no named quantities."""
    from gurux_dlms import GXByteBuffer, GXDLMSClient, GXReplyData
    from gurux_dlms.enums import InterfaceType

    client = GXDLMSClient(True, 1, 1, interfaceType=InterfaceType.HDLC)

    def run() -> list[Any]:
        values = []
        for wire in wires:
            buffer, notification = GXByteBuffer(), GXReplyData()
            buffer.set(wire)
            client.getData(buffer, GXReplyData(), notification)
            values.append(notification.value)
        return values

    return run


def collector_run(wires: list[bytes]) -> Run:
    """Decode with smartmeter-datacollector's parser, framing included."""
    import logging

    from smartmeter_datacollector.smartmeter.cosem import Cosem
    from smartmeter_datacollector.smartmeter.hdlc_dlms_parser import HdlcDlmsParser

    logging.getLogger("smartmeter").setLevel(logging.CRITICAL)
    parser = HdlcDlmsParser(Cosem("bench"))

    def decode(wire: bytes) -> Any:
        parser.append_to_hdlc_buffer(wire)
        if not parser.extract_data_from_hdlc_frames():
            return None
        moment = parser.extract_message_time()
        objects = parser.parse_to_dlms_objects()
        return parser.convert_dlms_bundle_to_reader_data(objects, moment) if objects else None

    return lambda: [decode(wire) for wire in wires]


PEERS: dict[str, tuple[str, Callable[[list[bytes]], Run]]] = {
    "amshan": ("han", amshan_run),
    "gurux": ("gurux_dlms", gurux_run),
    "collector": ("smartmeter_datacollector", collector_run),
}


def cost_us(runs: dict[str, Run], per_run: int) -> dict[str, float]:
    """Return the least cost of one telegram in microseconds; contestants take turns."""
    best = dict.fromkeys(runs, float("inf"))
    repeats = {}
    for name, run in runs.items():
        started = process_time_ns()
        run()
        repeats[name] = max(1, _ROUND_NS // (process_time_ns() - started + 1) // 4)
    for _ in range(_ROUNDS):
        for name, run in runs.items():
            started = process_time_ns()
            for _ in range(repeats[name]):
                run()
            spent = process_time_ns() - started
            best[name] = min(best[name], spent / repeats[name] / per_run / 1000)
    return best


def peers_here() -> dict[str, Callable[[list[bytes]], Run]]:
    """Return the peers that are installed."""
    return {
        name: make
        for name, (package, make) in PEERS.items()
        if importlib.util.find_spec(package) is not None
    }


def reads(run: Run) -> bool:
    """Tell whether a peer gets anything out of its telegrams; some fail on lists unknown."""
    try:
        return any(run())
    except (TypeError, ValueError):
        return False


def costs() -> Iterator[tuple[str, int, dict[str, float]]]:
    """Yield each telegram's name, octets and cost by contestant; who gets nothing is left out."""
    peers = peers_here()
    for label, model, kind in _TELEGRAMS:
        wires = telegrams(model, kind, 4)
        runs = {"sensed": sensed_run(wires), "octetwise": octetwise_run(wires)}
        runs |= {name: make(wires) for name, make in peers.items()}
        silent = {name for name in peers if not reads(runs[name])}
        able = {name: run for name, run in runs.items() if name not in silent}
        yield label, len(wires[0]), cost_us(able, len(wires))


def compare() -> None:
    """Print cost relative to amshan, and how many times as fast sensed is."""
    peers = peers_here()
    columns = ["sensed", "octetwise", *peers]
    print(
        f"{'telegram':<18}{'octets':>7}"
        + "".join(f"{name:>11}" for name in columns)
        + f"{'faster':>9}"
    )
    for label, octets, cost in costs():
        base = cost.get("amshan", cost["sensed"])
        shares = "".join(
            f"{cost[name] / base:>11.4f}" if name in cost else f"{'no result':>11}"
            for name in columns
        )
        print(f"{label:<18}{octets:>7}{shares}{base / cost['sensed']:>8.1f}x")
    if "amshan" not in peers:
        print("amshan is not installed: costs are relative to sensed itself")


def growth() -> None:
    """Print the cost of an octet for one, ten and a hundred times the input, and its growth."""
    print("\nns per octet at   " + "".join(f"{times:>9}x" for times in _GROWTH) + "    growth")
    inputs = {
        "frames": b"".join(
            telegram.wire
            for telegram in islice(MeterSimulator(METERS["aidon-3ph-tn"]).telegrams(), 100)
        ),
        "false headers": b"\x7e\xa7\xff" * 3000,
        "with line ends": b"\x7e\xa7\x0d\x0a" * 2300,
        "M-Bus starts": b"\x68" * 9000,
        "readout heads": b"/ABC5\r\n" * 1300,
        "random": bytes((n * n * 31 + n * 7) >> 3 & 0xFF for n in range(9000)),
    }
    for label, unit in inputs.items():
        costs = dict.fromkeys(_GROWTH, float("inf"))
        for _ in range(_GROWTH_ROUNDS):
            for times in _GROWTH:
                data = unit * times
                decoder = HanDecoder()
                started = process_time_ns()
                for at in range(0, len(data), _CHUNK):
                    decoder.receive(data[at : at + _CHUNK])
                decoder.silence()
                costs[times] = min(costs[times], (process_time_ns() - started) / len(data))
        shown = "".join(f"{cost:>10.0f}" for cost in costs.values())
        print(f"{label:<18}{shown}{costs[_GROWTH[-1]] / costs[_GROWTH[0]]:>9.2f}x")


def main() -> int:
    """Run both tables."""
    argparse.ArgumentParser(prog="python -m benchmarks.decode", description=__doc__).parse_args()
    compare()
    growth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
