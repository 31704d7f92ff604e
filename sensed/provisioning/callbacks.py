"""What set-up tells the rest of the daemon, and asks of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sensed.provisioning.bluez import Trouble
from sensed.provisioning.network_manager import JoinOutcome
from sensed.provisioning.network_watch import NetworkFacts
from sensed.provisioning.requests import Keeper
from sensed.provisioning.setup_state import SetupState


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What the session tells, and asks; none may block. ``on_rename`` may raise RefusedError."""

    on_identify: Callable[[], None]
    on_facts: Callable[[NetworkFacts], None]
    on_trouble: Callable[[Trouble, str], None]
    on_join: Callable[[JoinOutcome], None]
    on_window: Callable[[], None]
    on_rename: Callable[[str], Awaitable[None]] | None
    uplink_set: Callable[[], bool]
    reset: Callable[[], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class House:
    """What the encrypted service needs: what it keeps, and who keeps everything else."""

    state: SetupState
    keeper: Keeper
