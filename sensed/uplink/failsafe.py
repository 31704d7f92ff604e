"""The headroom signal, as far as it goes without a main fuse: fail-safe payloads only.

In mode ``failsafe`` a charger may draw ``failsafe_a`` in all, and ``headroom_a`` is null.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from sensed.han.reading import Reading
from sensed.uplink.payloads import Message, encode
from sensed.uplink.topics import Topics

DEFAULT_FAILSAFE_A: Final = 6
"""What chargers may draw when nothing is known, in ampere, as the dongle's manual has it."""


class Reason(StrEnum):
    """Why the signal is in fail-safe."""

    STARTING = "starting"
    NO_FUSE = "no_fuse"
    STOPPING = "stopping"
    OFFLINE = "offline"


_GONE: Final = frozenset({Reason.STOPPING, Reason.OFFLINE})


class HeadroomSignal:
    """What stands on the headroom topic at each turn of events."""

    def __init__(self, topics: Topics, failsafe_a: int = DEFAULT_FAILSAFE_A) -> None:
        self._topic = topics.headroom
        self._failsafe_a = failsafe_a
        self._reason = Reason.OFFLINE

    def will(self) -> Message:
        """Return what the broker shall say when this device vanishes."""
        return self._failsafe(Reason.OFFLINE)

    def connected(self) -> Message:
        """Return what replaces an old will, first of all on a new connection."""
        return self._turn_to(Reason.STARTING)

    def received(self, reading: Reading) -> Message | None:
        """Return what a list changes: with currents but no main fuse there is no headroom."""
        currents = (reading.current_l1_a, reading.current_l2_a, reading.current_l3_a)
        if self._reason is not Reason.STARTING or all(current is None for current in currents):
            return None
        return self._turn_to(Reason.NO_FUSE)

    def stopping(self) -> Message:
        """Return what to say before a graceful disconnect, which suppresses the will."""
        return self._turn_to(Reason.STOPPING)

    def _turn_to(self, reason: Reason) -> Message:
        self._reason = reason
        return self._failsafe(reason)

    def _failsafe(self, reason: Reason) -> Message:
        payload = {
            "v": 1,
            "online": reason not in _GONE,
            "mode": "failsafe",
            "reason": reason,
            "headroom_a": None,
            "failsafe_a": self._failsafe_a,
        }
        return Message(self._topic, encode(payload), qos=1, retain=True)
