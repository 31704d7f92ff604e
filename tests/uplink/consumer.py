"""A consumer of the headroom topic that obeys its contract, with a charger behind it."""

from __future__ import annotations

import json
from typing import Any

MIN_CHARGE_A = 6.0


class ReferenceConsumer:
    """Turns payloads into what a charger may draw, on the consumer's own monotonic clock.

    ``own_failsafe_a`` holds until the device has said its own.
    """

    def __init__(self, *, own_failsafe_a: float = 6.0) -> None:
        self.failsafe_a = own_failsafe_a
        self.permission_since_s: float | None = None
        self._allowed_a: float | None = None
        self._expires_s = -1.0
        self._boot_id: str | None = None
        self._seq = -1

    def receive(self, payload: bytes, now_s: float, drawn_a: float, *, retained: bool) -> None:
        """Take a payload while the charger draws ``drawn_a``."""
        values: dict[str, Any] = json.loads(payload)
        self.failsafe_a = float(values["failsafe_a"])
        if values["mode"] == "failsafe":
            self._allowed_a = None
            return
        newer = values["boot_id"] != self._boot_id or values["seq"] > self._seq
        if retained or not newer:
            return
        self._boot_id, self._seq = values["boot_id"], values["seq"]
        room_a = min(room for room in values["headroom_a"] if room is not None)
        self._allowed_a = drawn_a + room_a
        self._expires_s = now_s + values["ttl_s"]
        self.permission_since_s = now_s - values["source_age_s"]

    def allowed_a(self, now_s: float) -> float:
        """Return what the charger may draw now; less than a car accepts is a pause."""
        if self._allowed_a is None or now_s >= self._expires_s:
            self._allowed_a = None
            allowed_a = self.failsafe_a
        else:
            allowed_a = self._allowed_a
        return allowed_a if allowed_a >= MIN_CHARGE_A else 0.0

    def obeys_a_permission(self, now_s: float) -> bool:
        """Return whether anything but the fail-safe is in force."""
        return self._allowed_a is not None and now_s < self._expires_s
