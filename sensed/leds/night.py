"""Night hours: when a light that says "all is well" stays dark."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time
from typing import Final

_FORM: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_DAY_S: Final = 24 * 3600

LONGEST_LOOK_S: Final = 3600.0
"""The wall clock may be set meanwhile: never rely on one look at it for longer."""


@dataclass(frozen=True, slots=True)
class NightHours:
    """From ``begins`` up to ``ends``, local time, across midnight where it must be."""

    begins: time
    ends: time

    @classmethod
    def parse(cls, text: str) -> NightHours:
        """Return the hours written as ``22:00-06:30``. Raises ValueError."""
        match = _FORM.fullmatch(text)
        if match is None or match[1] + match[2] == match[3] + match[4]:
            raise ValueError("must be two different times of day, as 22:00-06:30")
        hours = [int(group) for group in match.groups()]
        return cls(time(hours[0], hours[1]), time(hours[2], hours[3]))

    def __str__(self) -> str:
        """Return the hours as they are written in settings."""
        return f"{self.begins:%H:%M}-{self.ends:%H:%M}"

    def include(self, now: datetime) -> bool:
        """Tell whether it is night at ``now`` (local time)."""
        moment = now.time()
        if self.begins < self.ends:
            return self.begins <= moment < self.ends
        return moment >= self.begins or moment < self.ends

    def look_again_s(self, now: datetime) -> float:
        """Return in how many seconds to ask again."""
        into_day_s = _seconds(now.time())
        nexts = [
            (_seconds(edge) - into_day_s) % _DAY_S or _DAY_S for edge in (self.begins, self.ends)
        ]
        return min(*nexts, LONGEST_LOOK_S)


def _seconds(moment: time) -> float:
    return moment.hour * 3600 + moment.minute * 60 + moment.second + moment.microsecond / 1e6
