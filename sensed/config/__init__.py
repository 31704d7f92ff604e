"""Configuration: what the administrator and the phone have set, validated whole.

Public door: :func:`load_config`, :class:`Config` and its sections, :class:`SettingsStore`.
"""

from __future__ import annotations

from sensed.config.loader import load_config
from sensed.config.places import ETC_PATH, STATE_PATH
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
from sensed.config.store import Proposal, SettingError, SettingsStore

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
    "Proposal",
    "SettingError",
    "SettingsStore",
    "SetupSection",
    "load_config",
]
