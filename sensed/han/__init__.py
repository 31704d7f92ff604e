"""The meter's HAN port: from octets on the wire to readings, without I/O.

:class:`HanDecoder` is the whole of it; the asyncio shell lives in
:mod:`sensed.han.port`.
"""

from __future__ import annotations

from sensed.han.crypto import MeterKeys
from sensed.han.decoder import HanDecoder
from sensed.han.events import (
    CarriageReturnsInserted,
    Counters,
    Event,
    FrameRejected,
    InvocationRepeated,
    ListDecoded,
    ListEncrypted,
    ListMalformed,
    ListUnknown,
    OctetsDiscarded,
    ReadUnverified,
    Sealed,
)
from sensed.han.faults import Fault
from sensed.han.reading import READING_KEYS, Quantity, Reading

__all__ = [
    "READING_KEYS",
    "CarriageReturnsInserted",
    "Counters",
    "Event",
    "Fault",
    "FrameRejected",
    "HanDecoder",
    "InvocationRepeated",
    "ListDecoded",
    "ListEncrypted",
    "ListMalformed",
    "ListUnknown",
    "MeterKeys",
    "OctetsDiscarded",
    "Quantity",
    "ReadUnverified",
    "Reading",
    "Sealed",
]
