"""A network on trial: nothing is kept before it has given an address, and all taken back else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from sensed.provisioning import networks
from sensed.provisioning._bus import Bus, Signal
from sensed.provisioning.bus_objects import BusError, Variant
from sensed.provisioning.network_objects import (
    DEVICE,
    NAME,
    PATH,
    PROFILE,
    device_addresses,
    profile_names,
)
from sensed.provisioning.networks import AccessPoint, Cause, DeviceState

_log = structlog.get_logger(__name__)

_ANSWER_LIMIT_S: Final = 78.0
"""As long as a join may take: an answer that was not waited for names nothing to take back."""

_ADDRESS_PAUSE_S: Final = 0.5
_UNDO_LIMIT_S: Final = 5.0

_ACTIVATED: Final = 2
_DEACTIVATED: Final = 4
"""NMActiveConnectionState."""

_OPTIONS: Final = {"persist": Variant("s", "memory"), "bind-activation": Variant("s", "none")}

Settings = Mapping[str, Mapping[str, Variant]]
"""A connection profile as NetworkManager takes it."""


@dataclass(frozen=True, slots=True)
class Radio:
    """The Wi-Fi device in use; ``profile`` is what it is connected with, "" for nothing."""

    path: str
    driver: str
    bands: int
    profile: str


class JoinError(Exception):
    """The join ends with this cause."""

    def __init__(self, cause: Cause, detail: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.detail = detail


class Trial:
    """One join, and what is known of it; ``reached`` is the device's furthest state."""

    def __init__(self, bus: Bus) -> None:
        """Use ``bus``; ``radio`` and ``point`` are for who knows them."""
        self._bus = bus
        self.radio: Radio | None = None
        self.point: AccessPoint | None = None
        self.reached = 0

    def explain(self, cause: Cause) -> str:
        """Return one sentence for a person."""
        bands, driver = (self.radio.bands, self.radio.driver) if self.radio else (0, "")
        return networks.explained(cause, bands=bands, driver=driver, point=self.point)

    async def run(
        self, radio: Radio, profile: Settings, events: asyncio.Queue[Signal]
    ) -> tuple[str, ...]:
        """Return the addresses that the network gives, its profile saved.

        Otherwise, and when cancelled, what was there before is there again. Raises JoinError,
        BusError.
        """
        kept = False
        # Not cancelled with us: what it began can only be taken back by what it answers.
        asking = asyncio.create_task(self._begin(radio, profile))
        try:
            path, active = await asyncio.shield(asking)
            addresses = await self._follow(radio.path, active, events)
            await self._save(path)
            kept = True
        finally:
            if not kept:
                await _to_its_end(self._undo(asking, radio))
        await self._replace_older(path, str(profile["connection"]["id"].value))
        return addresses

    async def _begin(self, radio: Radio, profile: Settings) -> tuple[str, str]:
        """Return the path of the profile and of its activation."""
        path, active, _ = await self._bus.call(
            NAME,
            PATH,
            f"{NAME}.AddAndActivateConnection2",
            "a{sa{sv}}ooa{sv}",
            profile,
            radio.path,
            self.point.path if self.point else "/",
            _OPTIONS,
            timeout_s=_ANSWER_LIMIT_S,
        )
        return path, active

    async def _follow(
        self, device: str, active: str, events: asyncio.Queue[Signal]
    ) -> tuple[str, ...]:
        """Return the addresses that the activation brings; raises JoinError when it ends."""
        up = False
        while not up:
            up = self._hear(await events.get(), device, active)
        while not (addresses := await device_addresses(self._bus, device)):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ADDRESS_PAUSE_S):
                    self._hear(await events.get(), device, active)
        return addresses

    def _hear(self, signal: Signal, device: str, active: str) -> bool:
        """Judge a signal: whether it says that the activation is complete; raises JoinError."""
        if signal.path == device and signal.interface == DEVICE:
            new, _old, reason = signal.body
            self._device_changed(int(new), int(reason))
        elif signal.path == active:
            state, _reason = signal.body
            if state == _DEACTIVATED:
                raise JoinError(networks.cause_of(0, self.reached))
            return bool(state == _ACTIVATED)
        return False

    def _device_changed(self, state: int, reason: int) -> None:
        if DeviceState.PREPARE <= state <= DeviceState.ACTIVATED:
            self.reached = state
        elif state == DeviceState.FAILED or (
            # Before PREPARE it is the end of what was active before.
            state <= DeviceState.DISCONNECTED and self.reached
        ):
            raise JoinError(networks.cause_of(reason, self.reached))

    async def _save(self, path: str) -> None:
        await self._bus.call(NAME, path, f"{PROFILE}.Save")
        if (await self._bus.properties(NAME, path, PROFILE)).get("Unsaved", False):
            raise JoinError(Cause.NOT_SAVED)

    async def _replace_older(self, path: str, name: str) -> None:
        """Let the profile take the place of an older one that set-up made for this network."""
        for other, its_name in await profile_names(self._bus):
            if its_name == name and other != path:
                with contextlib.suppress(BusError):
                    await self._bus.call(NAME, other, f"{PROFILE}.Delete")

    async def _undo(self, asking: asyncio.Task[tuple[str, str]], radio: Radio) -> None:
        """Take the profile back and return to the one that was in use before it."""
        # polkit may work for seconds before NetworkManager answers.
        await asyncio.wait([asking], timeout=_UNDO_LIMIT_S)
        if not asking.done():
            asking.cancel()
            await asyncio.wait([asking], timeout=_UNDO_LIMIT_S)
            _log.debug("bus_refused", detail="NetworkManager does not say what it has begun")
            return
        with contextlib.suppress(BusError, TimeoutError):
            path, _ = asking.result()
            async with asyncio.timeout(_UNDO_LIMIT_S):
                await self._bus.call(NAME, path, f"{PROFILE}.Delete")
                if radio.profile:
                    await self._bus.call(
                        NAME,
                        PATH,
                        f"{NAME}.ActivateConnection",
                        "ooo",
                        radio.profile,
                        radio.path,
                        "/",
                    )


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Await work that has a deadline, however often this is cancelled meanwhile."""
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled
