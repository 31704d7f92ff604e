"""The windows of both set-up services, which a person opens and closes together. Sans-IO."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sensed.provisioning.window import SetupMode, Window

LINGER_S: Final = 120.0
"""How long a client whose link broke may come back, though the device needs no set-up now."""


class Windows:
    """Improv's window and that of the encrypted service. Times are monotonic seconds."""

    def __init__(self, improv: SetupMode, encrypted: SetupMode) -> None:
        """Start closed."""
        self.improv = Window(improv)
        self.encrypted = Window(encrypted)
        self._both = (self.improv, self.encrypted)
        self._opens_by_itself = encrypted is SetupMode.AUTO
        self._linger_until_s: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is anything to connect to."""
        return any(window.is_open for window in self._both)

    @property
    def until_s(self) -> float | None:
        """When the last one closes by itself."""
        ends_s = (window.until_s for window in self._both)
        return max((at for at in ends_s if at is not None), default=None)

    def next_s(self, *, but: Collection[Window]) -> float | None:
        """Return when :meth:`settle` wants to be called next, ``but`` some held open."""
        ends_s = [window.until_s for window in self._both if window not in but]
        if self.encrypted not in but:
            ends_s.append(self._linger_until_s)
        return min((at for at in ends_s if at is not None), default=None)

    def request(self, now_s: float) -> bool:
        """Open what is allowed because a person asked; return whether anything is."""
        improv, encrypted = (window.request(now_s) for window in self._both)
        return improv or encrypted

    def close(self) -> None:
        """Close both now."""
        self._linger_until_s = None
        for window in self._both:
            window.close()

    def start_afresh(self) -> None:
        """Be as after the start: the device has been reset."""
        self._linger_until_s = None
        for window in self._both:
            window.start_afresh()

    def served(self, now_s: float) -> None:
        """Note that a client with the set-up code is connected."""
        self._linger_until_s = now_s + LINGER_S
        self.encrypted.stay(self._linger_until_s)

    def settle(
        self, *, needs_wifi: bool, needs_setup: bool, now_s: float, but: Collection[Window]
    ) -> None:
        """Open and close as time passes and needs change, ``but`` some that are held open."""
        if self._linger_until_s is not None and now_s >= self._linger_until_s:
            self._linger_until_s = None
        lingers = self._linger_until_s is not None and self.encrypted.is_open
        needs = (needs_wifi, (needs_setup and self._opens_by_itself) or lingers)
        for window, needed in zip(self._both, needs, strict=True):
            if window not in but:
                window.need(needed=needed, now_s=now_s)
                window.tick(now_s)
