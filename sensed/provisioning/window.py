"""When the device may be set up by whoever is near: consent as a function of time. Sans-IO.

Nobody has to press anything in the first minutes while the device is on no network; after
that a person has to ask, with the button or on the device itself, each time. A network that
is lost later opens nothing: whoever is near could then put the device on another one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

AUTOMATIC_S: Final = 900.0
REQUESTED_S: Final = 300.0
_GOODBYE_S: Final = 10.0
"""After success the client still reads its result; then there is nothing left to connect to."""


class SetupMode(StrEnum):
    """Who may open set-up: nobody's absence, a person's press, or nobody at all."""

    AUTO = "auto"
    BUTTON = "button"
    OFF = "off"


class Window:
    """Open or closed, and whether credentials are taken. Times are monotonic seconds."""

    def __init__(self, mode: SetupMode) -> None:
        """Start closed."""
        self._mode = mode
        self._needed = False
        self._automatic_until_s: float | None = None
        self._until_s: float | None = None
        self._last_s = 0.0
        self._requested = False
        self._over = False

    @property
    def is_open(self) -> bool:
        """Whether there is anything to connect to."""
        return self._until_s is not None

    @property
    def is_offered(self) -> bool:
        """Whether it is advertised: open and not yet used up by a success."""
        return self.is_open and not self._over

    @property
    def is_authorized(self) -> bool:
        """Whether credentials are taken without a further press."""
        return self.is_offered and (self._requested or self._mode is SetupMode.AUTO)

    @property
    def until_s(self) -> float | None:
        """When it closes by itself."""
        return self._until_s

    def need(self, *, needed: bool, now_s: float) -> None:
        """Note whether the device is on no network: soon after the start that alone opens it."""
        if self._automatic_until_s is None:
            self._automatic_until_s = now_s + AUTOMATIC_S
        if self._mode is SetupMode.OFF or needed == self._needed:
            return
        self._needed = needed
        if needed:
            if now_s < self._automatic_until_s:
                self._open(now_s, self._automatic_until_s - now_s, requested=False)
        elif not self._requested and not self._over:
            self.close()

    def start_afresh(self) -> None:
        """Be as after the start: the device has been reset."""
        self.close()
        self._needed = False
        self._automatic_until_s = None

    def request(self, now_s: float) -> bool:
        """Open it because a person asked; return whether that is allowed at all."""
        if self._mode is SetupMode.OFF:
            return False
        self._open(now_s, REQUESTED_S, requested=True)
        return True

    def failed(self, now_s: float) -> None:
        """Give time for another try after one that failed, though not for ever."""
        if self._until_s is not None:
            self._until_s = max(self._until_s, min(now_s + REQUESTED_S, self._last_s))

    def stay(self, until_s: float) -> None:
        """Stay open at least until then, if it is open."""
        if self._until_s is not None:
            self._until_s = max(self._until_s, until_s)

    def succeeded(self, now_s: float) -> None:
        """Offer no more; close once the client has read its result."""
        if self._until_s is not None:
            self._over = True
            self._until_s = now_s + _GOODBYE_S

    def close(self) -> None:
        """Close it now."""
        self._until_s = None
        self._requested = False
        self._over = False

    def tick(self, now_s: float) -> None:
        """Close it when its time is over."""
        if self._until_s is not None and now_s >= self._until_s:
            self.close()

    def _open(self, now_s: float, length_s: float, *, requested: bool) -> None:
        longer_s = 0.0 if self._over or self._until_s is None else self._until_s
        self._over = False
        self._until_s = max(longer_s, now_s + length_s)
        self._last_s = self._until_s + length_s
        self._requested = requested or (self._requested and longer_s > 0.0)
