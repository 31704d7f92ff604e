"""From the configuration to what each part is made of; every contradiction is told here."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from sensed import __version__
from sensed.config import Config
from sensed.daemon.identity import device_id
from sensed.errors import ConfigError
from sensed.leds.gpio import LightSettings
from sensed.provisioning import SetupMode, SetupSettings
from sensed.uplink import BrokerSettings, DiscoverySettings, HistorySettings, SafetySettings
from sensed.uplink.settings import Net, Protocol, TlsVersion


def check(config: Config) -> None:
    """Raise ConfigError where settings contradict each other."""
    broker(config)
    safety(config)
    history(config)
    discovery(config)
    light(config)
    if config.setup.button in config.light.pins:
        raise ConfigError(
            f"setup.button and light.pins both use line {config.setup.button}; "
            "give each a line of its own."
        )


def broker(config: Config) -> BrokerSettings | None:
    """Return the broker and this device's name there, ``None`` if no broker is set."""
    mqtt = config.mqtt
    if mqtt.host is None:
        return None
    return BrokerSettings(
        host=mqtt.host,
        device_id=config.device.id or device_id(),
        port=mqtt.port,
        protocol=cast("Protocol", mqtt.protocol),
        username=mqtt.username,
        password=mqtt.password,
        tls=mqtt.tls,
        tls_lowest=cast("TlsVersion", mqtt.tls_lowest),
        ca_file=mqtt.ca_file,
        ca_pem=mqtt.ca_pem,
        client_cert_file=mqtt.client_cert_file,
        client_key_file=mqtt.client_key_file,
        base_topic=mqtt.base_topic,
        client_id=mqtt.client_id,
    )


def leaves(before: Config, after: Config) -> bool:
    """Tell whether the device gives up its name at its broker."""

    def names(config: Config) -> tuple[object, ...] | None:
        place = broker(config)
        if place is None:
            return None
        return place.host, place.port, place.topics, discovery(config).prefix

    return names(before) is not None and names(before) != names(after)


def safety(config: Config) -> SafetySettings:
    """Return the house's connection."""
    fuse = config.fuse
    return SafetySettings(
        main_fuse_a=fuse.main_a,
        margin_a=fuse.margin_a,
        failsafe_a=fuse.failsafe_a,
        net=cast("Net | None", fuse.net),
        phases=fuse.phases,
        estimate_l2=fuse.estimate_l2,
    )


def history(config: Config) -> HistorySettings:
    """Return how much is kept for a broker that is away."""
    file = config.history.file
    return HistorySettings(path=Path(file) if file else None, most_rows=config.history.most_rows)


def discovery(config: Config) -> DiscoverySettings:
    """Return how the device introduces itself."""
    return DiscoverySettings(
        prefix=config.home_assistant.prefix, name=config.device.name, software=__version__
    )


def light(config: Config) -> LightSettings:
    """Return the light's lines."""
    section = config.light
    return LightSettings(section.pins, section.active_low, section.brightness)


def setup(config: Config) -> SetupSettings:
    """Return how set-up presents the device."""
    return SetupSettings(
        improv=SetupMode(config.setup.improv),
        encrypted=SetupMode(config.setup.encrypted),
        device_name=config.device.name,
    )
