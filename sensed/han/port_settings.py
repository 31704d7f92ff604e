"""Serial settings, and the search for the right ones (sans-IO).

Makers differ in parity and speed. A wrong parity delivers octets that look like
data but practically never a good frame, so the first good frame is the proof.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sensed.errors import ConfigError

_BAUDS: Final = (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
_SETTINGS: Final = re.compile(r"(\d{3,6})[ /,]([78])([NEO])([12])", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SerialSettings:
    """Speed in baud and character format of a serial line."""

    baud: int
    bytesize: int
    parity: str
    stopbits: int

    @classmethod
    def parse(cls, text: str) -> SerialSettings:
        """Return the settings written as ``2400 8E1``; ConfigError for anything else."""
        match = _SETTINGS.fullmatch(text.strip())
        if match is None or int(match[1]) not in _BAUDS:
            raise ConfigError(f"Serial settings {text!r} are not understood; write e.g. 2400 8E1.")
        return cls(int(match[1]), int(match[2]), match[3].upper(), int(match[4]))

    def __str__(self) -> str:
        """Return the settings as ``parse`` takes them."""
        return f"{self.baud} {self.bytesize}{self.parity}{self.stopbits}"


CANDIDATES: Final = (
    SerialSettings(2400, 8, "E", 1),
    SerialSettings(2400, 8, "N", 1),
    SerialSettings(115200, 8, "N", 1),
)
"""What meters use, most frequent first."""

QUIET_DWELL_S: Final = 18.0
"""How long to listen without an octet: longer than the longest list interval, 15 s."""

_BURSTS_UNPROVEN: Final = 2
_OCTETS_UNPROVEN: Final = 1200
_BURSTS_PROVEN: Final = 8
_OCTETS_PROVEN: Final = 8192


class SettingsProbe:
    """Cycles through candidate settings until a frame proves one.

    Unproven settings are left after two bursts or two long lists of octets without a
    good frame, or after :data:`QUIET_DWELL_S` without an octet. Proven ones stay through
    any silence, and are doubted only after many bursts without a good frame, as when
    another meter has been connected. With a single candidate nothing ever changes.
    """

    def __init__(
        self,
        *,
        known: SerialSettings | None = None,
        candidates: Sequence[SerialSettings] = CANDIDATES,
    ) -> None:
        others = tuple(settings for settings in candidates if settings != known)
        self._candidates = (known, *others) if known is not None else others
        self._index = 0
        self._proven: SerialSettings | None = None
        self._octets = 0
        self._bursts = 0
        self._in_burst = False
        self._heard_s = 0.0

    @property
    def current(self) -> SerialSettings:
        """The settings to use now."""
        return self._candidates[self._index]

    @property
    def proven(self) -> SerialSettings | None:
        """The last settings with which a frame was good, None before the first."""
        return self._proven

    def opened(self, now_s: float) -> None:
        """Note that the port was opened with ``current``, at ``now_s`` of any steady clock."""
        self._restart(now_s)

    def lost(self) -> None:
        """Note that the port has gone: what worked is tried first when it is back."""
        if self._proven is not None:
            self._index = self._candidates.index(self._proven)

    def refused(self) -> None:
        """Note that the port cannot do ``current``: the next candidate's turn."""
        self._index = (self._index + 1) % len(self._candidates)

    def received(self, octets: int, now_s: float) -> None:
        """Note octets of the current settings."""
        self._octets += octets
        self._in_burst = True
        self._heard_s = now_s

    def burst_ended(self) -> None:
        """Note a pause after octets."""
        if self._in_burst:
            self._in_burst = False
            self._bursts += 1

    def frame_good(self) -> None:
        """Note that a frame with a good check sequence has come: the settings are right."""
        self._proven = self.current
        self._octets = 0
        self._bursts = 0
        self._in_burst = False

    def deadline_s(self) -> float | None:
        """Return when ``move`` is due should nothing more arrive, None for never."""
        if self._fixed or self._proven == self.current:
            return None
        return self._heard_s + QUIET_DWELL_S

    def move(self, now_s: float) -> bool:
        """Go on to the next candidate if the current one has had its chance; tell whether."""
        if self._fixed:
            return False
        if self._proven == self.current:
            spent = self._bursts >= _BURSTS_PROVEN or self._octets >= _OCTETS_PROVEN
        else:
            spent = (
                self._bursts >= _BURSTS_UNPROVEN
                or self._octets >= _OCTETS_UNPROVEN
                or now_s - self._heard_s >= QUIET_DWELL_S
            )
        if spent:
            self.refused()
            self._restart(now_s)
        return spent

    @property
    def _fixed(self) -> bool:
        return len(self._candidates) == 1

    def _restart(self, now_s: float) -> None:
        self._octets = 0
        self._bursts = 0
        self._in_burst = False
        self._heard_s = now_s
