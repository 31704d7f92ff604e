"""What each request of the encrypted set-up does.

docs/setup-protocol.md, section 6.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import structlog

from sensed.errors import SensedError
from sensed.provisioning.bus_objects import BusError
from sensed.provisioning.desk import Handler
from sensed.provisioning.encrypted import RefusedError
from sensed.provisioning.improv_server import Description
from sensed.provisioning.network_manager import JoinOutcome, NetworkManager
from sensed.provisioning.network_watch import NetworkFacts
from sensed.provisioning.networks import Cause
from sensed.secret import Secret

_log = structlog.get_logger(__name__)

_MOST_NETWORKS: Final = 32
_MOST_ADDRESSES: Final = 16
_CAUSES: Final = frozenset(cause.value for cause in Cause)


class Keeper(Protocol):
    """What the rest of the daemon does for set-up; each method may raise RefusedError."""

    def about(self) -> Mapping[str, object]:
        """Return who this device is, beside what set-up itself knows."""

    def status(self) -> Mapping[str, object]:
        """Return the state, the facts behind it, the meter and its newest values."""

    def settings(self) -> Mapping[str, object]:
        """Return every setting that a client may change; no secret."""

    async def change(self, values: Mapping[str, object]) -> None:
        """Put settings in force, after having tried them, or change nothing."""

    async def brokers(self) -> Sequence[Mapping[str, object]]:
        """Return the brokers that answer just now, the most sensible first."""


class Surroundings(Protocol):
    """What set-up itself knows and can do."""

    @property
    def manager(self) -> NetworkManager:
        """NetworkManager."""

    @property
    def facts(self) -> NetworkFacts:
        """What is known of the network."""

    @property
    def description(self) -> Description:
        """How the device speaks of itself."""

    def open_s(self) -> float:
        """Return for how much longer set-up is open."""

    def identify(self) -> None:
        """Show a person which device this is."""

    async def join(self, ssid: bytes, password: Secret) -> JoinOutcome:
        """Try a network, and keep it if it works."""

    def close(self) -> None:
        """Close set-up."""


class Requests:
    """The handlers of every request, for one life of the bus."""

    def __init__(
        self, around: Surroundings, keeper: Keeper, reset: Callable[[], Awaitable[int]]
    ) -> None:
        """``reset`` forgets everything and returns how many networks."""
        self._around = around
        self._keeper = keeper
        self._reset = reset

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Request to what fulfils it."""
        return {
            "hello": self._hello,
            "status": self._status,
            "identify": self._identify,
            "wifi.scan": self._scan,
            "wifi.join": self._join,
            "settings.get": self._settings,
            "settings.set": self._set,
            "broker.suggest": self._brokers,
            "finish": self._finish,
            "reset": self._forget,
        }

    async def _hello(self) -> Mapping[str, Any]:
        us = self._around.description
        return {
            **self._keeper.about(),
            "name": us.device_name,
            "version": us.version,
            "hardware": us.hardware,
            "hostname": us.hostname,
            "open_s": round(self._around.open_s()),
        }

    async def _status(self) -> Mapping[str, Any]:
        try:
            network = await self._around.manager.network_in_use()
        except BusError:
            network = None  # Without NetworkManager nothing is known of it.
        wifi = network and {"ssid": network.ssid, "rssi_dbm": network.rssi_dbm}
        return {
            **self._keeper.status(),
            "wifi": wifi,
            "addresses": self._around.facts.addresses[:_MOST_ADDRESSES],
            "open_s": round(self._around.open_s()),
        }

    async def _identify(self) -> Mapping[str, Any]:
        self._around.identify()
        return {}

    async def _scan(self) -> Mapping[str, Any]:
        try:
            found = await self._around.manager.scan()
        except BusError as error:
            _log.warning("wifi_scan_failed", detail=error.text)
            code = error.name if error.name in _CAUSES else Cause.NETWORK_MANAGER.value
            raise RefusedError(code, error.text) from None
        networks = [
            {"ssid": network.ssid, "rssi_dbm": network.rssi_dbm, "auth": network.auth}
            for network in found[:_MOST_NETWORKS]
        ]
        return {"networks": networks}

    async def _join(self, ssid: str, password: str) -> Mapping[str, Any]:
        try:
            name = ssid.encode()
            password.encode()
        except UnicodeEncodeError:
            raise RefusedError("bad-request", "Name and password must be text.") from None
        outcome = await self._around.join(name, Secret(password))
        if outcome.cause is not None:
            raise RefusedError(outcome.cause.value, outcome.detail)
        return {"addresses": outcome.addresses[:_MOST_ADDRESSES]}

    async def _settings(self) -> Mapping[str, Any]:
        return {"settings": self._keeper.settings()}

    async def _set(self, values: Mapping[str, object]) -> Mapping[str, Any]:
        await self._keeper.change(values)
        return await self._settings()

    async def _brokers(self) -> Mapping[str, Any]:
        return {"brokers": list(await self._keeper.brokers())}

    async def _finish(self) -> Mapping[str, Any]:
        self._around.close()
        return {}

    async def _forget(self) -> Mapping[str, Any]:
        try:
            return {"networks": await self._reset()}
        except SensedError as error:
            raise RefusedError(Cause.NETWORK_MANAGER.value, str(error)) from None
