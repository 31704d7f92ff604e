"""Every setting there is: one table, read by the loader, the manual and the shell completion.

A setting's field carries its check, its help and whether it is a secret.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any, TypeVar

from sensed.config import checks
from sensed.leds.night import NightHours
from sensed.secret import Secret

T = TypeVar("T")


def setting(default: Any, check: checks.Check[T], help_text: str) -> T:
    """Declare a setting with its default, its check and one sentence of help."""
    metadata = {"check": check, "help": help_text}
    value: T = field(default=default, metadata=metadata)
    return value


@dataclass(frozen=True, slots=True)
class DeviceSection:
    """Who this device is."""

    id: str | None = setting(
        None,
        checks.optional(checks.text("an identifier", longest=64)),
        "Name of this device in topics; empty: derived from the machine id.",
    )


@dataclass(frozen=True, slots=True)
class MeterSection:
    """Where the meter's telegrams come from and how they are read."""

    port: str = setting(
        "auto",
        checks.text("a device path, socket://host:port or auto"),
        "Device of the M-Bus adapter, socket://host:port, or auto for the only USB adapter.",
    )
    serial: str = setting(
        "auto",
        checks.serial_format,
        "Line format of the port, such as 2400 8E1; auto tries those that meters use.",
    )
    key: Secret | None = setting(
        None,
        checks.optional(checks.key_hex),
        "Encryption key from the grid company, for meters that encrypt.",
    )
    auth_key: Secret | None = setting(
        None,
        checks.optional(checks.key_hex),
        "Authentication key from the grid company, where there is one.",
    )
    ct_ratio: int | Decimal = setting(
        1,
        checks.ratio,
        "Ratio of external current transformers that the meter does not know.",
    )


@dataclass(frozen=True, slots=True)
class MqttSection:
    """The broker that readings go to."""

    host: str | None = setting(
        None,
        checks.optional(checks.text("a host name or address")),
        "Host name or address of the broker; empty: not configured.",
    )
    port: int = setting(1883, checks.integer(1, 65535), "TCP port of the broker.")
    username: str | None = setting(
        None, checks.optional(checks.text("a user name")), "User name at the broker."
    )
    password: Secret | None = setting(
        None, checks.optional(checks.secret), "Password at the broker."
    )
    tls: bool = setting(False, checks.boolean, "Encrypt the connection and verify the broker.")
    ca_file: str | None = setting(
        None,
        checks.optional(checks.text("a file's path")),
        "Certificates to trust instead of the system's, as a PEM file.",
    )
    base_topic: str = setting("sensed", checks.text("a topic"), "First levels of every topic.")


@dataclass(frozen=True, slots=True)
class LightSection:
    """The RGB LED."""

    pins: tuple[int, int, int] = setting(
        (17, 27, 22), checks.gpio_lines, "BCM lines of red, green and blue."
    )
    active_low: bool = setting(
        False, checks.boolean, "True for an LED with a common anode: a low line lights it."
    )
    palette: str = setting(
        "default",
        checks.one_of(("default", "colour_blind")),
        "Colours of the states; colour_blind has blue for well and yellow for not.",
    )
    brightness: int = setting(100, checks.integer(1, 100), "Brightness in per cent.")
    night: NightHours | None = setting(
        None,
        checks.optional(checks.night_hours),
        "Hours, such as 22:00-06:30, in which the light is dark while all is well.",
    )


@dataclass(frozen=True, slots=True)
class LogSection:
    """What is written to the journal."""

    level: str = setting(
        "info",
        checks.one_of(("debug", "info", "warning", "error")),
        "Least severe event that is written; debug includes every list.",
    )


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration, validated."""

    device: DeviceSection = field(default_factory=DeviceSection)
    meter: MeterSection = field(default_factory=MeterSection)
    mqtt: MqttSection = field(default_factory=MqttSection)
    light: LightSection = field(default_factory=LightSection)
    log: LogSection = field(default_factory=LogSection)


SECTIONS: dict[str, Any] = {item.name: item.default_factory for item in fields(Config)}
"""Section name to section class."""
