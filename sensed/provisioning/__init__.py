"""How the Pi comes onto the network: set-up from a phone, and the network that is there.

Public doors: :class:`Provisioning`, :class:`AddressWatch`.
"""

from __future__ import annotations

from sensed.provisioning.addresses import AddressWatch
from sensed.provisioning.network_manager import JoinOutcome
from sensed.provisioning.network_watch import ActiveLink, NetworkFacts
from sensed.provisioning.networks import Cause
from sensed.provisioning.provisioning import (
    Provisioning,
    SetupError,
    SetupFacts,
    SetupSettings,
)
from sensed.provisioning.window import ImprovMode

__all__ = [
    "ActiveLink",
    "AddressWatch",
    "Cause",
    "ImprovMode",
    "JoinOutcome",
    "NetworkFacts",
    "Provisioning",
    "SetupError",
    "SetupFacts",
    "SetupSettings",
]
