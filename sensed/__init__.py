"""sensed: a smart meter's HAN port on MQTT, with a light that tells the truth."""

__version__ = "0.1.0"
