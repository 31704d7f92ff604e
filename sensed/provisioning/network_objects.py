"""NetworkManager's objects on the bus: their names, and what several parts ask of them."""

from __future__ import annotations

import contextlib
from typing import Final

from sensed.provisioning._bus import Bus
from sensed.provisioning.addresses import is_usable
from sensed.provisioning.bus_objects import BusError

NAME: Final = "org.freedesktop.NetworkManager"
PATH: Final = "/org/freedesktop/NetworkManager"
DEVICE: Final = NAME + ".Device"
WIRELESS: Final = NAME + ".Device.Wireless"
SETTINGS: Final = NAME + ".Settings"
PROFILE: Final = NAME + ".Settings.Connection"
ACTIVE: Final = NAME + ".Connection.Active"
ACCESS_POINT: Final = NAME + ".AccessPoint"
AGENTS: Final = NAME + ".AgentManager"

WIFI: Final = 2
"""NM_DEVICE_TYPE_WIFI."""


async def device_addresses(bus: Bus, device: str) -> tuple[str, ...]:
    """Return a device's addresses that are neither link-local nor loopback. Raises BusError."""
    properties = await bus.properties(NAME, device, DEVICE)
    found = []
    for family in ("4", "6"):
        path = str(properties.get(f"Ip{family}Config", "/"))
        if path == "/":
            continue
        with contextlib.suppress(BusError):
            config = await bus.properties(NAME, path, f"{NAME}.IP{family}Config")
            found += [str(entry["address"]) for entry in config.get("AddressData", [])]
    return tuple(sorted(address for address in found if is_usable(address)))


async def profile_names(bus: Bus) -> list[tuple[str, str]]:
    """Return the path and the name of every connection profile. Raises BusError."""
    (paths,) = await bus.call(NAME, f"{PATH}/Settings", f"{SETTINGS}.ListConnections")
    found = []
    for path in paths:
        with contextlib.suppress(BusError):
            (settings,) = await bus.call(NAME, path, f"{PROFILE}.GetSettings")
            found.append((path, str(settings.get("connection", {}).get("id", ""))))
    return found
