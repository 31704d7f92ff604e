"""A meter in software: every maker's lists at their true cadence, with faults on request.

It encodes its own frames and shares no code with the decoder, so each checks the
other. ``MeterSimulator`` has no I/O; ``sensed.simulator.play`` delivers its octets.
"""

from __future__ import annotations

from sensed.simulator.meter import DEFAULT_START, MeterSimulator, Telegram
from sensed.simulator.meters import METERS
from sensed.simulator.model import TEST_AUTHENTICATION_KEY, TEST_KEY, Keys, MeterModel

__all__ = [
    "DEFAULT_START",
    "METERS",
    "TEST_AUTHENTICATION_KEY",
    "TEST_KEY",
    "Keys",
    "MeterModel",
    "MeterSimulator",
    "Telegram",
]
