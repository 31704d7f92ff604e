"""Where the meter's port is: a device path, or ``socket://host:port`` of a serial server."""

from __future__ import annotations

from sensed.errors import ConfigError


def tcp_address(device: str) -> tuple[str, int] | None:
    """Return host and port of a network port, None for a device path; ConfigError otherwise."""
    if "://" not in device:
        if not device:
            raise ConfigError("The meter's device is empty; give a path or socket://host:port.")
        return None
    from urllib.parse import urlsplit  # few meters are behind a network

    host = port = None
    try:
        parts = urlsplit(device)
        if parts.scheme == "socket":
            host, port = parts.hostname, parts.port
    except ValueError:  # half an IPv6 address, a port that is no number
        pass
    if not host or not port:
        raise ConfigError(f"The meter's device {device!r} is no path and not socket://host:port.")
    return host, port
