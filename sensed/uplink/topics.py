"""Topic names: one topic per cadence below ``<base>/<device>`` (MQTT 3.1.1, section 4.7)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from sensed.errors import ConfigError

_LONGEST_BASE_OCTETS: Final = 256
_LONGEST_DEVICE: Final = 64
_FORBIDDEN_IN_BASE: Final = re.compile(r"[+#\x00-\x1f\x7f-\x9f]")
_DEVICE: Final = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Topics:
    """Every topic of one device. Raises ConfigError for a base or device that MQTT forbids."""

    base: str
    device: str

    def __post_init__(self) -> None:
        """Check the base and the device."""
        check_base(self.base)
        check_device(self.device)

    @property
    def power(self) -> str:
        """Active and reactive power, every list that has them."""
        return self._below("power")

    @property
    def phases(self) -> str:
        """Currents, voltages and per-phase powers, every list with currents."""
        return self._below("phases")

    @property
    def energy(self) -> str:
        """Cumulative registers."""
        return self._below("energy")

    @property
    def headroom(self) -> str:
        """The signal that chargers obey; carries the connection's will."""
        return self._below("headroom")

    @property
    def state(self) -> str:
        """Indicator state and the facts behind it."""
        return self._below("state")

    @property
    def meter(self) -> str:
        """Who the meter is."""
        return self._below("meter")

    @property
    def history(self) -> str:
        """Readings that could not be sent live, each with its own time."""
        return self._below("history")

    @property
    def trial(self) -> str:
        """What set-up writes and reads back before it trusts a broker; never retained."""
        return self._below("trial")

    def discovery(self, prefix: str) -> str:
        """Home Assistant's device discovery below its ``prefix``."""
        return f"{prefix}/device/{self.device}/config"

    def _below(self, name: str) -> str:
        return f"{self.base}/{self.device}/{name}"


def check_base(base: str) -> str:
    """Return ``base``; raise ConfigError unless it may begin a topic's name."""
    if _FORBIDDEN_IN_BASE.search(base):
        raise ConfigError(
            f"The base topic {base!r} must not contain '+', '#' or control characters."
        )
    if not all(base.split("/")):
        raise ConfigError(f"The base topic {base!r} has an empty level: remove stray '/'.")
    if base.startswith("$"):
        raise ConfigError(f"The base topic {base!r} must not start with '$', brokers reserve it.")
    if len(base.encode(errors="replace")) > _LONGEST_BASE_OCTETS:
        raise ConfigError(f"The base topic is longer than {_LONGEST_BASE_OCTETS} octets.")
    return base


def check_device(device: str) -> str:
    """Return ``device``; raise ConfigError unless MQTT and Home Assistant discovery take it."""
    if not _DEVICE.fullmatch(device) or len(device) > _LONGEST_DEVICE:
        raise ConfigError(
            f"The device id {device!r} must be 1 to {_LONGEST_DEVICE} letters, digits, '_' or '-'."
        )
    return device
