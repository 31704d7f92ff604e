"""A backend for bleak whose radio is the phone's: bleak's own client and scanner near the Pi.

The clients may run in a loop of their own; the radio stays in the background's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, ClassVar

from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakError
from bumble.core import ProtocolError
from bumble.hci import Address

from harness.background import Background
from harness.phone import Peer, Phone, Seen, characteristic_of

_MTU = 185
_RSSI_DBM = -50


class Radio:
    """The phone's radio, for clients in any loop."""

    def __init__(self, background: Background, phone: Phone) -> None:
        self._background = background
        self.phone = phone

    async def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do something in the radio's loop; what it raises is bleak's."""
        try:
            if asyncio.get_running_loop() is self._background.loop:
                return await work
            return await asyncio.wrap_future(self._background.start(work))
        except (ProtocolError, ConnectionError) as error:
            raise BleakError(str(error)) from error


class _Services:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def get_characteristic(self, uuid: str) -> Any:
        found = characteristic_of(self._peer, uuid)
        return None if found is None else SimpleNamespace(uuid=uuid)


class Backend(BaseBleakClient):
    """One link, as bleak's client wants it."""

    radio: ClassVar[Radio]

    def __init__(self, device: Any, **options: Any) -> None:
        super().__init__(device, **options)
        self._peer: Peer | None = None

    @property
    def name(self) -> str:
        return self.address

    @property
    def mtu_size(self) -> int:
        return _MTU

    @property
    def is_connected(self) -> bool:
        return self._peer is not None

    async def connect(self, *_: Any, **__: Any) -> None:
        self._loop = asyncio.get_running_loop()
        peer = await self.radio.do(self.radio.phone.connect(Address(self.address)))
        self._peer = peer
        self.services = _Services(peer)  # type: ignore[assignment]  # all that is asked of it
        peer.connection.on("disconnection", lambda _reason: self._lost(peer))

    def _lost(self, peer: Peer) -> None:
        if self._peer is peer:
            self._peer = None
            if self._disconnected_callback is not None:
                self._loop.call_soon_threadsafe(self._disconnected_callback)

    async def disconnect(self) -> None:
        peer = self._peer
        if peer is not None:
            with contextlib.suppress(BleakError):  # the Pi was quicker
                await self.radio.do(peer.connection.disconnect())

    async def read_gatt_char(self, characteristic: Any, **_: Any) -> bytearray:
        return bytearray(await self.radio.do(self._found(characteristic).read_value()))

    async def write_gatt_char(self, characteristic: Any, data: Any, response: bool) -> None:  # noqa: FBT001 - bleak's own
        proxy = self._found(characteristic)
        await self.radio.do(proxy.write_value(bytes(data), with_response=response))

    async def start_notify(
        self, characteristic: Any, callback: Callable[[bytearray], None], **_: Any
    ) -> None:
        def told(value: bytes) -> None:
            self._loop.call_soon_threadsafe(callback, bytearray(value))

        await self.radio.do(self._found(characteristic).subscribe(told))

    def _found(self, characteristic: Any) -> Any:
        if self._peer is None:
            raise BleakError("Not connected.")
        uuid = str(getattr(characteristic, "uuid", characteristic))
        found = characteristic_of(self._peer, uuid)
        if found is None:
            raise BleakError(f"No characteristic {uuid}.")
        return found

    async def stop_notify(self, characteristic: Any) -> None:
        raise NotImplementedError

    async def pair(self, *_: Any, **__: Any) -> None:
        raise AssertionError("a client must not pair")

    async def unpair(self) -> None:
        raise NotImplementedError

    async def read_gatt_descriptor(self, *_: Any, **__: Any) -> bytearray:
        raise NotImplementedError

    async def write_gatt_descriptor(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError


class Scanner(BaseBleakScanner):
    """Hears every device whose advertisement has one of the services."""

    radio: ClassVar[Radio]

    def __init__(self, callback: Any, services: Any, *_: Any, **__: Any) -> None:
        super().__init__(callback, services)

    async def start(self) -> None:
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while True:
            self._saw(await self.radio.do(self.radio.phone.scan(self._is_wanted)))

    def _is_wanted(self, seen: Seen) -> bool:
        return self.is_allowed_uuid(list(seen.services))

    def _saw(self, seen: Seen) -> None:
        services = list(seen.services)
        told = AdvertisementData(seen.name, {}, seen.service_data, services, None, _RSSI_DBM, ())
        address = str(seen.address)
        device = self.create_or_update_device(address, address, seen.name, {}, told)
        self.call_detection_callbacks(device, told)

    async def stop(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
