"""How the Pi comes onto the network: set-up from a phone, and the network that is there.

Public doors: :class:`Provisioning`, :class:`AddressWatch`.
"""

from __future__ import annotations

from sensed.provisioning.addresses import AddressWatch, usable_addresses
from sensed.provisioning.bluez import Trouble
from sensed.provisioning.bus_objects import BusError
from sensed.provisioning.callbacks import House
from sensed.provisioning.encrypted import RefusedError
from sensed.provisioning.look import Surroundings, look_around
from sensed.provisioning.network_manager import JoinOutcome
from sensed.provisioning.network_watch import ActiveLink, NetworkFacts
from sensed.provisioning.networks import Cause
from sensed.provisioning.provisioning import (
    Provisioning,
    SetupError,
    SetupFacts,
    SetupSettings,
)
from sensed.provisioning.requests import Keeper
from sensed.provisioning.setup_state import SetupState, read_code
from sensed.provisioning.window import SetupMode

__all__ = [
    "ActiveLink",
    "AddressWatch",
    "BusError",
    "Cause",
    "House",
    "JoinOutcome",
    "Keeper",
    "NetworkFacts",
    "Provisioning",
    "RefusedError",
    "SetupError",
    "SetupFacts",
    "SetupMode",
    "SetupSettings",
    "SetupState",
    "Surroundings",
    "Trouble",
    "look_around",
    "read_code",
    "usable_addresses",
]
