"""Mutated streams of every simulated meter through the decoder, for as long as asked.

Run ``python -m benchmarks.soak --megabytes 100``. Fails on an exception, on a reading
whose values no true telegram had, or on more resident memory than allowed.

Checks of 16 bits pass one damaged frame in 65,536 by chance, so that a false reading in
some hundred megabytes is no proof of a fault: look at what the frame lost.

Left out is what the wire cannot show in full:

* P1 readouts without a check value. Lines of another form, malformed codes and quantities
  sent twice are refused, and so are unchecked readouts of a meter that sent checked ones;
  a digit that turned into another digit is not seen.
* M-Bus telegrams under security 0x20 and 0x21, which have no tag, where damage kept the
  8-bit sums: one in 256 of telegrams hit in several octets. Damage to title, counter,
  codes, types, units and names is seen, for these never change in a meter's lists of one
  length once two were alike; damage to the value octets themselves is not.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from typing import NamedTuple

from sensed.han import HanDecoder, ListDecoded, MeterKeys, Reading
from sensed.simulator import METERS, TEST_AUTHENTICATION_KEY, TEST_KEY, MeterSimulator

MAX_RSS_MB = 60

_KEYS = MeterKeys(TEST_KEY, TEST_AUTHENTICATION_KEY)
_LAYOUT = METERS["iskraemeco-am550"].layout
_LARGEST_CHUNK = 700
_SILENCE = 0.02
_HIT = 0.3
_TELEGRAMS = 400
_UNCHECKED = "p1-nocrc"  # nothing on its wire tells damage from data


class Outcome(NamedTuple):
    """What a soak found."""

    octets: int
    readings: int
    false: list[str]
    rss_mb: float
    seconds: float
    counters: Counter[str]


def sums_hold(wire: bytes) -> bool:
    """Tell whether ``wire`` is a row of M-Bus long frames with right sums."""
    while wire:
        end = 4 + wire[1] if len(wire) > 1 else 0
        if wire[:1] != b"\x68" or len(wire) < end + 2 or sum(wire[4:end]) & 0xFF != wire[end]:
            return False
        wire = wire[end + 2 :]
    return True


def spoil(wire: bytes, dice: random.Random) -> bytes:
    """Return ``wire`` with one fault of the kinds that lines and adapters make."""
    data = bytearray(wire)
    place = dice.randrange(len(data))
    match dice.randrange(9):
        case 0:
            data[place] ^= 1 << dice.randrange(8)
        case 1:
            data[place] = dice.randrange(256)
        case 2:
            del data[place]
        case 3:
            del data[place : place + dice.randint(2, 60)]
        case 4:
            data[place:place] = dice.randbytes(dice.randint(1, 40))
        case 5:
            data = data[:place]
        case 6:
            data[place:place] = b"\x7e\xa7\xff\x68\x68\x68/ABC5\r\n"
        case 7:
            data[place : place + 2] = dice.randbytes(2)
        case _:
            data = bytearray(bytes(data).replace(b"\n", b"\r\n"))
    return bytes(data)


def chunks(octets: int, dice: random.Random, true: set[Reading]) -> Iterator[bytes]:
    """Yield a mutated stream in odd pieces; collect what its telegrams truly say."""
    names = [name for name in METERS if name != _UNCHECKED]
    sent = 0
    while sent < octets:
        meter = MeterSimulator(METERS[dice.choice(names)], seed=dice.randrange(1000))
        true.clear()
        pending = b""
        for telegram in islice(meter.telegrams(), _TELEGRAMS):
            true.add(telegram.reading)
            spoilt = spoil(telegram.wire, dice) if dice.random() < _HIT else telegram.wire
            pending += telegram.wire if sums_hold(spoilt) else spoilt
            while pending:
                size = dice.randint(1, _LARGEST_CHUNK)
                yield pending[:size]
                sent += len(pending[:size])
                pending = pending[size:]
        yield b""


def soak(octets: int, seed: int) -> Outcome:
    """Decode ``octets`` of mutated streams."""
    dice = random.Random(seed)  # noqa: S311 - a reproducible mixture, not a secret
    true: set[Reading] = set()
    decoder = HanDecoder(keys=_KEYS, layout=_LAYOUT)
    readings, false = 0, []
    started = time.monotonic()
    for chunk in chunks(octets, dice, true):
        events = decoder.receive(chunk)
        if not chunk or dice.random() < _SILENCE:
            events += decoder.silence()
        for event in events:
            if isinstance(event, ListDecoded):
                readings += 1
                if event.reading not in true:
                    false.append(f"{event.layout} {event.frame.hex()}")
    return Outcome(
        decoder.counters.octets,
        readings,
        false,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        time.monotonic() - started,
        Counter(asdict(decoder.counters)),
    )


def main() -> int:
    """Soak and report; 1 where a bound was broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    found = soak(int(args.megabytes * 1e6), args.seed)
    print(
        f"{found.octets / 1e6:.1f} MB, {found.readings} readings, {len(found.false)} false, "
        f"{found.seconds:.0f} s, {found.rss_mb:.0f} MB resident"
    )
    print(", ".join(f"{name} {count}" for name, count in found.counters.items() if count))
    for frame in found.false[:10]:
        print(f"false: {frame}")
    return 1 if found.false or found.rss_mb > MAX_RSS_MB else 0


if __name__ == "__main__":
    sys.exit(main())
