"""Configuration: what the administrator and the phone have set, validated whole.

Public door: :func:`load_config`, :class:`Config` and its sections.
"""

from __future__ import annotations

from sensed.config.loader import ETC_PATH, STATE_PATH, load_config
from sensed.config.schema import (
    Config,
    DeviceSection,
    FuseSection,
    HistorySection,
    HomeAssistantSection,
    LightSection,
    LogSection,
    MeterSection,
    MqttSection,
    SetupSection,
)

__all__ = [
    "ETC_PATH",
    "STATE_PATH",
    "Config",
    "DeviceSection",
    "FuseSection",
    "HistorySection",
    "HomeAssistantSection",
    "LightSection",
    "LogSection",
    "MeterSection",
    "MqttSection",
    "SetupSection",
    "load_config",
]
