"""Every setting there is: one table, read by the loader, the manual and the shell completion.

A setting's field carries its check, its help, and what set-up from a phone may do with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from decimal import Decimal
from enum import Enum, auto
from typing import Any, TypeVar

from sensed.config import checks
from sensed.config.places import STATE_FOLDER
from sensed.leds.night import NightHours
from sensed.secret import Secret

T = TypeVar("T")


class FromPhone(Enum):
    """Whether set-up from a phone may set a setting, and may be shown it."""

    NO = auto()
    YES = auto()
    WRITE_ONLY = auto()


def setting(
    default: Any, check: checks.Check[T], help_text: str, phone: FromPhone = FromPhone.NO
) -> T:
    """Declare a setting with its default, its check and one sentence of help."""
    metadata = {"check": check, "help": help_text, "phone": phone}
    value: T = field(default=default, metadata=metadata)
    return value


@dataclass(frozen=True, slots=True)
class DeviceSection:
    """Who this device is."""

    id: str | None = setting(
        None,
        checks.optional(checks.text("an identifier", longest=64)),
        "Identifier of this device in topics; empty: derived from the machine id.",
    )
    name: str = setting(
        "sensed",
        checks.text("a name", longest=64),
        "Name of this device for people: in set-up and in Home Assistant.",
        FromPhone.YES,
    )


@dataclass(frozen=True, slots=True)
class MeterSection:
    """Where the meter's telegrams come from and how they are read."""

    port: str = setting(
        "auto",
        checks.meter_port,
        "Device of the M-Bus adapter, socket://host:port, or auto for the first one by name.",
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
        FromPhone.WRITE_ONLY,
    )
    auth_key: Secret | None = setting(
        None,
        checks.optional(checks.key_hex),
        "Authentication key from the grid company, where there is one.",
        FromPhone.WRITE_ONLY,
    )
    ct_ratio: int | Decimal = setting(
        1,
        checks.ratio,
        "Ratio of external current transformers that the meter does not know.",
    )
    layout: tuple[str, ...] = setting(
        (),
        checks.layout,
        'Reading keys in the order of a list that does not tell it itself, "-" for a value to '
        "pass over (Iskraemeco, Landis+Gyr); empty: none.",
    )


@dataclass(frozen=True, slots=True)
class MqttSection:
    """The broker that readings go to."""

    host: str | None = setting(
        None,
        checks.optional(checks.text("a host name or address")),
        "Host name or address of the broker; empty: not configured.",
        FromPhone.YES,
    )
    port: int = setting(
        1883,
        checks.integer(1, 65535),
        "TCP port of the broker.",
        FromPhone.YES,
    )
    protocol: str = setting(
        "3.1.1",
        checks.one_of(("3.1.1", "5")),
        "Version of MQTT.",
        FromPhone.YES,
    )
    username: str | None = setting(
        None,
        checks.optional(checks.text("a user name")),
        "User name at the broker.",
        FromPhone.YES,
    )
    password: Secret | None = setting(
        None,
        checks.optional(checks.secret),
        "Password at the broker.",
        FromPhone.WRITE_ONLY,
    )
    tls: bool = setting(
        False,
        checks.boolean,
        "Encrypt the connection and verify the broker.",
        FromPhone.YES,
    )
    ca_file: str | None = setting(
        None,
        checks.optional(checks.text("a file's path")),
        "Certificates to trust instead of the system's, as a PEM file.",
    )
    ca_pem: str | None = setting(
        None,
        checks.optional(checks.certificates),
        "Certificates to trust instead of the system's, as PEM text: what a phone can set.",
        FromPhone.WRITE_ONLY,
    )
    tls_lowest: str = setting(
        "1.2", checks.one_of(("1.2", "1.3")), "Lowest version of TLS to accept."
    )
    client_cert_file: str | None = setting(
        None,
        checks.optional(checks.text("a file's path")),
        "Certificate that shows the broker who this device is, as a PEM file.",
    )
    client_key_file: str | None = setting(
        None,
        checks.optional(checks.text("a file's path")),
        "Private key of that certificate, if it is not in the same file.",
    )
    client_id: str | None = setting(
        None,
        checks.optional(checks.text("a client identifier")),
        "MQTT client identifier; empty: sensed- and the device's identifier.",
    )
    base_topic: str = setting("sensed", checks.text("a topic"), "First levels of every topic.")


@dataclass(frozen=True, slots=True)
class FuseSection:
    """The house's connection, which the headroom signal protects."""

    main_a: int | Decimal | None = setting(
        None,
        checks.optional(checks.number(1, 10_000)),
        "Main fuse in ampere; empty: chargers are only ever given the fail-safe current.",
        FromPhone.YES,
    )
    margin_a: int | Decimal = setting(
        2,
        checks.number(0, 10_000),
        "Ampere of the main fuse that stay unused.",
        FromPhone.YES,
    )
    failsafe_a: int | Decimal = setting(
        6,
        checks.number(0, 10_000),
        "Current that chargers may draw while nothing is known; 0 makes them pause.",
        FromPhone.YES,
    )
    net: str | None = setting(
        None,
        checks.optional(checks.one_of(("TN", "IT", "TT"))),
        "Kind of supply: TN, IT or TT; empty: found from the lists, and a current of L2 that was"
        " never above 0 A counts as not sent.",
        FromPhone.YES,
    )
    phases: int | None = setting(
        None, checks.optional(checks.integer(1, 3)), "Phases, 1 or 3; empty: found from the lists."
    )
    estimate_l2: bool = setting(
        False,
        checks.boolean,
        "On IT nets whose meter sends no L2 current: estimate it, instead of the safe bound.",
    )


@dataclass(frozen=True, slots=True)
class HistorySection:
    """Readings that wait for a broker that is away."""

    file: str | None = setting(
        str(STATE_FOLDER / "history.sqlite"),
        checks.optional(checks.text("a file's path")),
        "Where readings wait while the broker is away; empty: in memory alone.",
    )
    most_rows: int = setting(
        250_000, checks.integer(1000, 10_000_000), "How many readings wait at most."
    )


@dataclass(frozen=True, slots=True)
class HomeAssistantSection:
    """How the device introduces itself to Home Assistant."""

    prefix: str | None = setting(
        "homeassistant",
        checks.optional(checks.text("a topic")),
        "Discovery prefix of Home Assistant; empty: no introduction.",
    )


@dataclass(frozen=True, slots=True)
class SetupSection:
    """Set-up from a phone nearby."""

    improv: str = setting(
        "auto",
        checks.one_of(("auto", "button", "off")),
        "Set-up of Wi-Fi over Bluetooth for Improv apps, which send the password in clear: auto "
        "opens it while there is no network, button only on request.",
    )
    encrypted: str = setting(
        "auto",
        checks.one_of(("auto", "button", "off")),
        "Encrypted set-up over Bluetooth, with the set-up code: auto also opens it for a quarter "
        "of an hour after the start while the device is not configured, button only on request.",
    )
    page: str | None = setting(
        None,
        checks.optional(checks.web_address),
        "Address of the set-up page, for the QR code of the set-up code; empty: there is none.",
    )
    button: int | None = setting(
        None,
        checks.optional(checks.integer(0, 27)),
        "BCM line of a push button that opens set-up; empty: there is none.",
    )


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
        FromPhone.YES,
    )
    brightness: int = setting(
        100,
        checks.integer(1, 100),
        "Brightness in per cent.",
        FromPhone.YES,
    )
    night: NightHours | None = setting(
        None,
        checks.optional(checks.night_hours),
        "Hours, such as 22:00-06:30, in which the light is dark while all is well.",
        FromPhone.YES,
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
    fuse: FuseSection = field(default_factory=FuseSection)
    history: HistorySection = field(default_factory=HistorySection)
    home_assistant: HomeAssistantSection = field(default_factory=HomeAssistantSection)
    setup: SetupSection = field(default_factory=SetupSection)
    light: LightSection = field(default_factory=LightSection)
    log: LogSection = field(default_factory=LogSection)


SECTIONS: dict[str, Any] = {item.name: item.default_factory for item in fields(Config)}
"""Section name to section class."""
