"""Who is connected and for how long they have been silent. Sans-IO: time comes in.

There is one slot for a client that is being served. A silent one loses its link, so that
the next person's phone gets in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

IDLE_S: Final = 90.0
"""Long enough to type a password, shorter than anybody waits with a second phone."""

_MOST: Final = 16


@dataclass(slots=True)
class _Visitor:
    last_s: float
    served: bool = False


class Visitors:
    """The centrals that are connected, by their object path."""

    def __init__(self) -> None:
        self._visitors: dict[str, _Visitor] = {}
        self._holder = ""

    @property
    def holder(self) -> str:
        """Who has the slot, "" while it is free."""
        return self._holder

    @property
    def deadline_s(self) -> float | None:
        """When the next one will have been silent for too long."""
        return min((v.last_s + IDLE_S for v in self._visitors.values()), default=None)

    def arrived(self, device: str, now_s: float) -> None:
        """Note a connection."""
        if device not in self._visitors and len(self._visitors) < _MOST:
            self._visitors[device] = _Visitor(now_s)

    def active(self, device: str, now_s: float) -> None:
        """Note that a client used our service."""
        self.arrived(device, now_s)
        visitor = self._visitors.get(device)
        if visitor is not None:
            visitor.last_s = now_s
            visitor.served = True

    def take_slot(self, device: str) -> bool:
        """Give the slot to a client; return whether it has it now."""
        if not self._holder:
            self._holder = device
        return self._holder == device

    def release(self, device: str) -> None:
        """Take the slot back from a client that stays connected."""
        if self._holder == device:
            self._holder = ""

    def gone(self, device: str) -> bool:
        """Note a disconnection; return whether this freed the slot."""
        self._visitors.pop(device, None)
        if self._holder != device:
            return False
        self._holder = ""
        return True

    def was_served(self, device: str) -> bool:
        """Return whether the device has ever used our service on this link."""
        visitor = self._visitors.get(device)
        return visitor is not None and visitor.served

    def link(self, device: str) -> object:
        """Return what stands for the device's present link, ``None`` if it was never served.

        A device that comes back has another one.
        """
        visitor = self._visitors.get(device)
        return visitor if visitor is not None and visitor.served else None

    def overdue(self, now_s: float) -> list[str]:
        """Return who has been silent for too long; each is told of again only after a while."""
        found = [d for d, v in self._visitors.items() if now_s >= v.last_s + IDLE_S]
        for device in found:
            self._visitors[device].last_s = now_s
        return found

    def everyone_served(self) -> list[str]:
        """Return every client that used our service."""
        return [device for device, visitor in self._visitors.items() if visitor.served]
