"""What goes wrong between meter and reader, as composable, seeded transformers of telegrams.

Each fault takes telegrams and gives telegrams; one that it changed is marked ``hit``.
Faults hold no clock and do no I/O: silence is telegrams that never come.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from sensed.simulator.meter import MeterSimulator, Telegram
from sensed.simulator.meters import METERS
from sensed.simulator.model import MeterModel

Transform = Callable[[Iterable[Telegram]], Iterator[Telegram]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of damage.

    ``rate_of`` says what a rate of 1 means; ``make`` builds the transformer from the
    rate, a seeded source of randomness and the meter that sends.
    """

    name: str
    description: str
    default_rate: float
    rate_of: str
    make: Callable[[float, random.Random, MeterModel], Transform]


def with_faults(
    telegrams: Iterable[Telegram],
    faults: Sequence[tuple[str, float | None]],
    *,
    model: MeterModel,
    seed: int = 0,
) -> Iterator[Telegram]:
    """Yield ``telegrams`` through the named faults in order; None takes a fault's default rate.

    KeyError for a name that is not in :data:`FAULTS`.
    """
    stream = iter(telegrams)
    for index, (name, rate) in enumerate(faults):
        fault = FAULTS[name]
        source = random.Random(f"fault/{index}/{name}/{seed}")  # noqa: S311 - a model, no secret
        used_rate = fault.default_rate if rate is None else rate
        stream = fault.make(used_rate, source, model)(stream)
    return stream


# -- damage to octets ------------------------------------------------------------


def _per_octet(
    change: Callable[[bytearray, int, random.Random], None],
) -> Callable[[float, random.Random, MeterModel], Transform]:
    """Make a fault that changes single octets, last first, so that positions stay true."""

    def make(rate: float, source: random.Random, _model: MeterModel) -> Transform:
        def damage(wire: bytes) -> bytes:
            positions = list(_struck(len(wire), rate, source))
            if not positions:
                return wire
            changed = bytearray(wire)
            for position in reversed(positions):
                change(changed, position, source)
            return bytes(changed)

        return _on_wire(damage)

    return make


def _struck(count: int, rate: float, source: random.Random) -> Iterator[int]:
    """Yield positions struck with probability ``rate`` each, by the gaps between them."""
    if rate <= 0:
        return
    if rate >= 1:
        yield from range(count)
        return
    scale = math.log1p(-rate)
    position = -1
    while True:
        position += 1 + int(math.log(1.0 - source.random()) / scale)
        if position >= count:
            return
        yield position


def _on_wire(damage: Callable[[bytes], bytes]) -> Transform:
    def transform(telegrams: Iterable[Telegram]) -> Iterator[Telegram]:
        for telegram in telegrams:
            wire = damage(telegram.wire)
            yield telegram if wire == telegram.wire else replace(telegram, wire=wire, hit=True)

    return transform


def _lose(wire: bytearray, position: int, _source: random.Random) -> None:
    del wire[position]


def _flip(wire: bytearray, position: int, source: random.Random) -> None:
    wire[position] ^= 1 << source.randrange(8)


def _cut(rate: float, source: random.Random, _model: MeterModel) -> Transform:
    def damage(wire: bytes) -> bytes:
        return wire[: source.randrange(1, len(wire))] if source.random() < rate else wire

    return _on_wire(damage)


def _carriage_return(rate: float, source: random.Random, _model: MeterModel) -> Transform:
    def damage(wire: bytes) -> bytes:
        return wire.replace(b"\n", b"\r\n") if source.random() < rate else wire

    return _on_wire(damage)


def _line_ends(rate: float, source: random.Random, _model: MeterModel) -> Transform:
    """Append CR LF after a telegram: noise between frames, so no frame is hit."""

    def transform(telegrams: Iterable[Telegram]) -> Iterator[Telegram]:
        for telegram in telegrams:
            struck = source.random() < rate
            yield replace(telegram, wire=telegram.wire + b"\r\n") if struck else telegram

    return transform


def _wrong_parity(rate: float, source: random.Random, model: MeterModel) -> Transform:
    sent_with_parity = model.serial.endswith("8E1")

    def damage(wire: bytes) -> bytes:
        if source.random() >= rate:
            return wire
        return resample(wire, sent_with_parity=sent_with_parity)

    return _on_wire(damage)


def resample(wire: bytes, *, sent_with_parity: bool) -> bytes:
    """Return what a UART set to the other of 8E1 and 8N1 receives.

    An octet whose stop bit is missing arrives as 00, as a tty delivers it; one with a
    wrong parity bit arrives unchanged.
    """
    line: list[int] = [1]
    for octet in wire:
        data = [octet >> bit & 1 for bit in range(8)]
        line += [0, *data, *([sum(data) & 1] if sent_with_parity else []), 1]
    line += [1] * 12
    received = bytearray()
    at = 0
    stop = 9 if sent_with_parity else 10
    while at + stop < len(line):
        if line[at]:
            at += 1
            continue
        octet = sum(line[at + 1 + bit] << bit for bit in range(8))
        framed = line[at + stop]
        received.append(octet if framed else 0)
        at += stop + 1 if framed else stop
        while not framed and at < len(line) and not line[at]:
            at += 1
    return bytes(received)


def _seven_bit(rate: float, source: random.Random, _model: MeterModel) -> Transform:
    def damage(wire: bytes) -> bytes:
        return bytes(octet & 0x7F for octet in wire) if source.random() < rate else wire

    return _on_wire(damage)


# -- whole telegrams -------------------------------------------------------------

_SILENCE_S = 60.0
_SWAP_PAUSE_S = 5.0


def _silence(rate: float, source: random.Random, _model: MeterModel) -> Transform:
    def transform(telegrams: Iterable[Telegram]) -> Iterator[Telegram]:
        silent_until_s = -math.inf
        for telegram in telegrams:
            if telegram.at_s < silent_until_s:
                continue
            if source.random() < rate:
                silent_until_s = telegram.at_s + _SILENCE_S
                continue
            yield telegram

    return transform


def _replayed_hour(rate: float, source: random.Random, _model: MeterModel) -> Transform:
    def transform(telegrams: Iterable[Telegram]) -> Iterator[Telegram]:
        previous: Telegram | None = None
        for telegram in telegrams:
            if telegram.reading.energy_import_wh is None or telegram.kind == "list":
                yield telegram
            elif previous is not None and source.random() < rate:
                yield replace(previous, at_s=telegram.at_s)
            else:
                previous = telegram
                yield telegram

    return transform


def _meter_swap(rate: float, source: random.Random, model: MeterModel) -> Transform:
    """Take another meter of the same line that is read without keys and layout.

    It starts where the last one stopped.
    """
    others = [
        other
        for other in METERS.values()
        if other.serial == model.serial and not other.encrypted and not other.layout
    ]

    def transform(telegrams: Iterable[Telegram]) -> Iterator[Telegram]:
        current = iter(telegrams)
        shift_s = 0.0
        while True:
            telegram = next(current, None)
            if telegram is None:
                return
            yield replace(telegram, at_s=telegram.at_s + shift_s)
            if source.random() < rate:
                shift_s += telegram.at_s + _SWAP_PAUSE_S
                taken = MeterSimulator(source.choice(others), seed=source.randrange(1 << 30))
                current = taken.telegrams()

    return transform


_ALL = (
    Fault("byte-loss", "octets get lost", 0.001, "octet", _per_octet(_lose)),
    Fault("bit-flips", "single bits turn over", 0.0005, "octet", _per_octet(_flip)),
    Fault("cut-frames", "the end of a telegram is missing", 0.1, "telegram", _cut),
    Fault(
        "wrong-parity", "the reader has 8E1 for 8N1 or the reverse", 1.0, "telegram", _wrong_parity
    ),
    Fault("seven-bit", "the reader strips the eighth bit", 1.0, "telegram", _seven_bit),
    Fault("silence", "the meter says nothing for 60 s", 0.02, "telegram", _silence),
    Fault("crlf", "the adapter puts CR before every LF", 1.0, "telegram", _carriage_return),
    Fault("crlf-after", "the adapter adds CR LF after a telegram", 1.0, "telegram", _line_ends),
    Fault(
        "replayed-hour", "the previous hourly list comes again", 0.5, "hourly list", _replayed_hour
    ),
    Fault("meter-swap", "another meter takes over", 0.02, "telegram", _meter_swap),
)

FAULTS: Mapping[str, Fault] = MappingProxyType({fault.name: fault for fault in _ALL})
"""Every fault, by name."""
