"""Carries the GATT operations of the page's ``navigator.bluetooth`` to a phone of the tests."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, Self

from tests.page.browser import Page, PageError

SETUP: Final = "e11e0000-deca-47b1-8ff5-e6e0c62470de"
IMPROV: Final = "00467768-6228-2272-4663-277478268000"
_STAND_IN: Final = Path(__file__).with_name("bluetooth.js")


class RefusedError(Exception):
    """An operation fails with a DOMException of this name."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


class Carrier:
    """One page's Bluetooth; what it asks for is a method ``do_...`` of a subclass."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_off = False

    async def install(self) -> Self:
        """Give the page Bluetooth before it is loaded."""
        await self.page.bind("radio", self._called)
        source = _STAND_IN.read_text()
        await self.page.call("Page.addScriptToEvaluateOnNewDocument", source=source)
        return self

    async def close(self) -> None:
        """Be switched off, once what is on the air has arrived."""
        self._is_off = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def notify(self, uuid: str, octets: bytes) -> None:
        """Tell the page what a characteristic has notified."""
        await self.page.evaluate(f'phone.notify("{uuid}", "{octets.hex()}")')

    async def tell_lost(self) -> None:
        """Tell the page that the link is gone."""
        with contextlib.suppress(PageError):  # The page may be another one by now.
            await self.page.evaluate("phone.lost()")

    @staticmethod
    def services_of(options: dict[str, Any]) -> set[str]:
        """Return what the chooser is asked to show, having seen that it is what it should be."""
        wanted = {uuid for one in options["filters"] for uuid in one["services"]}
        assert wanted == {SETUP, IMPROV}
        assert options["optionalServices"] == [SETUP]
        return wanted

    async def do(self, what: str, args: list[Any]) -> Any:
        """Do what the page asks for. Raises RefusedError."""
        return await getattr(self, f"do_{what}")(*args)

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside what the page waits for, until the radio closes."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _called(self, payload: str) -> None:
        if not self._is_off:
            self.beside(self._serve(json.loads(payload)))

    async def _serve(self, asked: dict[str, Any]) -> None:
        try:
            value = await self.do(asked["what"], asked["args"])
            script = f"phone.answer({asked['id']}, {json.dumps(value)})"
        except RefusedError as refused:
            why = f"{json.dumps(refused.name)}, {json.dumps(str(refused))}"
            script = f"phone.refuse({asked['id']}, {why})"
        with contextlib.suppress(PageError):  # The page may be another one by now.
            await self.page.evaluate(script)
