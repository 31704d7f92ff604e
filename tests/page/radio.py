"""The page's Bluetooth over the tests' own device."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from tests.page.browser import Page
from tests.page.carrier import Carrier, RefusedError
from tests.provisioning.fake_bluez import FakeBluez, Phone
from tests.provisioning.peer import PeerError
from tests.waiting import until


class Radio(Carrier):
    """One page's phone; ``bluez`` is the device's side."""

    def __init__(self, page: Page, bluez: FakeBluez, *, mtu: int = 185) -> None:
        super().__init__(page)
        self._bluez = bluez
        self._mtu = mtu
        self._names = (f"P{number}" for number in itertools.count())
        self._pumping: asyncio.Task[None] | None = None
        self.phone: Phone | None = None
        self.written: list[bytes] = []
        self.is_in_range = True
        self.chooses = True

    def lose_link(self) -> None:
        """Be out of reach for a moment."""
        assert self.phone is not None
        self.phone.lose_link()

    async def close(self) -> None:
        """Be switched off, once what is on the air has arrived."""
        await super().close()
        if self.phone is not None and self.phone.is_connected:
            self.phone.on_lost = None
            self.phone.lose_link()
        if self._pumping is not None:
            self._pumping.cancel()
            await asyncio.gather(self._pumping, return_exceptions=True)

    async def do(self, what: str, args: list[Any]) -> Any:
        """Do what the page asks for; the device's refusals are a browser's."""
        try:
            return await super().do(what, args)
        except PeerError as error:
            name = "SecurityError" if "NotAuthorized" in str(error) else "NetworkError"
            raise RefusedError(name, str(error)) from error

    async def do_choose(self, options: dict[str, Any]) -> str:
        wanted = self.services_of(options)
        if not self.chooses:
            raise RefusedError("NotFoundError", "User cancelled the requestDevice() chooser.")
        # A person waits until the device is in the list.
        await until(lambda: wanted & set(self._bluez.advertisement.get("ServiceUUIDs", [])))
        return str(self._bluez.advertisement["LocalName"])

    async def do_connect(self) -> None:
        if not self.is_in_range or not self._bluez.characteristics:
            raise RefusedError("NetworkError", "Connection attempt failed.")
        self.phone = await Phone(self._bluez, next(self._names), mtu=self._mtu).connect()
        self.phone.on_lost = self._lost

    async def do_disconnect(self) -> None:
        if self.phone is not None and self.phone.is_connected:
            self.phone.on_lost = None
            self.phone.lose_link()

    async def do_service(self, uuid: str) -> list[str]:
        prefix = uuid[:4]
        found = [one for one in self._bluez.characteristics if one.startswith(prefix)]
        if not found:
            raise RefusedError("NotFoundError", "No Services matching UUID found in Device.")
        return found

    async def do_read(self, uuid: str) -> str:
        return (await self._connected.read(uuid)).hex()

    async def do_write(self, uuid: str, octets: str) -> None:
        frame = bytes.fromhex(octets)
        assert len(frame) <= self._mtu - 3
        self.written.append(frame)
        await self._connected.write(uuid, frame)

    async def do_subscribe(self, uuid: str) -> None:
        await self._connected.subscribe(uuid)
        self._pumping = asyncio.create_task(self._pump(self._connected))

    @property
    def _connected(self) -> Phone:
        if self.phone is None or not self.phone.is_connected:
            raise RefusedError("NetworkError", "GATT Server is disconnected.")
        return self.phone

    async def _pump(self, phone: Phone) -> None:
        while True:
            await self.notify(*await phone.told.get())

    def _lost(self) -> None:
        self.beside(self._tell_lost(self.phone, self._pumping))

    async def _tell_lost(self, phone: Phone | None, pumping: asyncio.Task[None] | None) -> None:
        if phone is not None and pumping is not None:
            await until(phone.told.empty)  # What was on the air before arrives before.
            pumping.cancel()
        await self.tell_lost()
