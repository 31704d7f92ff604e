"""What the uplink is told: the broker, the fuse, the history and Home Assistant."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from sensed.errors import ConfigError
from sensed.han.reading import Quantity
from sensed.secret import Secret
from sensed.uplink.topics import Topics, check_base

Net = Literal["TN", "IT", "TT"]
Protocol = Literal["3.1.1", "5"]
TlsVersion = Literal["1.2", "1.3"]

DEFAULT_FAILSAFE_A: Final = 6
"""What chargers may draw when nothing is known, in ampere, as the dongle's manual has it."""

_HIGHEST_PORT: Final = 65535
_LONGEST_TEXT_OCTETS: Final = 65535
_LARGEST_FUSE_A: Final = 10_000
_FEWEST_ROWS: Final = 1000
_LONGEST_BATCH_S: Final = 40.0
_THREE: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """One broker and this device's name there.

    ``ca_file`` or ``ca_pem`` replaces the system's trusted certificates; ``client_cert_file`` and
    ``client_key_file`` (which may be one file) show who this device is; ``client_id``
    defaults to ``sensed-<device_id>``. Raises ConfigError for values MQTT cannot carry.
    """

    host: str
    device_id: str
    port: int = 1883
    protocol: Protocol = "3.1.1"
    username: str | None = None
    password: Secret | None = None
    tls: bool = False
    tls_lowest: TlsVersion = "1.2"
    ca_file: str | None = None
    ca_pem: str | None = None
    client_cert_file: str | None = None
    client_key_file: str | None = None
    base_topic: str = "sensed"
    keepalive_s: int = 12
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
        if self.protocol not in ("3.1.1", "5"):
            raise ConfigError(f"The MQTT version {self.protocol!r} must be 3.1.1 or 5.")
        if self.tls_lowest not in ("1.2", "1.3"):
            raise ConfigError(f"The lowest TLS version {self.tls_lowest!r} must be 1.2 or 1.3.")
        self._check_account()

    def _check_account(self) -> None:
        if self.password is not None and self.username is None:
            raise ConfigError("A password for the broker needs a user name with it.")
        if self.client_key_file and not self.client_cert_file:
            raise ConfigError("A client key for the broker needs a client certificate with it.")
        if self.ca_file and self.ca_pem:
            raise ConfigError("Give the broker's certificates as a file or as text, not as both.")
        if (self.client_cert_file or self.ca_file or self.ca_pem) and not self.tls:
            raise ConfigError("Certificates for the broker need TLS: switch it on.")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetySettings:
    """The house's connection, for the headroom signal; currents in ampere.

    Without ``main_fuse_a`` the signal stays in fail-safe. ``net`` and ``phases`` are
    found from the lists where ``None``. ``estimate_l2`` allows the reconstruction of a
    missing L2 current. ``failsafe_a`` is what chargers may draw in fail-safe: 0 (pause)
    or what a car accepts. Raises ConfigError.
    """

    main_fuse_a: Quantity | None = None
    margin_a: Quantity = 2
    failsafe_a: Quantity = DEFAULT_FAILSAFE_A
    net: Net | None = None
    phases: int | None = None
    estimate_l2: bool = False

    def __post_init__(self) -> None:
        """Refuse what no house has."""
        fuse_a = self.main_fuse_a
        if fuse_a is not None and not 0 < fuse_a <= _LARGEST_FUSE_A:
            raise ConfigError(f"The main fuse of {fuse_a} A must be above 0 A.")
        if self.margin_a < 0 or (fuse_a is not None and self.margin_a >= fuse_a):
            raise ConfigError(f"The margin of {self.margin_a} A must be below the main fuse.")
        if self.failsafe_a < 0 or (fuse_a is not None and self.failsafe_a > fuse_a):
            raise ConfigError(f"The fail-safe of {self.failsafe_a} A must not exceed the fuse.")
        if self.net not in (None, "TN", "IT", "TT"):
            raise ConfigError(f"The net {self.net!r} must be TN, IT or TT.")
        if self.phases not in (None, 1, _THREE):
            raise ConfigError(f"The number of phases {self.phases} must be 1 or 3.")


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySettings:
    """How much is kept for a broker that is away; without ``path`` in memory alone.

    A batch of readings goes to the file every ``batch_s`` seconds (at most 40, so that a
    power cut costs less than a minute of them). Raises ConfigError.
    """

    path: Path | None = None
    most_rows: int = 250_000
    most_in_memory: int = 10_000
    batch_s: float = 35.0

    def __post_init__(self) -> None:
        """Check the bounds."""
        if self.most_rows < _FEWEST_ROWS or self.most_in_memory < _FEWEST_ROWS:
            raise ConfigError(f"The history must hold {_FEWEST_ROWS} readings or more.")
        if not 0 < self.batch_s <= _LONGEST_BATCH_S:
            raise ConfigError(f"The history's batch must be at most {_LONGEST_BATCH_S:.0f} s.")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoverySettings:
    """How the device introduces itself to Home Assistant; no ``prefix``: not at all.

    ``software`` is this program's version. Raises ConfigError for an impossible prefix.
    """

    prefix: str | None = "homeassistant"
    name: str | None = None
    software: str | None = None

    def __post_init__(self) -> None:
        """Check the prefix."""
        if self.prefix is not None:
            check_base(self.prefix)


def _fits(text: str) -> bool:
    try:
        return len(text.encode()) <= _LONGEST_TEXT_OCTETS and "\x00" not in text
    except UnicodeEncodeError:
        return False
