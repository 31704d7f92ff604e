"""The headroom signal: what may be added on each phase, or fail-safe and why. Sans-IO.

In mode ``live`` or ``estimated`` a charger may draw what it draws now plus ``headroom_a``;
in mode ``failsafe`` it may draw ``failsafe_a`` in all. Times are seconds on one
monotonic clock; a permission dies 30 s after the currents it rests on were received.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from enum import Enum, StrEnum, auto
from typing import Final

from sensed.han.reading import Reading
from sensed.uplink.currents import NOMINAL_V, CurrentL2, ElementL2, PhaseCurrents, phase_currents
from sensed.uplink.payloads import Message, Sample, encode, rfc3339
from sensed.uplink.settings import SafetySettings
from sensed.uplink.topics import Topics

LONGEST_AGE_S: Final = 30.0
"""How old currents may become before the signal turns to fail-safe."""

RAISE_AFTER_S: Final = 300.0
"""How long a phase must have had more room before more is offered."""

RAISE_STEP_A: Final = Decimal(1)
"""Less than this more is not worth a raise."""

LONGEST_WAIT_S: Final = 5.0
"""How long a live payload may wait for the link before it is dropped."""

_TENTH: Final = Decimal("0.1")
_MOST_PHASES: Final = 3


class State(StrEnum):
    """Why the signal is as it is; all but ``LIVE`` are reasons for fail-safe."""

    OFFLINE = "offline"
    STARTING = "starting"
    LIVE = ""
    NO_METER_DATA = "no_meter_data"
    NO_CURRENTS = "no_currents"
    NO_FUSE = "no_fuse"
    STOPPING = "stopping"


class Event(Enum):
    """What moves the signal from one state to another."""

    CONNECTED = auto()
    CURRENTS = auto()  # a list with the current of every phase
    CURRENTS_NO_FUSE = auto()  # the same, but no main fuse is set
    SILENCE = auto()  # no list at all for LONGEST_AGE_S
    NO_CURRENTS = auto()  # lists, but none with currents for LONGEST_AGE_S
    STOP = auto()


_RUNNING: Final = (
    State.STARTING,
    State.LIVE,
    State.NO_METER_DATA,
    State.NO_CURRENTS,
    State.NO_FUSE,
)
_GONE: Final = frozenset({State.STOPPING, State.OFFLINE})

TRANSITIONS: Final[Mapping[tuple[State, Event], State]] = {
    **{(state, Event.CONNECTED): State.STARTING for state in State},
    **{(state, Event.CURRENTS): State.LIVE for state in _RUNNING},
    **{(state, Event.CURRENTS_NO_FUSE): State.NO_FUSE for state in _RUNNING},
    **{(state, Event.SILENCE): State.NO_METER_DATA for state in _RUNNING},
    **{(state, Event.NO_CURRENTS): State.NO_CURRENTS for state in _RUNNING},
    **{(state, Event.STOP): State.STOPPING for state in _RUNNING},
}
"""State and event to the next state; a pair that is not here changes nothing."""


@dataclass(frozen=True, slots=True)
class Signal:
    """A message, and when on the monotonic clock it is too old to be sent."""

    message: Message
    until_s: float = math.inf


class SlowRaise:
    """One phase's headroom: cut at once, raised only to what has held for a while.

    What must be shed is never overstated: below zero it follows a rise up to zero at
    once, since whoever sheds twice for one overload sheds too much.
    """

    def __init__(self) -> None:
        self._offered_a: Decimal | None = None
        self._least_a = Decimal(0)
        self._since_s: float | None = None

    def update(self, true_a: Decimal, now_s: float) -> Decimal:
        """Take what is true now and return what may be offered."""
        offered_a = true_a if self._offered_a is None else min(true_a, self._offered_a)
        if offered_a < 0:
            offered_a = min(true_a, Decimal(0))
        if true_a < offered_a + RAISE_STEP_A:
            self._since_s = None
        elif self._since_s is None:
            self._since_s, self._least_a = now_s, true_a
        else:
            self._least_a = min(self._least_a, true_a)
            if now_s - self._since_s >= RAISE_AFTER_S:
                offered_a, self._since_s = self._least_a, None
        self._offered_a = offered_a
        return offered_a

    def interrupted(self) -> None:
        """Note a time without currents: nothing is known to have held meanwhile."""
        self._since_s = None


@dataclass(frozen=True, slots=True)
class _Basis:
    """The last list with currents, and what follows from it."""

    reading: Reading
    currents: PhaseCurrents
    received_s: float
    offered_a: tuple[Decimal, ...]


class HeadroomSignal:
    """What stands on the headroom topic at each turn of events."""

    def __init__(
        self,
        topics: Topics,
        settings: SafetySettings,
        boot_id: str,
        numbers: Iterator[int] | None = None,
    ) -> None:
        """Speak for the device of ``topics``; ``boot_id`` and a number mark each payload."""
        self._topic = topics.headroom
        self._settings = settings
        self._boot_id = boot_id
        self._state = State.OFFLINE
        self._numbers = numbers or itertools.count(1)
        self._began_s: float | None = None
        self._list_s: float | None = None
        self._basis: _Basis | None = None
        self._element_l2 = ElementL2()
        self._slow = tuple(SlowRaise() for _ in range(_MOST_PHASES))
        self._said_a: tuple[Decimal, ...] = ()

    @property
    def state(self) -> State:
        """The state as of the last event."""
        return self._state

    def will(self) -> Message:
        """Return what the broker shall say when this device vanishes."""
        return self._failsafe(State.OFFLINE, {}).message

    def connected(self, now_s: float, now: datetime) -> list[Signal]:
        """Return what replaces an old will, first of all, and what is live already."""
        self._began_s = now_s if self._began_s is None else self._began_s
        self._state = TRANSITIONS[self._state, Event.CONNECTED]
        signals = [self._say(now_s, now)]
        fresh = self._basis is not None and now_s < self._basis.received_s + LONGEST_AGE_S
        if fresh and self._settings.main_fuse_a is not None:
            signals += self._turn(Event.CURRENTS, now_s, now)
        return signals

    def received(self, sample: Sample) -> list[Signal]:
        """Return what a list changes: the headroom, or a cut because power has risen."""
        now_s, now = sample.stamp.monotonic_s, sample.stamp.received_at
        self._list_s = now_s
        self._element_l2.received(sample.reading)
        currents = phase_currents(sample.reading, self._settings, has_l2=self._element_l2.is_seen)
        if currents is None and self._state is State.NO_METER_DATA:
            return self._turn(Event.NO_CURRENTS, now_s, now)
        if currents is None:
            return self.passed(now_s, now) or self._cut(sample.reading, now_s, now)
        if self._basis is not None and now_s >= self._basis.received_s + LONGEST_AGE_S:
            self._interrupted()  # without a connection nobody asks ``passed``
        fuse_a = self._settings.main_fuse_a
        offered_a: tuple[Decimal, ...] = ()
        if fuse_a is not None:
            limit_a = Decimal(fuse_a) - Decimal(self._settings.margin_a)
            offered_a = tuple(
                slow.update(limit_a - ampere, now_s)
                for slow, ampere in zip(self._slow, currents.amperes, strict=False)
            )
        self._basis = _Basis(sample.reading, currents, now_s, offered_a)
        self._said_a = offered_a
        return self._turn(
            Event.CURRENTS if fuse_a is not None else Event.CURRENTS_NO_FUSE, now_s, now
        )

    def passed(self, now_s: float, now: datetime) -> list[Signal]:
        """Return what the mere passing of time has changed."""
        due_s = self.deadline_s()
        if due_s is None or now_s < due_s:
            return []
        self._interrupted()
        silent = self._list_s is None or now_s >= self._list_s + LONGEST_AGE_S
        return self._turn(Event.SILENCE if silent else Event.NO_CURRENTS, now_s, now)

    def deadline_s(self) -> float | None:
        """Return when ``passed`` must be asked; ``None`` while only a list can change anything."""
        if self._began_s is None or self._state in _GONE or self._state is State.NO_METER_DATA:
            return None
        if self._state is State.NO_CURRENTS:
            heard_s = self._list_s
        else:
            heard_s = self._basis.received_s if self._basis else None
        return (self._began_s if heard_s is None else heard_s) + LONGEST_AGE_S

    def stopping(self, now_s: float, now: datetime) -> list[Signal]:
        """Return what to say before a graceful disconnect, which suppresses the will."""
        return self._turn(Event.STOP, now_s, now)

    def _interrupted(self) -> None:
        for slow in self._slow:
            slow.interrupted()

    def _turn(self, event: Event, now_s: float, now: datetime) -> list[Signal]:
        before = self._state
        self._state = TRANSITIONS.get((before, event), before)
        changed = self._state is not before
        return [self._say(now_s, now)] if changed or self._state is State.LIVE else []

    def _cut(self, reading: Reading, now_s: float, now: datetime) -> list[Signal]:
        """Lower what is said, or will be first of all on the next connection."""
        if self._basis is None:
            return []
        risen_w = _risen_w(self._basis.reading, reading)
        least_a = tuple(
            min(said_a, lowered(offered_a, risen_w, self._basis.currents))
            for said_a, offered_a in zip(self._said_a, self._basis.offered_a, strict=True)
        )
        if least_a == self._said_a:
            return []
        self._said_a = least_a
        return [self._say(now_s, now)] if self._state is State.LIVE else []

    def _say(self, now_s: float, now: datetime) -> Signal:
        marks: dict[str, object] = {"seq": next(self._numbers), "ts": rfc3339(now)}
        if self._state is not State.LIVE or self._basis is None:
            return self._failsafe(self._state, marks)
        basis = self._basis
        estimated = basis.currents.current_l2 is CurrentL2.ESTIMATED
        age_s = max(Decimal(0), _floor(now_s - basis.received_s))
        room_a = [_floor(ampere) for ampere in self._said_a]
        payload = self._payload("estimated" if estimated else "live", State.LIVE) | marks
        payload |= {
            "ttl_s": _plain(Decimal(LONGEST_AGE_S) - age_s),
            "headroom_a": [*room_a, *[None] * (_MOST_PHASES - len(room_a))],
            "source_age_s": _plain(age_s),
            "current_l2": basis.currents.current_l2,
        }
        dies_s = basis.received_s + LONGEST_AGE_S
        until_s = min(now_s + LONGEST_WAIT_S, dies_s)
        expiry_s = max(1, math.floor(dies_s - now_s))
        message = Message(self._topic, encode(payload), 1, False, expiry_s)
        return Signal(message, until_s)

    def _failsafe(self, state: State, marks: dict[str, object]) -> Signal:
        payload = self._payload("failsafe", state) | marks
        return Signal(Message(self._topic, encode(payload), qos=1, retain=True))

    def _payload(self, mode: str, state: State) -> dict[str, object]:
        settings, currents = self._settings, self._basis.currents if self._basis else None
        return {
            "v": 1,
            "online": state not in _GONE,
            "boot_id": self._boot_id,
            "seq": None,
            "ts": None,
            "ttl_s": None,
            "mode": mode,
            "reason": state,
            "fuse_a": settings.main_fuse_a,
            "margin_a": settings.margin_a,
            "headroom_a": None,
            "failsafe_a": settings.failsafe_a,
            "source_age_s": None,
            "net": currents.net if currents else settings.net,
            "phases": currents.phases if currents else settings.phases,
            "current_l2": None,
        }


def lowered(offered_a: Decimal, risen_w: float, currents: PhaseCurrents) -> Decimal:
    """Return what is left of ``offered_a`` after power has risen by ``risen_w``.

    Nobody knows on which phase, so that each loses all of it (at 230 V) down to zero;
    but to shed is asked only for an even share: a charger that obeys on three phases
    would else be asked to give back three times what it was allowed to take.
    """
    if risen_w <= 0:
        return offered_a
    even_a = offered_a - Decimal(risen_w / currents.volts_when_even)
    worst_a = offered_a - Decimal(risen_w / NOMINAL_V)
    return min(even_a, max(worst_a, min(offered_a, Decimal(0))))


def _risen_w(before: Reading, after: Reading) -> float:
    """Return by how much the power from the grid has grown, as far as both lists tell."""
    imported, exported = (
        0 if old is None or new is None else new - old
        for old, new in (
            (before.power_import_w, after.power_import_w),
            (before.power_export_w, after.power_export_w),
        )
    )
    return float(imported - exported)


def _floor(value: Decimal | float) -> Decimal:
    return Decimal(value).quantize(_TENTH, ROUND_FLOOR)


def _plain(value: Decimal) -> Decimal | int:
    return int(value) if value == value.to_integral_value() else value
