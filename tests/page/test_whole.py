"""The whole daemon, a meter and a broker: from not configured to active, by the page alone.

With SENSED_PICTURES=FOLDER pictures of every step are kept there, to be looked at.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sensed.provisioning import read_code
from sensed.simulator.play import PtySink
from tests.integration.test_encrypted_setup import house
from tests.integration.tools import ended, playing, sensed
from tests.mosquitto import Mosquitto
from tests.page.browser import Page
from tests.page.radio import Radio
from tests.page.site import Site
from tests.page.test_setup import field
from tests.provisioning.conftest import Daemon
from tests.uplink.tools import listening
from tests.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.asyncio(loop_scope="session"),
]

LANGUAGES = {"nb": "Norsk", "sv": "Svenska", "en": "English"}


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    folder = tmp_path / "bus"
    folder.mkdir()
    daemon = Daemon(folder)
    daemon.start()
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", daemon.address)
    yield daemon
    daemon.stop()


@pytest.fixture
def pty(tmp_path: Path) -> Iterator[PtySink]:
    sink = PtySink(tmp_path / "mbus")
    yield sink
    sink.unplug()


async def pictured(page: Page, name: str) -> None:
    """Keep pictures of what is seen, in every language, if anybody wants them."""
    folder = os.environ.get("SENSED_PICTURES")
    if folder is None:
        return
    looks = {"narrow": {}, "dark": {"dark": True}, "wide": {"wide": True}}
    for language, label in LANGUAGES.items():
        await page.choose("#language", label)
        for look, options in looks.items():
            await page.look(**options)
            (Path(folder) / f"{name}-{language}-{look}.png").write_bytes(await page.picture())
    await page.look()


async def test_from_not_configured_to_active(  # noqa: PLR0915 - one long way
    page: Page, site: Site, bus: Daemon, tmp_path: Path, pty: PtySink
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    etc = tmp_path / "sensed.toml"
    etc.write_text(
        f'[device]\nid = "test"\n[meter]\nport = "{pty.device}"\n[fuse]\nnet = "TN"\n'
        f'[history]\nfile = "{tmp_path}/history.sqlite"\n'
    )
    environment = {"STATE_DIRECTORY": str(state), "RUNTIME_DIRECTORY": str(tmp_path)}
    account = {"username": "sensed", "password": "hemmelig"}
    with Mosquitto(tmp_path, passwords={"sensed": "hemmelig"}) as broker:
        async with (
            house(bus) as bluez,
            listening(broker.port, "sensed/test/#", **account) as listener,
            playing("kaifa-3ph", pty),
            sensed("run", "--config", str(etc), **environment) as process,
        ):
            await until(lambda: bluez.advertisement, within_s=20)
            code = read_code(state)
            radio = await Radio(page, bluez).install()
            await page.go(f"{site.url}#v=1&k={code.compact}&n=sensed")
            await pictured(page, "1-start")
            await page.press_button("Find the device")
            await page.shows("Networks found: 1.", within_s=20)
            await page.shows("Not configured")
            await pictured(page, "2-wifi")
            await page.press_button("Hjemme")
            await page.type("feil-passord")
            await page.press_button("Join this network")
            await page.shows("The network does not accept this password.")
            await pictured(page, "2-wifi-refused")
            await page.press_button("Hjemme")
            await page.type("grautfat")
            await page.press_button("Join this network")
            await page.until("document.activeElement.innerText === 'MQTT broker'", within_s=20)
            await page.until(
                "!document.querySelector('section:not([hidden]) .report progress:not([hidden])')",
                within_s=20,
            )

            await page.fill(field("mqtt.host"), "127.0.0.1")
            await page.fill(field("mqtt.port"), str(broker.port))
            await page.fill(field("mqtt.username"), "sensed")
            await page.fill(field("mqtt.password"), "galt")
            await page.press_button("Save and go on")
            await page.shows("The broker rejects the user name or password.", within_s=20)
            await pictured(page, "3-broker-refused")
            await page.fill(field("mqtt.password"), "hemmelig")
            await page.press_button("Save and go on")
            await page.until("document.activeElement.innerText === 'Meter'", within_s=20)
            await page.shows("Heard: Kaifa MA304H4", within_s=20)
            await pictured(page, "4-meter")
            await page.press_button("Save and go on")
            await page.until("document.activeElement.innerText === 'Main fuse'")
            await page.press_button("25 A")
            await pictured(page, "5-fuse")
            await page.press_button("Save and go on")
            await page.until("document.activeElement.innerText === 'Name and light'")
            await page.fill(field("device.name"), "Hytta")
            await page.click(field("light.night"))
            await pictured(page, "6-light")
            await page.press_button("Save and go on")
            await page.until("document.activeElement.innerText === 'Status'")
            await page.shows("Configured and active", within_s=40)
            await page.shows("Connected to the broker")
            await page.shows("Power import")
            await page.shows("Hjemme, strong signal (-60 dBm)")
            await pictured(page, "7-status")
            await until(lambda: bluez.advertisement.get("LocalName") == "Hytta")
            heard = await listener.wait_for("headroom", 2, within_s=30)
            assert heard[-1].json["fuse_a"] == 25

            pty.unplug()
            await page.shows("No data from the meter", within_s=40)
            await pictured(page, "8-no-meter")
            await page.press_button("Finish set-up")
            await page.shows("Set-up is finished")
            await pictured(page, "9-finished")
            await radio.close()
            exit_code, journal = await ended(process, signal.SIGTERM)
    assert exit_code == 0
    for secret in ("grautfat", "hemmelig", code.symbols.reveal(), code.grouped):
        assert secret not in journal
