"""Who this device is: stable across host names, networks and reinstalled packages."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Final

from sensed.errors import ConfigError

_MACHINE_ID: Final = Path("/etc/machine-id")
_APPLICATION: Final = b"sensed device id"
_DIGITS: Final = 12


def device_id(machine_id: Path = _MACHINE_ID) -> str:
    """Return 12 hex digits derived from the machine id.

    A keyed hash, since machine-id(5) asks that the id itself stays on the machine.
    Raises ConfigError when there is none.
    """
    try:
        secret = machine_id.read_text().strip().encode()
    except OSError as error:
        reason = error.strerror
        raise ConfigError(
            f"{machine_id}: {reason}; set device.id in the configuration instead."
        ) from None
    if not secret:
        raise ConfigError(f"{machine_id}: empty; set device.id in the configuration instead.")
    return hmac.new(secret, _APPLICATION, hashlib.sha256).hexdigest()[:_DIGITS]
