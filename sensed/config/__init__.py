"""Configuration: what the administrator and the phone have set, validated whole.

Public door: :func:`load_config`, :class:`Config` and its sections.
"""

from __future__ import annotations

from sensed.config.loader import ETC_PATH, STATE_PATH, load_config
from sensed.config.schema import (
    Config,
    DeviceSection,
    LightSection,
    LogSection,
    MeterSection,
    MqttSection,
)

__all__ = [
    "ETC_PATH",
    "STATE_PATH",
    "Config",
    "DeviceSection",
    "LightSection",
    "LogSection",
    "MeterSection",
    "MqttSection",
    "load_config",
]
