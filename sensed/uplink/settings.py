"""Where the broker is and how it is spoken to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sensed.errors import ConfigError
from sensed.secret import Secret
from sensed.uplink.topics import Topics

_HIGHEST_PORT: Final = 65535
_LONGEST_TEXT_OCTETS: Final = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """One broker and this device's name there.

    ``ca_file`` replaces the system's trusted certificates; ``client_id`` defaults to
    ``sensed-<device_id>``. Raises ConfigError for values MQTT cannot carry.
    """

    host: str
    device_id: str
    port: int = 1883
    username: str | None = None
    password: Secret | None = None
    tls: bool = False
    ca_file: str | None = None
    base_topic: str = "sensed"
    keepalive_s: int = 15
    client_id: str | None = None

    def __post_init__(self) -> None:
        """Check every value, so that a connection attempt can fail only for the network's sake."""
        _ = self.topics
        if not self.host or self.host != self.host.strip() or "\x00" in self.host:
            raise ConfigError(f"The broker's host {self.host!r} is not a name or an address.")
        if not 0 < self.port <= _HIGHEST_PORT:
            raise ConfigError(f"The broker's port {self.port} must be 1 to {_HIGHEST_PORT}.")
        if not 0 < self.keepalive_s <= _LONGEST_TEXT_OCTETS:
            raise ConfigError(f"The keepalive of {self.keepalive_s} s must be 1 to 65535 s.")
        if self.password is not None and self.username is None:
            raise ConfigError("A password for the broker needs a user name with it.")
        for name, text in (
            ("user name", self.username),
            ("password", self.password.reveal() if self.password else None),
            ("client id", self.client_id),
        ):
            if text is not None and not _fits(text):
                raise ConfigError(f"The broker's {name} is longer than MQTT allows or not text.")

    @property
    def topics(self) -> Topics:
        """Where the device publishes."""
        return Topics(self.base_topic, self.device_id)

    @property
    def identifier(self) -> str:
        """The MQTT client identifier."""
        return self.client_id or f"sensed-{self.device_id}"


def _fits(text: str) -> bool:
    try:
        return len(text.encode()) <= _LONGEST_TEXT_OCTETS and "\x00" not in text
    except UnicodeEncodeError:
        return False
