"""Carries the page's GATT operations to a phone of the tests, and back."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from pathlib import Path
from typing import Any, Final

from tests.page.browser import Page, PageError
from tests.provisioning.fake_bluez import FakeBluez, Phone
from tests.provisioning.peer import PeerError
from tests.waiting import until

_STAND_IN: Final = Path(__file__).with_name("bluetooth.js")
_SETUP: Final = "e11e0000-deca-47b1-8ff5-e6e0c62470de"
_IMPROV: Final = "00467768-6228-2272-4663-277478268000"


class RefusedError(Exception):
    """An operation fails with a DOMException of this name."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


class Radio:
    """One page's phone; ``bluez`` is the device's side."""

    def __init__(self, page: Page, bluez: FakeBluez, *, mtu: int) -> None:
        self._page = page
        self._bluez = bluez
        self._mtu = mtu
        self._names = (f"P{number}" for number in itertools.count())
        self._tasks: set[asyncio.Task[None]] = set()
        self._pumping: asyncio.Task[None] | None = None
        self.phone: Phone | None = None
        self.written: list[bytes] = []
        self.is_in_range = True
        self.chooses = True
        self._is_off = False

    @classmethod
    async def install(cls, page: Page, bluez: FakeBluez, *, mtu: int = 185) -> Radio:
        """Give a page Bluetooth before it is loaded."""
        radio = cls(page, bluez, mtu=mtu)
        await page.bind("radio", radio._called)
        source = _STAND_IN.read_text()
        await page.call("Page.addScriptToEvaluateOnNewDocument", source=source)
        return radio

    def lose_link(self) -> None:
        """Be out of reach for a moment."""
        assert self.phone is not None
        self.phone.lose_link()

    async def close(self) -> None:
        """Be switched off, once what is on the air has arrived."""
        self._is_off = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)
        if self.phone is not None and self.phone.is_connected:
            self.phone.on_lost = None
            self.phone.lose_link()
        tasks = [*self._tasks, *([self._pumping] if self._pumping else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _called(self, payload: str) -> None:
        if self._is_off:
            return
        task = asyncio.get_running_loop().create_task(self._serve(json.loads(payload)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, asked: dict[str, Any]) -> None:
        try:
            value = await getattr(self, f"_{asked['what']}")(*asked["args"])
            script = f"phone.answer({asked['id']}, {json.dumps(value)})"
        except RefusedError as refused:
            why = f"{json.dumps(refused.name)}, {json.dumps(str(refused))}"
            script = f"phone.refuse({asked['id']}, {why})"
        except PeerError as error:
            name = "SecurityError" if "NotAuthorized" in str(error) else "NetworkError"
            script = f"phone.refuse({asked['id']}, {json.dumps(name)}, {json.dumps(str(error))})"
        with contextlib.suppress(PageError):  # The page may be another one by now.
            await self._page.evaluate(script)

    async def _choose(self, options: dict[str, Any]) -> str:
        wanted = {uuid for one in options["filters"] for uuid in one["services"]}
        assert wanted == {_SETUP, _IMPROV}
        assert options["optionalServices"] == [_SETUP]
        if not self.chooses:
            raise RefusedError("NotFoundError", "User cancelled the requestDevice() chooser.")
        # A person waits until the device is in the list.
        await until(lambda: wanted & set(self._bluez.advertisement.get("ServiceUUIDs", [])))
        return str(self._bluez.advertisement["LocalName"])

    async def _connect(self) -> None:
        if not self.is_in_range or not self._bluez.characteristics:
            raise RefusedError("NetworkError", "Connection attempt failed.")
        self.phone = await Phone(self._bluez, next(self._names), mtu=self._mtu).connect()
        self.phone.on_lost = self._lost

    async def _disconnect(self) -> None:
        if self.phone is not None and self.phone.is_connected:
            self.phone.on_lost = None
            self.phone.lose_link()

    async def _service(self, uuid: str) -> list[str]:
        prefix = uuid[:4]
        found = [one for one in self._bluez.characteristics if one.startswith(prefix)]
        if not found:
            raise RefusedError("NotFoundError", "No Services matching UUID found in Device.")
        return found

    async def _read(self, uuid: str) -> str:
        return (await self._connected.read(uuid)).hex()

    async def _write(self, uuid: str, octets: str) -> None:
        frame = bytes.fromhex(octets)
        assert len(frame) <= self._mtu - 3
        self.written.append(frame)
        await self._connected.write(uuid, frame)

    async def _subscribe(self, uuid: str) -> None:
        await self._connected.subscribe(uuid)
        self._pumping = asyncio.create_task(self._pump(self._connected))

    @property
    def _connected(self) -> Phone:
        if self.phone is None or not self.phone.is_connected:
            raise RefusedError("NetworkError", "GATT Server is disconnected.")
        return self.phone

    async def _pump(self, phone: Phone) -> None:
        while True:
            uuid, octets = await phone.told.get()
            await self._page.evaluate(f'phone.notify("{uuid}", "{octets.hex()}")')

    def _lost(self) -> None:
        task = asyncio.get_running_loop().create_task(self._tell_lost(self.phone, self._pumping))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell_lost(self, phone: Phone | None, pumping: asyncio.Task[None] | None) -> None:
        if phone is not None and pumping is not None:
            await until(phone.told.empty)  # What was on the air before arrives before.
            pumping.cancel()
        with contextlib.suppress(PageError):
            await self._page.evaluate("phone.lost()")
