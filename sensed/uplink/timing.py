"""Every deadline and interval of the uplink, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field

from sensed.backoff import Backoff


@dataclass(frozen=True, slots=True)
class Span:
    """Shortest and longest wait, in seconds."""

    shortest_s: float
    longest_s: float


@dataclass(frozen=True, slots=True)
class Timing:
    """Every deadline and interval of the uplink, in seconds."""

    connect_deadline_s: float = 10.0
    acknowledge_deadline_s: float = 10.0
    echo_deadline_s: float = 5.0
    stop_deadline_s: float = 3.0
    flush_deadline_s: float = 1.0
    state_interval_s: float = 60.0
    live_age_s: float = 10.0
    proven_after_s: float = 10.0
    introduce_after_s: float = 12.0
    copy_wait_s: float = 2.0
    birth_wait: Span = field(default_factory=lambda: Span(1.0, 5.0))
    retry: Backoff = field(default_factory=lambda: Backoff(1.0, 60.0))
    retry_denied: Backoff = field(default_factory=lambda: Backoff(60.0, 600.0))
    retry_clock: Backoff = field(default_factory=lambda: Backoff(2.0, 10.0))
