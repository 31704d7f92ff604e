"""A phone next to the Pi: a central on the same air as the Pi's Bluetooth controller."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData, ProtocolError
from bumble.device import Advertisement, Device, Peer
from bumble.gatt_client import CharacteristicProxy
from bumble.hci import Address
from bumble.host import Host
from bumble.link import LocalLink
from bumble.transport.common import AsyncPipeSink, Transport
from bumble.transport.unix import open_unix_client_transport

from harness.background import Background
from harness.patience import PATIENCE_S

T = TypeVar("T")

_PI_ADDRESS = "B8:27:EB:00:00:01/P"
_MTU = 185


class _PiController(Controller):
    """The Pi's controller: it answers from its public address, from which BlueZ advertises.

    Bumble's link takes the random address as the source of what a peripheral sends, so
    that a central drops the replies of one that advertises with its public address.
    """

    @property
    def random_address(self) -> Address:
        return self.public_address

    @random_address.setter
    def random_address(self, address: Address | str) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Seen:
    """What an advertisement said."""

    address: Address
    name: str
    services: frozenset[str]
    service_data: dict[str, bytes]


class Air:
    """The radio link; the Pi's controller is on it while the Pi has power."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self.link = LocalLink()  # type: ignore[no-untyped-call]  # bumble's own omission
        self._transport: Transport | None = None
        self._controller: _PiController | None = None

    def wire_to(self, hci: Path) -> None:
        """Put a controller behind the Pi's first UART."""
        self._background.call(self._wire_to(hci))

    async def _wire_to(self, hci: Path) -> None:
        if self._controller is not None:
            self.link.remove_controller(self._controller)
        if self._transport is not None:
            with contextlib.suppress(ConnectionError):
                await self._transport.close()
        self._transport = await open_unix_client_transport(str(hci))
        self._controller = _PiController(
            "pi",
            host_source=self._transport.source,
            host_sink=self._transport.sink,
            link=self.link,
            public_address=Address(_PI_ADDRESS),
        )


class Phone:
    """Scans, connects, reads, writes and subscribes, as an app would."""

    def __init__(self, background: Background, air: Air, *, number: int = 1) -> None:
        self._background = background
        self._device: Device = background.call(_power_on(air.link, number))
        self._peer: Peer | None = None
        self._values: dict[str, queue.Queue[bytes]] = {}

    def sees(self, *, service: str = "", name: str = "", within_s: float = PATIENCE_S) -> Seen:
        """Scan until a connectable device with that service or name advertises."""

        def wanted(seen: Seen) -> bool:
            return (not service or service in seen.services) and (not name or name == seen.name)

        return self._do(self.scan(wanted), within_s)

    def connects_to(self, seen: Seen, *, within_s: float = PATIENCE_S) -> None:
        """Connect, agree on an MTU and discover everything."""
        self._peer = self._do(self.connect(seen.address), within_s)

    def services(self) -> set[str]:
        """Return the services that were discovered."""
        return {str(service.uuid) for service in self._connected().services}

    def reads(self, characteristic: str, *, within_s: float = PATIENCE_S) -> bytes:
        """Read a characteristic's value."""
        return self._do(self._characteristic(characteristic).read_value(), within_s)

    def writes(
        self,
        characteristic: str,
        value: bytes,
        *,
        response: bool = True,
        within_s: float = PATIENCE_S,
    ) -> None:
        """Write a characteristic's value, with or without waiting for the Pi's answer."""
        proxy = self._characteristic(characteristic)
        self._do(proxy.write_value(value, with_response=response), within_s)

    def subscribes(self, characteristic: str, *, within_s: float = PATIENCE_S) -> None:
        """Ask to be notified of a characteristic's values."""
        values = self._values.setdefault(characteristic, queue.Queue())
        self._do(self._characteristic(characteristic).subscribe(values.put), within_s)

    def is_told(self, characteristic: str, *, within_s: float = PATIENCE_S) -> bytes:
        """Wait for the next value that a subscribed characteristic notified."""
        return self._values[characteristic].get(timeout=within_s)

    def disconnects(self, *, within_s: float = PATIENCE_S) -> None:
        """Hang up, whoever has used this radio; nothing happens when the Pi already has."""
        for connection in list(self._device.connections.values()):
            with contextlib.suppress(ProtocolError):  # the Pi was quicker
                self._do(connection.disconnect(), within_s)
        self._peer = None
        self._values.clear()

    async def scan(self, wanted: Callable[[Seen], bool]) -> Seen:
        """Scan, on the background's loop, for a connectable device."""
        found: asyncio.Future[Seen] = asyncio.get_running_loop().create_future()

        def on_advertisement(advertisement: Advertisement) -> None:
            seen = _read(advertisement)
            if advertisement.is_connectable and wanted(seen) and not found.done():
                found.set_result(seen)

        self._device.on("advertisement", on_advertisement)
        try:
            await self._device.start_scanning()
            return await found
        finally:
            self._device.remove_listener("advertisement", on_advertisement)
            await self._device.stop_scanning()

    async def connect(self, address: Address) -> Peer:
        """Connect on the background's loop, agree on an MTU and discover everything."""
        peer = Peer(await self._device.connect(address))
        await peer.request_mtu(_MTU)
        for service in await peer.discover_services():
            await peer.discover_characteristics(service=service)
        return peer

    def _connected(self) -> Peer:
        assert self._peer is not None, "the phone is not connected"
        return self._peer

    def _characteristic(self, uuid: str) -> CharacteristicProxy[bytes]:
        found = characteristic_of(self._connected(), uuid)
        assert found is not None, f"the Pi has no characteristic {uuid}"
        return found

    def _do(self, work: Coroutine[Any, Any, T], within_s: float) -> T:
        return self._background.call(work, within_s=within_s)


async def _power_on(link: LocalLink, number: int) -> Device:
    public_address = f"C0:FF:EE:00:01:{number:02X}/P"
    controller = Controller(f"phone {number}", link=link, public_address=public_address)
    host = Host(controller, AsyncPipeSink(controller))
    address = Address(f"C0:FF:EE:00:02:{number:02X}")
    device = Device(name=f"phone {number}", address=address, host=host)
    await device.power_on()
    return device


def characteristic_of(peer: Peer, uuid: str) -> CharacteristicProxy[bytes] | None:
    """Return a discovered characteristic, None where there is none."""
    for service in peer.services:
        for characteristic in service.characteristics:
            if str(characteristic.uuid).lower() == uuid.lower():
                return characteristic
    return None


def _read(advertisement: Advertisement) -> Seen:
    data = advertisement.data
    services: set[str] = set()
    for kind in (
        AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
        AdvertisingData.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
        AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
        AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    ):
        services |= {_full(uuid) for uuid in data.get(kind) or []}
    service_data: dict[str, bytes] = {}
    for kind in (
        AdvertisingData.SERVICE_DATA_16_BIT_UUID,
        AdvertisingData.SERVICE_DATA_128_BIT_UUID,
    ):
        pair = data.get(kind)
        if isinstance(pair, tuple) and isinstance(pair[1], bytes):
            service_data[_full(pair[0])] = pair[1]
    return Seen(
        address=advertisement.address,
        name=str(data.get(AdvertisingData.COMPLETE_LOCAL_NAME) or ""),
        services=frozenset(services),
        service_data=service_data,
    )


def _full(short: UUID) -> str:
    return str(uuid.UUID(bytes=short.to_bytes(force_128=True)[::-1]))
