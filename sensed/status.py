"""The indicator: five states of the light as a pure function of four facts.

The states and their precedence are those of the dongle's manual. A fact that is
not known yet (its first deadline has not passed) does not count as failed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Indicator(StrEnum):
    """What the light, the journal, systemd and the broker are told."""

    STARTING = "starting"
    NOT_CONFIGURED = "not_configured"
    NO_METER_DATA = "no_meter_data"
    NO_IP = "no_ip"
    NO_CLOUD = "no_cloud"
    ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is so, is not so, or is not known yet.

    ``cause`` is a stable code for why it is not so, ``detail`` one sentence for a
    person; ``since_monotonic_s`` is when the value last changed.
    """

    holds: bool | None = None
    cause: str = ""
    detail: str = ""
    since_monotonic_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that is told beside the state; the indicator depends on the first four."""

    configured: Fact = field(default_factory=Fact)
    meter: Fact = field(default_factory=Fact)
    address: Fact = field(default_factory=Fact)
    cloud: Fact = field(default_factory=Fact)
    light: Fact = field(default_factory=Fact)
    bluetooth: Fact = field(default_factory=Fact)
    network_manager: Fact = field(default_factory=Fact)


PRECEDENCE: Final[tuple[tuple[str, Indicator], ...]] = (
    ("configured", Indicator.NOT_CONFIGURED),
    ("meter", Indicator.NO_METER_DATA),
    ("address", Indicator.NO_IP),
    ("cloud", Indicator.NO_CLOUD),
)
"""Fact and the state its failure shows; the first failed one wins."""

WORDS: Final[dict[Indicator, str]] = {
    Indicator.STARTING: "starting",
    Indicator.NOT_CONFIGURED: "not configured",
    Indicator.NO_METER_DATA: "no data from the meter",
    Indicator.NO_IP: "no network address",
    Indicator.NO_CLOUD: "network address, but no contact with the broker",
    Indicator.ACTIVE: "configured and active",
}
"""The state in words, for every place that tells it to a person."""


def indicator(facts: Facts) -> Indicator:
    """Return the state that ``facts`` add up to."""
    held = True
    for name, failed_state in PRECEDENCE:
        holds = getattr(facts, name).holds
        if holds is False:
            return failed_state
        held = held and holds is True
    return Indicator.ACTIVE if held else Indicator.STARTING


SETTLE_S: Final = 0.3
"""How long a state must hold before it is shown, so that nothing flickers."""


class Hysteresis:
    """Follows the indicator, but shows a state only after it has held for ``settle_s``.

    The first state is shown at once, and so is the first after ``starting``. Sans-IO:
    time comes in, on any steady clock.
    """

    def __init__(self, settle_s: float = SETTLE_S) -> None:
        self._settle_s = settle_s
        self._shown = Indicator.STARTING
        self._candidate = Indicator.STARTING
        self._candidate_since_s = 0.0

    def offer(self, state: Indicator, now_s: float) -> Indicator:
        """Return the state to show while ``state`` is what the facts add up to."""
        if state is not self._candidate:
            self._candidate = state
            self._candidate_since_s = now_s
        due_s = self.due_s()
        if self._shown is Indicator.STARTING or (due_s is not None and now_s >= due_s):
            self._shown = state
        return self._shown

    def due_s(self) -> float | None:
        """Return when the candidate may be shown, ``None`` if it is."""
        return None if self._candidate is self._shown else self._candidate_since_s + self._settle_s
