"""The set-up page in a browser whose Bluetooth is the phone's: its radio is the Pi's air."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from bumble.core import ProtocolError
from bumble.gatt_client import CharacteristicProxy

from harness.background import Background
from harness.patience import PATIENCE_S
from harness.phone import Peer, Phone, Seen
from tests.page.browser import Browser, Page
from tests.page.carrier import Carrier, RefusedError
from tests.page.site import Site

T = TypeVar("T")

_LOOKS: tuple[tuple[str, dict[str, bool]], ...] = (("narrow", {}), ("wide", {"wide": True}))
LANGUAGES = {"nb": "Norsk", "sv": "Svenska", "en": "English"}


class PageOnPhone:
    """The page as the phone's person sees and uses it; texts are English."""

    def __init__(self, background: Background, page: Page, pictures: Path | None) -> None:
        self._background = background
        self._page = page
        self._pictures = pictures

    def opens(self, url: str) -> None:
        """Open an address, as the QR code does."""
        self._do(self._page.go(url))

    def presses(self, text: str) -> None:
        """Press the button that says so, once it can be pressed."""
        self._do(self._page.press_button(text))

    def types(self, text: str) -> None:
        """Type into the field that has the focus."""
        self._do(self._page.type(text))

    def sets(self, setting: str, value: str) -> None:
        """Put a value into a setting's field."""
        self._do(self._page.fill(f'[data-setting="{setting}"] input', value))

    def shows(self, text: str) -> None:
        """Wait until a text is seen."""
        self._do(self._page.shows(text, within_s=PATIENCE_S))

    def is_at(self, step: str) -> None:
        """Wait until the step with this heading is the one that is worked on."""
        heading = f"document.activeElement.innerText === '{step}'"
        self._do(self._page.until(heading, within_s=PATIENCE_S))

    def is_pictured(self, name: str) -> None:
        """Keep pictures of what is seen, in each language, narrow and wide, if they are wanted."""
        if self._pictures is None:
            return
        self._pictures.mkdir(parents=True, exist_ok=True)
        for language, label in LANGUAGES.items():
            self._do(self._page.choose("#language", label))
            for look, options in _LOOKS:
                self._do(self._page.look(**options))
                picture = self._do(self._page.picture())
                (self._pictures / f"{name}-{language}-{look}.png").write_bytes(picture)
        self._do(self._page.look())

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._background.call(work, within_s=PATIENCE_S + 30)


class _Radio(Carrier):
    """``navigator.bluetooth`` over the phone's own radio."""

    def __init__(self, page: Page, phone: Phone) -> None:
        super().__init__(page)
        self._phone = phone
        self._seen: Seen | None = None
        self._peer: Peer | None = None
        self._found: dict[str, CharacteristicProxy[bytes]] = {}
        self._pumping: asyncio.Task[None] | None = None

    async def close(self) -> None:
        await super().close()
        self._stop_pumping()
        await self.do_disconnect()

    async def do(self, what: str, args: list[Any]) -> Any:
        try:
            return await super().do(what, args)
        except (ProtocolError, ConnectionError, TimeoutError) as error:
            raise RefusedError("NetworkError", str(error)) from error

    async def do_choose(self, options: dict[str, Any]) -> str:
        wanted = self.services_of(options)
        self._seen = await self._phone.scan(lambda seen: bool(wanted & seen.services))
        return self._seen.name

    async def do_connect(self) -> None:
        assert self._seen is not None
        peer = await self._phone.connect(self._seen.address)
        self._peer = peer
        peer.connection.on("disconnection", lambda _reason: self._lost(peer))

    async def do_disconnect(self) -> None:
        peer, self._peer = self._peer, None
        if peer is not None:
            with contextlib.suppress(ProtocolError):  # the Pi was quicker
                await peer.connection.disconnect()

    async def do_service(self, uuid: str) -> list[str]:
        for service in self._connected.services:
            if str(service.uuid).lower() == uuid:
                found = {str(one.uuid).lower(): one for one in service.characteristics}
                self._found.update(found)
                return list(found)
        raise RefusedError("NotFoundError", "No Services matching UUID found in Device.")

    async def do_read(self, uuid: str) -> str:
        assert self._connected
        return (await self._found[uuid].read_value()).hex()

    async def do_write(self, uuid: str, octets: str) -> None:
        assert self._connected
        await self._found[uuid].write_value(bytes.fromhex(octets), with_response=True)

    async def do_subscribe(self, uuid: str) -> None:
        assert self._connected
        told: asyncio.Queue[bytes] = asyncio.Queue()
        await self._found[uuid].subscribe(told.put_nowait)
        self._stop_pumping()
        self._pumping = asyncio.create_task(self._pump(uuid, told))

    @property
    def _connected(self) -> Peer:
        if self._peer is None:
            raise RefusedError("NetworkError", "GATT Server is disconnected.")
        return self._peer

    def _stop_pumping(self) -> None:
        if self._pumping is not None:
            self._pumping.cancel()

    async def _pump(self, uuid: str, told: asyncio.Queue[bytes]) -> None:
        while True:
            await self.notify(uuid, await told.get())

    def _lost(self, peer: Peer) -> None:
        if self._peer is peer:  # It was not the page that hung up.
            self._peer = None
            self.beside(self.tell_lost())


@contextlib.contextmanager
def page_on(
    phone: Phone, background: Background, folder: Path, pictures: Path | None
) -> Iterator[tuple[PageOnPhone, str]]:
    """Have the page on the phone, and its address; what it complains of fails the scenario."""
    stack = contextlib.AsyncExitStack()

    async def start() -> tuple[Page, str]:
        site = await stack.enter_async_context(Site().run())
        browser = await stack.enter_async_context(Browser.run(folder))
        page = await browser.page()
        stack.push_async_callback(page.close)
        await page.look()
        await page.speak("en")
        radio = await _Radio(page, phone).install()
        stack.push_async_callback(radio.close)
        return page, site.url

    try:
        page, url = background.call(start())
        yield PageOnPhone(background, page, pictures), url
        assert page.complaints == []
    finally:
        background.call(stack.aclose())
