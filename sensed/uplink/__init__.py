"""The uplink: readings to MQTT topics, over a connection that is rebuilt for ever."""

from sensed.uplink.link import Cause, LinkError, LinkFact
from sensed.uplink.payloads import MeterIdentity, Sample, Stamp
from sensed.uplink.settings import BrokerSettings
from sensed.uplink.uplink import Timing, Uplink

__all__ = [
    "BrokerSettings",
    "Cause",
    "LinkError",
    "LinkFact",
    "MeterIdentity",
    "Sample",
    "Stamp",
    "Timing",
    "Uplink",
]
