"""From every failure to the fail-safe: each path enumerated, on a clock that jumps."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest

from sensed.uplink import Sample
from sensed.uplink.headroom import LONGEST_AGE_S, LONGEST_WAIT_S, HeadroomSignal, Signal
from sensed.uplink.outbox import Outbox
from sensed.uplink.payloads import Message
from tests.uplink.consumer import ReferenceConsumer
from tests.uplink.test_headroom import HOUSE, TOPICS, WIRE_S, amperes, power
from tests.uplink.tools import MOMENT, sample

DEADLINE_S = 60.0


@dataclass
class World:
    """One device, a wire on which a message may be late, a broker and one consumer."""

    now_s: float = 1000.0
    boot: int = 0
    linked: bool = False
    alive: bool = True
    basis_s: float = -1e9
    measured_s: dict[tuple[str, int], float] = field(default_factory=dict)
    wire: list[tuple[float, Message]] = field(default_factory=list)
    retained: bytes | None = None
    consumer: ReferenceConsumer = field(default_factory=ReferenceConsumer)
    outbox: Outbox = field(default_factory=lambda: Outbox(first=TOPICS.headroom))
    signal: HeadroomSignal = field(default_factory=lambda: HeadroomSignal(TOPICS, HOUSE, "boot-0"))

    # -- what may happen --------------------------------------------------------------

    def connects(self) -> None:
        if self.alive:
            self.linked = True
            self.outbox.connected()
            self._offer(self.signal.connected(self.now_s, MOMENT))

    def link_breaks(self) -> None:
        """Half-open: what is on the wire may still arrive, nothing new will."""
        self.linked = False

    def list_with_currents(self) -> None:
        self._hear(amperes(1, 1, 1, power_w=1000), basis=True)

    def power_rises(self) -> None:
        self._hear(power(1500 + 200 * len(self.measured_s)), basis=False)

    def stops(self) -> None:
        if self.alive:
            self._offer(self.signal.stopping(self.now_s, MOMENT))
            self.alive = self.linked = False

    def dies(self) -> None:
        self.alive = self.linked = False

    def starts_again(self) -> None:
        self.boot += 1
        self.alive = True
        self.signal = HeadroomSignal(TOPICS, HOUSE, f"boot-{self.boot}")
        self.outbox = Outbox(first=TOPICS.headroom)
        self.basis_s = -1e9

    def all_arrives(self) -> None:
        for _, message in self.wire:
            if message.retain:
                self.retained = message.payload
            self._consume(message.payload, retained=False)
        self.wire.clear()

    def broker_tells_the_will(self) -> None:
        if not self.linked:
            self.retained = self.signal.will().payload
            self._consume(self.retained, retained=False)

    def consumer_restarts(self) -> None:
        self.consumer = ReferenceConsumer()
        if self.retained is not None:
            self._consume(self.retained, retained=True)

    def waits_for_the_link(self) -> None:
        self.passes(LONGEST_WAIT_S)

    def is_late(self) -> None:
        self.passes(WIRE_S)

    def grows_old(self) -> None:
        self.passes(LONGEST_AGE_S - 0.1)

    # -- how it happens ---------------------------------------------------------------

    def passes(self, seconds: float) -> None:
        """Let time pass: due times are met, and what is too long on the wire is gone."""
        self.now_s += seconds
        due_s = self.signal.deadline_s()
        if self.alive and due_s is not None and self.now_s >= due_s:
            self._offer(self.signal.passed(self.now_s, MOMENT))
        self.wire = [item for item in self.wire if item[0] + WIRE_S >= self.now_s]
        self._send()

    def oldest_permission_s(self) -> float:
        """How old the currents are that the consumer obeys now; 0 in fail-safe."""
        if not self.consumer.obeys_a_permission(self.now_s):
            return 0.0
        marks = (self.consumer._boot_id or "", self.consumer._seq)
        return self.now_s - self.measured_s[marks]

    def _hear(self, reading: object, *, basis: bool) -> None:
        if not self.alive:
            return
        if basis:
            self.basis_s = self.now_s
        stamp = replace(sample(reading).stamp, monotonic_s=self.now_s)  # type: ignore[arg-type]  # a reading
        self._offer(self.signal.received(Sample(reading, stamp)))  # type: ignore[arg-type]  # likewise

    def _offer(self, signals: list[Signal]) -> None:
        for signal in signals:
            payload = json.loads(signal.message.payload)
            self.measured_s[payload["boot_id"], payload["seq"]] = self.basis_s
            self.outbox.offer(signal.message, until_s=signal.until_s)
        self._send()

    def _send(self) -> None:
        if self.linked:
            for parcel in self.outbox.take(self.now_s):
                self.wire.append((self.now_s, parcel.message))
                self.outbox.done(parcel.message)

    def _consume(self, payload: bytes, *, retained: bool) -> None:
        self.consumer.receive(payload, self.now_s, 6, retained=retained)


STEPS: tuple[Callable[[World], None], ...] = (
    World.connects,
    World.link_breaks,
    World.list_with_currents,
    World.power_rises,
    World.stops,
    World.dies,
    World.starts_again,
    World.all_arrives,
    World.broker_tells_the_will,
    World.consumer_restarts,
    World.waits_for_the_link,
    World.is_late,
    World.grows_old,
)
"""Everything that can happen; the waits are each as long as they can be."""


def oldest_on_every_path(depth: int) -> float:
    """Walk every order of ``depth`` steps from a house at work; return the oldest age met."""
    oldest_s = 0.0
    for path in itertools.product(STEPS, repeat=depth):
        world = World()
        world.connects()
        world.list_with_currents()
        for step in path:
            step(world)
            oldest_s = max(oldest_s, world.oldest_permission_s())
    return oldest_s


def test_on_no_path_does_a_consumer_obey_a_permission_older_than_a_minute() -> None:
    assert LONGEST_AGE_S < oldest_on_every_path(3) < DEADLINE_S


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_on_no_longer_path_either() -> None:
    assert LONGEST_AGE_S < oldest_on_every_path(4) < DEADLINE_S


@pytest.mark.parametrize("step", [World.list_with_currents, World.power_rises])
def test_the_longest_way_of_all(step: Callable[[World], None]) -> None:
    """Measured, waiting for the link, late on the wire, and obeyed until it expires."""
    for wait_s in (0.0, 2.5, LONGEST_AGE_S - 0.1):
        world = World()
        world.connects()
        world.all_arrives()
        world.list_with_currents()
        world.link_breaks()
        world.passes(wait_s)
        step(world)
        world.passes(LONGEST_WAIT_S)
        world.linked = True
        world._send()
        world.link_breaks()
        world.passes(WIRE_S)
        world.all_arrives()
        ages = []
        for _ in range(700):
            ages.append(world.oldest_permission_s())
            world.passes(0.1)
        assert max(ages) < DEADLINE_S
        assert ages[-1] == 0.0
        assert all(later == 0.0 for age, later in pairwise(ages[1:]) if age == 0.0)
