"""The uplink: readings to MQTT topics, over a connection that is rebuilt for ever."""

from sensed.uplink.history import HistoryCounts
from sensed.uplink.link import Cause, LinkError, LinkFact
from sensed.uplink.payloads import MeterIdentity, Sample, Stamp, StateReport
from sensed.uplink.settings import (
    BrokerSettings,
    DiscoverySettings,
    HistorySettings,
    SafetySettings,
)
from sensed.uplink.timing import Timing
from sensed.uplink.trial import dial_broker, find_broker, try_broker
from sensed.uplink.uplink import Uplink

__all__ = [
    "BrokerSettings",
    "Cause",
    "DiscoverySettings",
    "HistoryCounts",
    "HistorySettings",
    "LinkError",
    "LinkFact",
    "MeterIdentity",
    "SafetySettings",
    "Sample",
    "Stamp",
    "StateReport",
    "Timing",
    "Uplink",
    "dial_broker",
    "find_broker",
    "try_broker",
]
