"""Streams of simulated meters, made once: what the wire carries and what it must give."""

from __future__ import annotations

from functools import cache
from itertools import islice

from sensed.han import HanDecoder, MeterKeys
from sensed.simulator import (
    METERS,
    TEST_AUTHENTICATION_KEY,
    TEST_KEY,
    MeterSimulator,
    Telegram,
)

KEYS = MeterKeys(TEST_KEY, TEST_AUTHENTICATION_KEY)
READABLE = sorted(name for name, model in METERS.items() if not model.layout)
"""Meters whose lists say what they hold."""
BARE = "p1-lu"
"""The meter whose telegrams nothing frames: only silence shows where one ends."""
CHECKED = [name for name in READABLE if name not in ("p1-nocrc", BARE)]
"""Meters whose telegrams carry a check sum."""


@cache
def telegrams(name: str, count: int = 12, seed: int = 0) -> tuple[Telegram, ...]:
    """Lists of one meter, the hourly one included: each kind at least once."""
    stream = MeterSimulator(METERS[name], seed=seed).telegrams()
    pool = list(islice(stream, 80))
    kinds = {telegram.kind: telegram for telegram in pool}
    return tuple(sorted({*pool[: count - len(kinds)], *kinds.values()}, key=lambda t: t.at_s))


def decoder() -> HanDecoder:
    return HanDecoder(keys=KEYS)
