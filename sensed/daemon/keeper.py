"""What the daemon does for a set-up client: settings tried and stored, the state told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

import structlog

from sensed.config import Config, SettingError, SettingsStore
from sensed.daemon import settings
from sensed.daemon.identity import device_id
from sensed.daemon.meter import check_port
from sensed.errors import ConfigError
from sensed.han.reading import Reading
from sensed.provisioning import RefusedError
from sensed.uplink import BrokerSettings, LinkError, MeterIdentity, find_broker, try_broker

_log = structlog.get_logger(__name__)

_LIKELY_BROKERS: Final = (("localhost", 1883), ("homeassistant.local", 1883))
"""The device itself, and Home Assistant OS, whose broker listens there as it comes."""

_SHOWN: Final = (
    "power_import_w",
    "power_export_w",
    "current_l1_a",
    "current_l2_a",
    "current_l3_a",
    "voltage_l1_v",
    "voltage_l2_v",
    "voltage_l3_v",
    "energy_import_wh",
    "energy_export_wh",
)
_LONGEST_DETAIL: Final = 200


class NewestValues:
    """The newest value of each quantity that a person wants to see, whichever list had it."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._values: dict[str, float | int] = {}

    def received(self, reading: Reading) -> None:
        """Take a list's values."""
        for name in _SHOWN:
            value = getattr(reading, name)
            if value is not None:
                self._values[name] = float(value) if isinstance(value, Decimal) else value

    def forget(self) -> None:
        """Know nothing, as for another meter."""
        self._values.clear()

    def told(self) -> dict[str, float | int]:
        """Return what is known."""
        return dict(self._values)


class SettingsKeeper:
    """Answers for the daemon; every refusal is a RefusedError."""

    def __init__(
        self,
        store: SettingsStore,
        *,
        config: Callable[[], Config],
        reload: Callable[[], Awaitable[None]],
        state: Callable[[], Mapping[str, Any]],
        meter: Callable[[], MeterIdentity],
        newest: NewestValues,
    ) -> None:
        """``config`` is what is in force; ``state`` what ``sensed status`` is told."""
        self._store = store
        self._config = config
        self._reload = reload
        self._state = state
        self._meter = meter
        self._newest = newest

    def about(self) -> Mapping[str, object]:
        """Return who this device is."""
        return {"device_id": self._device_id()}

    def status(self) -> Mapping[str, object]:
        """Return the state, the facts behind it, the meter and its newest values."""
        state = self._state()
        age_s = state["meter"]["last_list_age_s"]
        meter = self._meter()
        known = meter != MeterIdentity()
        return {
            "state": state["state"],
            "words": state["words"],
            "facts": {
                name: {**fact, "detail": fact["detail"] and fact["detail"][:_LONGEST_DETAIL]}
                for name, fact in state["facts"].items()
            },
            "reading": None if age_s is None else {"age_s": age_s, **self._newest.told()},
            "meter": {
                "meter_id": meter.meter_id,
                "meter_type": meter.meter_type,
                "maker": meter.maker,
            }
            if known
            else None,
        }

    def settings(self) -> Mapping[str, object]:
        """Return every setting that a client may change; no secret."""
        try:
            return self._store.shown(self._config())
        except ConfigError as error:
            raise RefusedError("contradiction", str(error)) from None

    async def change(self, values: Mapping[str, object]) -> None:
        """Put settings in force, the broker's after having tried them, or change nothing."""
        names = ", ".join(sorted(values)[:20]) or "nothing"
        try:
            await self._change(values)
        except RefusedError as refused:
            _log.warning(
                "settings_refused", settings=names, cause=refused.code, detail=str(refused)
            )
            raise
        _log.info("settings_stored", settings=names)
        await self._reload()

    async def brokers(self) -> Sequence[Mapping[str, object]]:
        """Return the brokers that answer just now, the most sensible first."""
        places = [
            BrokerSettings(host=host, port=port, device_id="look", client_id="sensed-look")
            for host, port in _LIKELY_BROKERS
        ]
        async with asyncio.TaskGroup() as group:
            looks = [group.create_task(find_broker(place)) for place in places]
        return [
            {"host": place.host, "port": place.port, "tls": False, "login": look.result()}
            for place, look in zip(places, looks, strict=True)
            if look.result() is not None
        ]

    async def _change(self, values: Mapping[str, object]) -> None:
        try:
            proposal = self._store.propose(values)
            settings.check(proposal.config)
            check_port(proposal.config.meter.port)
            broker = settings.broker(proposal.config)
            if broker is not None and any(name.startswith("mqtt.") for name in values):
                await try_broker(self._beside_ourselves(broker))
            self._store.keep(proposal)
        except SettingError as error:
            raise RefusedError(error.code, str(error), error.name) from None
        except ConfigError as error:
            raise RefusedError("contradiction", str(error)) from None
        except LinkError as error:
            code = "broker-" + error.cause.value.replace("_", "-")
            raise RefusedError(code, str(error)) from None

    def _beside_ourselves(self, broker: BrokerSettings) -> BrokerSettings:
        """Go by another name at a broker that knows us: it keeps one connection per name."""
        present = settings.broker(self._config())
        if present is None or (present.host, present.port) != (broker.host, broker.port):
            return broker
        return replace(broker, client_id=f"{broker.identifier}-t")

    def _device_id(self) -> str:
        try:
            return self._config().device.id or device_id()
        except ConfigError:
            return ""  # Told when a broker is set, which needs one.
