"""A person with the page sets up the device: the real session code at the other end."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from sensed.provisioning.encrypted import SetupCode
from tests.mosquitto import Mosquitto, free_port
from tests.page.browser import Page
from tests.page.conftest import radio_of
from tests.page.device import Device
from tests.page.site import Site
from tests.page.test_core import NO_X25519
from tests.provisioning.fake_bluez import Phone
from tests.provisioning.setup_client import SetupClient
from tests.uplink.test_tls import Authority, encrypted_broker
from tests.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="session"),
]

KEY = "00112233445566778899AABBCCDDEEFF"


def field(name: str, control: str = "input") -> str:
    return f'[data-setting="{name}"] {control}'


async def opened(page: Page, site: Site, device: Device, code: SetupCode | None = None) -> None:
    """Open the page as the QR code does, and connect."""
    await page.go(f"{site.url}#v=1&k={(code or device.code).compact}&n=sensed-42")
    await page.press_button("Find the device")


async def connected(page: Page, site: Site, device: Device) -> None:
    await opened(page, site, device)
    await page.shows("Look for networks")
    await page.shows("Networks found: 3.")


async def step(page: Page, name: str) -> None:
    await page.click(f"nav li:nth-child({STEPS.index(name) + 1}) button")
    await page.until(
        f"document.querySelector('section:not([hidden]) h2').innerText.includes('{name}')"
    )


STEPS = ["Wi-Fi", "MQTT broker", "Meter", "Main fuse", "Name and light", "Status"]


def stored(device: Device) -> dict[str, Any]:
    return tomllib.loads(device.state_file.read_text()) if device.state_file.exists() else {}


@pytest.mark.parametrize(("mtu", "before"), [(23, NO_X25519), (247, "")], ids=["least", "most"])
async def test_every_setting_there_is(  # noqa: PLR0915, PLR0917 - one long way with all it needs
    page: Page, site: Site, device: Device, tmp_path: Path, mtu: int, before: str
) -> None:
    await page.call("Page.addScriptToEvaluateOnNewDocument", source=before)
    with Mosquitto(tmp_path, passwords={"sensed": "hemmelig"}) as broker:
        async with radio_of(page, device, mtu=mtu) as radio:
            await connected(page, site, device)
            await page.press_button("Hjemme")
            await page.type("grautfat")
            await page.press_button("Join this network")
            await page.shows("MQTT broker")
            assert device.nm.saved == ["sensed-Hjemme"]
            await page.until(
                "!document.querySelector('section:not([hidden]) .report progress:not([hidden])')"
            )

            await page.fill(field("mqtt.host"), "127.0.0.1")
            await page.fill(field("mqtt.port"), str(broker.port))
            await page.fill(field("mqtt.username"), "sensed")
            await page.fill(field("mqtt.password"), "hemmelig")
            await page.press_button("Certificates and version")
            await page.choose(field("mqtt.protocol", "select"), "5")
            await page.press_button("Save and go on")
            await page.until("document.activeElement.innerText === 'Meter'")

            await page.fill(field("meter.key"), KEY)
            await page.fill(field("meter.auth_key"), "0011 2233 4455 6677 8899 aabb ccdd eeff")
            await page.press_button("Save and go on")
            await page.until("document.activeElement.innerText === 'Main fuse'")

            await page.press_button("32 A")
            await page.fill(field("fuse.margin_a"), "2,5")
            await page.fill(field("fuse.failsafe_a"), "0")
            await page.press_button("Save and go on")
            await page.until("document.activeElement.innerText === 'Name and light'")

            await page.press_button("Let its light flash white")
            await page.shows("flashes white for 10 seconds")
            await page.fill(field("device.name"), "Hytta på fjellet")
            await page.choose(
                field("light.palette", "select"), "Blue and yellow, for colour-blind eyes"
            )
            await page.evaluate(
                f"""(() => {{
                  const range = document.querySelector('{field("light.brightness")}');
                  range.value = 40;
                  range.dispatchEvent(new Event("input", {{ bubbles: true }}));
                }})()"""
            )
            await page.click(field("light.night"))
            await page.press_button("Save and go on")
            await page.until("document.activeElement.innerText === 'Status'")
            await page.shows("Hytta på fjellet")
            assert device.identified == 1
            assert all(len(frame) <= min(mtu - 3, 244) for frame in radio.written)
            longest = max(len(frame) for frame in radio.written)
            assert longest == 20 if mtu == 23 else longest > 150
            assert stored(device) == {
                "device": {"name": "Hytta på fjellet"},
                "meter": {"key": KEY, "auth_key": KEY.lower()},
                "mqtt": {
                    "host": "127.0.0.1",
                    "port": broker.port,
                    "username": "sensed",
                    "password": "hemmelig",
                    "protocol": "5",
                },
                "fuse": {"main_a": 32, "margin_a": 2.5, "failsafe_a": 0},
                "light": {"palette": "colour_blind", "brightness": 40, "night": "22:00-06:30"},
            }

            # What is write-only is never shown, and can be taken back.
            await step(page, "Meter")
            assert KEY not in await page.evaluate("document.documentElement.outerHTML")
            await page.click(field("meter.auth_key", "[type=checkbox]"))
            await page.press_button("Save and go on")
            await page.until("document.activeElement.innerText === 'Main fuse'")
            assert stored(device)["meter"] == {"key": KEY}

            await step(page, "Status")
            await page.press_button("Finish set-up")
            await page.shows("Set-up is finished")
            await until(lambda: not device.bluez.characteristics)


async def test_a_broker_with_certificates_of_its_own(
    page: Page, site: Site, device: Device, tmp_path: Path
) -> None:
    device.nm.connect_cable()
    authority = Authority(tmp_path, "home")
    with encrypted_broker(tmp_path, authority.issue("127.0.0.1")) as broker:
        async with radio_of(page, device):
            await opened(page, site, device)
            await page.shows("MQTT broker")
            await page.fill(field("mqtt.host"), "127.0.0.1")
            await page.click(field("mqtt.tls"))
            assert (
                await page.evaluate(f"document.querySelector('{field('mqtt.port')}').value")
                == "8883"
            )
            await page.fill(field("mqtt.port"), str(broker.port))
            await page.press_button("Save and go on")
            await page.shows("No encrypted connection: check the TLS setting")
            assert stored(device) == {}
            await page.press_button("Certificates and version")
            await page.fill(field("mqtt.ca_pem", "textarea"), "-----BEGIN CERTIFICATE")
            await page.press_button("Save and go on")
            await page.shows("This is no certificate in PEM form")
            await page.fill(field("mqtt.ca_pem", "textarea"), authority.path.read_text())
            await page.press_button("Save and go on")
            await page.until("document.activeElement.innerText === 'Meter'")
            assert stored(device)["mqtt"]["tls"] is True


async def test_another_broker_gets_nothing_of_the_old_one(
    page: Page, site: Site, device: Device, tmp_path: Path
) -> None:
    device.nm.connect_cable()
    async with radio_of(page, device):
        with Mosquitto(tmp_path) as broker:
            await opened(page, site, device)
            await page.shows("MQTT broker")
            await page.fill(field("mqtt.host"), "127.0.0.1")
            await page.fill(field("mqtt.port"), str(broker.port))
            await page.fill(field("mqtt.username"), "sensed")
            await page.fill(field("mqtt.password"), "hemmelig")
            await page.press_button("Save and go on")
            await page.until("document.activeElement.innerText === 'Meter'")
            before = stored(device)["mqtt"]
            assert before["password"] == "hemmelig"
            await step(page, "MQTT broker")
            assert "are removed unless" not in await page.text()
            await page.fill(field("mqtt.host"), "localhost")
            await page.shows("are removed unless you enter new ones")
            await page.press_button("Save and go on")
            await page.until("document.activeElement.innerText === 'Meter'")
            del before["password"]
            assert stored(device)["mqtt"] == {**before, "host": "localhost"}


async def test_a_wrong_code_is_told_and_the_right_one_gets_in(
    page: Page, site: Site, device: Device
) -> None:
    async with radio_of(page, device):
        await opened(page, site, device, SetupCode.generate())
        await page.shows("This device has another set-up code.")
        await page.fill("input.code", device.code.grouped.lower())
        await page.press_button("Find the device")
        await page.shows("Networks found: 3.")


async def test_five_wrong_codes_lock_and_the_time_is_told(
    page: Page, site: Site, device: Device
) -> None:
    async with radio_of(page, device):
        await opened(page, site, device, SetupCode.generate())
        for _ in range(4):
            await page.shows("This device has another set-up code.")
            await page.fill("input.code", SetupCode.generate().grouped)
            await page.press_button("Find the device")
            await page.until("!document.body.innerText.includes('Compare the code with its label')")
        await page.shows("Too many wrong codes. The device tries the next one in 60 seconds.")
        await page.fill("input.code", device.code.grouped)
        await page.press_button("Find the device")
        await page.shows("Too many wrong codes.")


async def test_a_typing_mistake_costs_no_try(page: Page, site: Site, device: Device) -> None:
    async with radio_of(page, device) as radio:
        await page.go(site.url)
        for typed, told in (
            ("", "A set-up code has 21 letters and digits; this has 0."),
            ("0123456-789ABCD-EFGHJK", "this has 20."),
            ("0123456-789ABCD-EFGHJKX", "There is a typing mistake in the code."),
            ("0123456-789ABCD-EFGHJKU", "There is no “U” in a set-up code."),
        ):
            await page.fill("input.code", typed)
            await page.press_button("Find the device")
            await page.shows(told)
            focused = await page.evaluate("document.activeElement.className")
            assert focused == "code"
        assert radio.phone is None


async def test_a_lost_link_is_taken_up_again_and_nothing_typed_is_lost(
    page: Page, site: Site, device: Device
) -> None:
    device.nm.connect_cable()
    async with radio_of(page, device, mtu=23) as radio:
        await opened(page, site, device)
        await page.shows("MQTT broker")
        await step(page, "Main fuse")
        await page.fill(field("fuse.main_a"), "25")
        radio.lose_link()
        await page.shows("The connection was lost. Connecting again")
        await page.until("document.body.dataset.phase === 'open'")
        assert (
            await page.evaluate(f"document.querySelector('{field('fuse.main_a')}').value") == "25"
        )
        await page.press_button("Save and go on")
        await page.until("document.activeElement.innerText === 'Name and light'")
        assert stored(device)["fuse"] == {"main_a": 25}

        # Out of reach for longer: it says so, and a button brings it back.
        await step(page, "Main fuse")
        radio.is_in_range = False
        radio.lose_link()
        await page.shows("The device cannot be reached.", within_s=40)
        radio.is_in_range = True
        await page.press_button("Connect again")
        await page.until("document.body.dataset.phase === 'open'", within_s=20)


async def test_a_link_lost_while_joining_is_told(page: Page, site: Site, device: Device) -> None:
    device.nm.houses["Hjemme"].stops_at = 70
    async with radio_of(page, device) as radio:
        await connected(page, site, device)
        await page.press_button("Hjemme")
        await page.type("grautfat")
        await page.press_button("Join this network")
        await page.shows("Joining the network. This can take a minute and a half")
        radio.lose_link()
        await page.shows("The connection was lost. Go nearer and connect again.")
        await page.until("document.body.dataset.phase === 'open'")
        device.nm.houses["Hjemme"].stops_at = 0
        await page.press_button("Join this network")
        await page.shows("MQTT broker")


async def test_a_refused_wifi_password_is_told(page: Page, site: Site, device: Device) -> None:
    async with radio_of(page, device):
        await connected(page, site, device)
        await page.press_button("Hjemme")
        await page.type("short")
        await page.press_button("Join this network")
        await page.shows("The password of a network has 8 to 63 characters.")
        await page.fill("section:not([hidden]) input[type=password]", "wrong-password")
        await page.press_button("Join this network")
        await page.shows("The network does not accept this password.")
        assert device.nm.saved == []
        await page.press_button("In the device's own words")
        await page.shows("The network does not accept this password.")
        await page.fill("section:not([hidden]) input[type=password]", "grautfat")
        await page.press_button("Join this network")
        await page.shows("MQTT broker")


async def test_other_ways_a_network_fails(page: Page, site: Site, device: Device) -> None:
    async with radio_of(page, device):
        await connected(page, site, device)
        await page.press_button("Kafé åpen")
        device.nm.houses["Kafé åpen"].dhcp = False
        await page.press_button("Join this network")
        await page.shows("The network gives no address.")
        await page.fill("section:not([hidden]) input:not([type=password])", "Nowhere")
        await page.press_button("Join this network")
        await page.shows("Many devices see 2.4 GHz networks only")
        await page.fill("section:not([hidden]) input:not([type=password])", "ø" * 17)
        await page.press_button("Join this network")
        await page.shows("The name has 1 to 32 characters.")
        device.nm.refusal = "org.freedesktop.NetworkManager.PermissionDenied"
        await page.fill("section:not([hidden]) input:not([type=password])", "Hjemme")
        await page.fill("section:not([hidden]) input[type=password]", "grautfat")
        await page.press_button("Join this network")
        await page.shows("The device's program may not change networks.")


async def test_a_broker_that_does_not_take_us_is_told_and_nothing_changes(
    page: Page, site: Site, device: Device, tmp_path: Path
) -> None:
    device.nm.connect_cable()
    async with radio_of(page, device):
        await opened(page, site, device)
        await page.shows("MQTT broker")
        await page.fill(field("mqtt.host"), "127.0.0.1")
        await page.fill(field("mqtt.port"), str(free_port()))
        await page.press_button("Save and go on")
        await page.shows("Nobody listens on this port.")
        with Mosquitto(tmp_path, passwords={"u": "right"}) as broker:
            await page.fill(field("mqtt.port"), str(broker.port))
            await page.fill(field("mqtt.username"), "u")
            await page.fill(field("mqtt.password"), "wrong")
            await page.press_button("Save and go on")
            await page.shows("The broker rejects the user name or password.")
            assert stored(device) == {}
            await page.fill(field("mqtt.password"), "right")
            await page.press_button("Save and go on")
            await page.until("document.activeElement.innerText === 'Meter'")
        assert stored(device)["mqtt"]["password"] == "right"


async def test_brokers_that_answer_are_suggested(
    page: Page, site: Site, device: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Mosquitto(tmp_path, passwords={"u": "right"}) as broker:
        places = (("127.0.0.1", broker.port), ("127.0.0.1", free_port()))
        monkeypatch.setattr("sensed.daemon.keeper._LIKELY_BROKERS", places)
        async with radio_of(page, device):
            await connected(page, site, device)
            await page.press_button("Hjemme")
            await page.type("grautfat")
            await page.press_button("Join this network")
            await page.shows("Brokers that answer: 1.")
            await page.shows("wants a user name and password")
            await page.press_button(f"127.0.0.1:{broker.port}")
            port = await page.evaluate(f"document.querySelector('{field('mqtt.port')}').value")
            assert port == str(broker.port)
            await page.type("u")
            await page.fill(field("mqtt.password"), "right")
            await page.press_button("Save and go on")
            await page.until("document.activeElement.innerText === 'Meter'")


async def test_a_locked_setting_is_shown_and_not_sent(
    page: Page, site: Site, device: Device
) -> None:
    device.nm.connect_cable()
    async with radio_of(page, device):
        await opened(page, site, device)
        await page.shows("MQTT broker")
        await step(page, "Main fuse")
        shown = await page.text('[data-setting="fuse.net"]')
        assert "TN (usually 400 V with neutral)" in shown
        assert "Locked: fixed in /etc/sensed/sensed.toml, cannot be changed here." in shown
        assert not await page.evaluate(
            f"document.querySelector('{field('fuse.net', 'select')}').checkVisibility()"
        )
        # The administrator locks another one while somebody types.
        device.etc.write_text(device.etc.read_text().replace('"TN"', '"TN"\nmain_a = 20'))
        await page.fill(field("fuse.main_a"), "63")
        await page.press_button("Save and go on")
        await page.shows("This setting is fixed in /etc/sensed/sensed.toml")
        assert stored(device) == {}


async def test_values_that_cannot_be_are_told_at_once_or_by_the_device(
    page: Page, site: Site, device: Device
) -> None:
    device.nm.connect_cable()
    async with radio_of(page, device):
        await opened(page, site, device)
        await page.shows("MQTT broker")
        await step(page, "Main fuse")
        for typed in ("0", "10001", "-3", "1e3", "x"):
            await page.fill(field("fuse.main_a"), typed)
            await page.press_button("Save and go on")
            await page.shows("This must be a number from 1 to 10000.")
        await page.fill(field("fuse.main_a"), "5")
        await page.press_button("Save and go on")
        await page.shows("The settings do not fit each other.")
        assert stored(device) == {}
        await step(page, "Meter")
        await page.fill(field("meter.key"), "00" * 15)
        await page.press_button("Save and go on")
        await page.shows("A key has 32 digits")
        await step(page, "Name and light")
        await page.click(field("light.night"))
        times = f"document.querySelectorAll('{field('light.night', '[type=time]')}')"
        await page.evaluate(f"{times}.forEach((input) => (input.value = '07:00'))")
        await page.press_button("Save and go on")
        await page.shows("Give two different times of day.")


async def test_another_phone_and_a_closed_device_are_told_apart(
    page: Page, site: Site, device: Device
) -> None:
    async with radio_of(page, device) as radio:
        other = await Phone(device.bluez, "other").connect()
        client = await SetupClient(other, device.code).begin()
        await client.ask("hello")
        await opened(page, site, device)
        await page.shows("Another phone or laptop is connected to the device.")
        other.lose_link()
        await page.press_button("Find the device")
        await page.shows("Networks found: 3.")
        device.provisioning.close_window()
        await page.shows("Set-up was closed on the device.")
        assert radio.phone is not None


async def test_a_chooser_that_is_left_and_a_device_out_of_reach(
    page: Page, site: Site, device: Device
) -> None:
    async with radio_of(page, device) as radio:
        radio.chooses = False
        await opened(page, site, device)
        await page.shows("No device was chosen.")
        radio.chooses, radio.is_in_range = True, False
        await page.press_button("Find the device")
        await page.shows("The device cannot be reached.")


async def test_reset_asks_first_and_ends_with_a_new_code(
    page: Page, site: Site, device: Device
) -> None:
    device.nm.connect_cable()
    before = device.code
    async with radio_of(page, device):
        await opened(page, site, device)
        await page.shows("MQTT broker")
        await step(page, "Main fuse")
        await page.fill(field("fuse.main_a"), "25")
        await page.press_button("Save and go on")
        await page.until("document.activeElement.innerText === 'Name and light'")
        await step(page, "Status")
        await page.press_button("Reset the device")
        await page.shows("Reset the device?")
        await page.press_button("Cancel")
        assert stored(device) != {}
        await page.press_button("Reset the device")
        await page.press_button("Yes, reset it")
        await page.shows("The device was reset")
        await page.shows("It has a new set-up code; the old label is void.")
        assert stored(device) == {}
        assert device.code != before


async def test_a_device_that_cannot_tell_its_settings_says_why(
    page: Page, site: Site, device: Device
) -> None:
    device.nm.connect_cable()
    right = device.etc.read_text()
    device.etc.write_text("[fuse")
    async with radio_of(page, device):
        await opened(page, site, device)
        await page.shows("The settings do not fit each other.")
        device.etc.write_text(right)
        await page.shows("MQTT broker")
        assert "do not fit" not in await page.text()


async def test_the_next_device_is_shown_nothing_of_this_one(
    page: Page, site: Site, device: Device
) -> None:
    device.nm.connect_cable()
    async with radio_of(page, device):
        await opened(page, site, device)
        await page.shows("MQTT broker")
        await page.fill(field("mqtt.host"), "mine.local")
        device.provisioning.close_window()
        await page.shows("Set-up was closed on the device.")
        await page.press_button("Back to the beginning")
        await page.shows("Find the device")
        assert "mine.local" not in await page.evaluate(
            "[...document.querySelectorAll('input')].map((input) => input.value).join()"
        )


async def test_what_the_device_says_is_never_markup(page: Page, site: Site, device: Device) -> None:
    evil = "<img src=x onerror=alert(1)>`{ssid}`"
    device.nm.houses[evil[:32]] = device.nm.houses["Hjemme"]
    async with radio_of(page, device):
        await page.go(f"{site.url}#k={device.code.compact}&n=%3Cb%3E{{name}}")
        await page.shows("<b>{name}")
        await page.press_button("Find the device")
        await page.shows(evil[:32])
        assert await page.evaluate("document.querySelectorAll('main img, main b').length") == 0
