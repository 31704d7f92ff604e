"""A browser, the page on a host of its own, and a device to set up."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sensed.provisioning import session
from tests.page import browser as browsers
from tests.page.browser import Browser, Page
from tests.page.device import Device
from tests.page.radio import Radio
from tests.page.site import Site
from tests.provisioning.conftest import Daemon, dbus, library, running

__all__ = ["dbus", "library"]


@pytest_asyncio.fixture(loop_scope="session")
async def site() -> AsyncIterator[Site]:
    async with Site().run() as made:
        yield made


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    if browsers.find() is None:
        pytest.skip("no Chromium is installed: scripts/test-page installs it")
    async with Browser.run(tmp_path_factory.mktemp("chromium")) as running_browser:
        yield running_browser


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A phone's page, in English; whatever it complains of fails the test."""
    opened = await browser.page()
    await opened.look()
    await opened.speak("en")
    yield opened
    await opened.close()
    assert [one for one in opened.complaints if not opened.is_expected(one)] == []


@pytest_asyncio.fixture(loop_scope="session")
async def device(
    dbus: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Device]:
    """A device that is being served; its files are in ``tmp_path``/state."""
    monkeypatch.setattr(session, "_GOODBYE_S", 0.1)
    folder = tmp_path / "state"
    folder.mkdir()
    made = Device(dbus, folder)
    await made.start()
    async with running(made.make().run()):
        await made.advertised()
        yield made
    await made.stop()


@contextlib.asynccontextmanager
async def radio_of(page: Page, device: Device, *, mtu: int = 185) -> AsyncIterator[Radio]:
    """Give a page Bluetooth, before it is opened."""
    radio = await Radio(page, device.bluez, mtu=mtu).install()
    try:
        yield radio
    finally:
        await radio.close()
