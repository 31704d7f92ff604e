"""Mutated streams of every simulated meter through the decoder, for as long as asked.

Run ``python -m benchmarks.soak --megabytes 100``. Fails on an exception, on a reading
whose values no true telegram had, or on more resident memory than allowed.

Checks of 16 bits pass one damaged frame in 65,536 by chance, so that a false reading in
some hundred megabytes is no proof of a fault: look at what the frame lost.

Two kinds of telegram have less to protect them, and damage to their values cannot always
be seen. Their false readings are the floor, counted and printed apart; one of a known meter
that differs from every true one in more than values counts as false all the same.

* P1 readouts without a check value. What is refused: lines of another form, malformed codes,
  quantities sent twice, unchecked readouts of a meter that sent checked ones; and, unless it
  comes twice, a readout with other quantities, another meter number or other forms of numbers
  than the meter's last, a register that falls or rises beyond any grid connection, voltages,
  currents and powers that no low-voltage grid has. What is not seen: a digit that became
  another digit, and a line gone from the first readout of all.
* M-Bus telegrams under security 0x20 and 0x21, which have no tag, where damage kept the
  8-bit sums: one in 256 of telegrams hit in several octets. Refused unless it comes twice is
  a list whose title, codes, types, units or names differ from the meter's last, and values
  as above. What is not seen: other damage to the octets of values.
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

from sensed.han import READING_KEYS, HanDecoder, ListDecoded, MeterKeys, Reading
from sensed.simulator import METERS, TEST_AUTHENTICATION_KEY, TEST_KEY, MeterSimulator, Telegram

MAX_RSS_MB = 60

_KEYS = MeterKeys(TEST_KEY, TEST_AUTHENTICATION_KEY)
_LAYOUT = METERS["iskraemeco-am550"].layout
_LARGEST_CHUNK = 700
_SILENCE = 0.02
_HIT = 0.3
_TELEGRAMS = 400
_NAMES = READING_KEYS[:3]


class Outcome(NamedTuple):
    """What a soak found; ``floor`` counts false readings of what nothing protects, by kind."""

    octets: int
    readings: int
    false: list[str]
    floor: Counter[str]
    rss_mb: float
    seconds: float
    counters: Counter[str]


class Truth:
    """What the meter that is sending now truly said."""

    def __init__(self) -> None:
        """Know nothing."""
        self.readings: set[Reading] = set()
        self.forms: set[tuple[object, ...]] = set()
        self.heard = False

    def begin(self) -> None:
        """Forget the last meter."""
        self.__init__()  # type: ignore[misc]  # one way to know nothing

    def say(self, telegram: Telegram) -> None:
        """Learn a telegram before it is spoilt."""
        self.readings.add(telegram.reading)
        self.forms.add(form(telegram.reading))


def form(reading: Reading) -> tuple[object, ...]:
    """Return all of a reading but its values."""
    present = reading.present()
    return (*present, *(present.get(key) for key in _NAMES))


def unprotected(event: ListDecoded) -> str:
    """Return the kind of a telegram that less than 16 bits protect, empty for all others."""
    if event.frame[:1] == b"\x68":
        return "M-Bus without tag"
    bare = event.frame[:1] == b"/" and event.frame[-1:] == b"!"
    return "P1 without check value" if bare else ""


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


def chunks(octets: int, dice: random.Random, truth: Truth) -> Iterator[bytes]:
    """Yield a mutated stream in odd pieces; let ``truth`` know what its telegrams say."""
    names = list(METERS)
    sent = 0
    while sent < octets:
        meter = MeterSimulator(METERS[dice.choice(names)], seed=dice.randrange(1000))
        truth.begin()
        pending = b""
        for telegram in islice(meter.telegrams(), _TELEGRAMS):
            truth.say(telegram)
            pending += spoil(telegram.wire, dice) if dice.random() < _HIT else telegram.wire
            while pending:
                size = dice.randint(1, _LARGEST_CHUNK)
                yield pending[:size]
                sent += len(pending[:size])
                pending = pending[size:]
        yield b""


def soak(octets: int, seed: int) -> Outcome:
    """Decode ``octets`` of mutated streams."""
    dice = random.Random(seed)  # noqa: S311 - a reproducible mixture, not a secret
    truth = Truth()
    decoder = HanDecoder(keys=_KEYS, layout=_LAYOUT)
    readings, false = 0, []
    floor = Counter[str]()
    started = time.monotonic()
    for chunk in chunks(octets, dice, truth):
        events = decoder.receive(chunk)
        if not chunk or dice.random() < _SILENCE:
            events += decoder.silence()
        for event in events:
            if not isinstance(event, ListDecoded):
                continue
            readings += 1
            if event.reading not in truth.readings:
                kind = unprotected(event)
                if kind and (form(event.reading) in truth.forms or not truth.heard):
                    floor[kind] += 1
                else:
                    false.append(f"{event.layout} {event.frame.hex()}")
            truth.heard = True
    return Outcome(
        decoder.counters.octets,
        readings,
        false,
        floor,
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
    for kind, count in found.floor.items():
        print(f"floor, {kind}: {count} readings with values that nobody sent")
    print(", ".join(f"{name} {count}" for name, count in found.counters.items() if count))
    for frame in found.false[:10]:
        print(f"false: {frame}")
    return 1 if found.false or found.rss_mb > MAX_RSS_MB else 0


if __name__ == "__main__":
    sys.exit(main())
