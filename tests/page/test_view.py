"""What a person meets: languages, eyes, keys, no network, no Bluetooth, and nobody listening."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from sensed.status import Indicator
from tests.page.browser import Page
from tests.page.conftest import radio_of
from tests.page.device import Device
from tests.page.site import FOLDER, Site, digest
from tests.page.test_setup import STEPS, connected, field, opened, step, stored

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="session"),
]

JUDGE: Final = Path(__file__).with_name("judge.js").read_text()
_CONTROLS: Final = frozenset(
    {"button", "textbox", "combobox", "checkbox", "slider", "link", "dialog", "progressbar"}
    | {"DisclosureTriangle", "searchbox", "spinbutton", "InputTime", "navigation", "image"}
)
IPHONE: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1"
)
READING: Final = {
    "age_s": 4.1,
    "power_import_w": 3428,
    "current_l1_a": 12.3,
    "voltage_l2_v": 228.2,
    "energy_import_wh": 12345678,
    "power_factor": 0.98,
    "meter_id": "secret",
}


async def nodes(page: Page) -> list[dict[str, Any]]:
    """Return what a screen reader is given, without what it is not told of."""
    tree = (await page.call("Accessibility.getFullAXTree"))["nodes"]
    return [node for node in tree if not node.get("ignored")]


def value(node: dict[str, Any], name: str) -> str:
    return str(node.get(name, {}).get("value", ""))


async def unnamed(page: Page) -> list[str]:
    return [
        value(node, "role")
        for node in await nodes(page)
        if value(node, "role") in _CONTROLS and not value(node, "name").strip()
    ]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_eyes_and_fingers_of_every_kind(
    page: Page,
    site: Site,
    device: Device,
    dark: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    device.state = Indicator.NO_METER_DATA
    device.facts = {
        "meter": {"holds": False, "cause": "no_octets", "detail": "Not one byte comes."},
        "cloud": {"holds": True},
        "light": {"holds": False, "cause": "new-cause", "detail": "Something new."},
    }
    device.last_list_age_s = 4.1
    device.newest.told = lambda: dict(READING)  # type: ignore[method-assign]
    widths = (320, 390, 1280)

    async def judged(where: str) -> None:
        for width in widths:
            await page.look(width=width, dark=dark)
            assert await page.evaluate(JUDGE) == [], f"{where}, {width} px"
        assert await unnamed(page) == [], where

    async with radio_of(page, device):
        await page.go(site.url)
        await page.fill("input.code", "X")
        await page.press_button("Find the device")
        await page.press_button("The device is not in the list?")
        await judged("start")
        await connected(page, site, device)
        for name in STEPS:
            await step(page, name)
            await page.evaluate(
                "document.querySelectorAll('details').forEach((one) => (one.open = true))"
            )
            if name == "Wi-Fi":
                await page.press_button("Join this network")
            if name == "MQTT broker":
                await page.fill(field("mqtt.host"), "does-not-exist.invalid")
                await page.press_button("Save and go on")
                await page.shows("The broker's name is not known in the network.", within_s=20)
            if name == "Status":
                await page.shows("Something new.")
            await judged(name)
        await page.press_button("Reset the device")
        await judged("dialog")


@pytest.mark.parametrize(
    ("harm", "fault"),
    [
        ("document.documentElement.style.setProperty('--quiet', '#8a979e')", "has a contrast of"),
        ("document.documentElement.style.setProperty('--line', '#c0c8cc')", "the edge of"),
        (
            "document.querySelector('.main').style.cssText = 'min-height: 0; height: 30px'",
            "is only",
        ),
        ("document.querySelector('input').setAttribute('aria-describedby', 'gone')", "is void"),
        ("document.querySelector('main').append('start.title')", "is a key"),
        ("document.querySelector('main').append('{count}')", "is not filled in"),
        ("document.querySelector('section').style.minWidth = '500px'", "px too wide"),
        ("document.querySelector('section').append(document.createElement('h1'))", "not one h1"),
        ("document.querySelector('.main').tabIndex = 3", "jumps the queue"),
    ],
)
async def test_the_judge_sees_what_is_wrong(page: Page, site: Site, harm: str, fault: str) -> None:
    await page.go(site.url)
    assert await page.evaluate(JUDGE) == []
    await page.evaluate(f"void ({harm})")
    assert any(fault in one for one in await page.evaluate(JUDGE))


async def test_a_screen_reader_is_told_what_is_seen(page: Page, site: Site, device: Device) -> None:
    device.state = Indicator.NO_CLOUD
    async with radio_of(page, device):
        await connected(page, site, device)
        told = [(value(node, "role"), value(node, "name")) for node in await nodes(page)]
        assert ("textbox", "Name of the network") in told
        assert ("textbox", "Password of the network") in told
        assert ("button", "Show Password of the network") in told
        assert ("image", "The light: blue, four flashes") in told
        assert ("navigation", "Steps") in told
        assert ("combobox", "Language") in told
        await page.press_button("Join this network")
        (ssid,) = [
            node
            for node in await nodes(page)
            if (value(node, "role"), value(node, "name")) == ("textbox", "Name of the network")
        ]
        about = {one["name"]: one["value"].get("value") for one in ssid["properties"]}
        assert about["invalid"] == "true"
        assert about["focused"] is True
        assert value(ssid, "description") == "The name has 1 to 32 characters."
        # Progress and outcome are said without being looked for, and so is a new state.
        live = "[...document.querySelectorAll('[role=status], [role=alert]')]"
        inside = await page.evaluate(
            f"{live}.some((one) => one.innerText.includes('Networks found'))"
        )
        assert inside
        device.state = Indicator.ACTIVE
        await page.until(f"{live}.some((one) => one.innerText.includes('Configured and active'))")


async def test_a_keyboard_is_enough(page: Page, site: Site, device: Device) -> None:
    async def tab_to(text: str) -> None:
        expression = (
            "(document.activeElement.labels?.[0] ?? document.activeElement).innerText"
            f".includes({json.dumps(text)}) && document.activeElement !== document.body"
        )
        for _ in range(60):
            await page.key("Tab")
            if await page.evaluate(expression):
                outline = "getComputedStyle(document.activeElement).outlineStyle"
                assert await page.evaluate(outline) == "solid", f"{text} shows no focus"
                return
        raise AssertionError(f"no way to {text}")

    async with radio_of(page, device):
        await page.go(site.url)
        await tab_to("Set-up code")
        await page.type(device.code.grouped)
        await page.key("Enter")
        await page.shows("Networks found: 3.")
        await tab_to("Hjemme")
        await page.key("Enter")
        await page.type("grautfat")
        await page.key("Enter")
        await page.until("document.activeElement.innerText === 'MQTT broker'")
        for _ in range(3):
            await page.key("Tab", shift=True)
        await tab_to("Main fuse")
        await page.key(" ")
        await page.until("document.activeElement.innerText === 'Main fuse'")
        await tab_to("25 A")
        await page.key(" ")
        await page.key("Enter")
        await page.until("document.activeElement.innerText === 'Name and light'")
        assert stored(device)["fuse"] == {"main_a": 25}
        await tab_to("Dark at night")
        await page.key(" ")
        await tab_to("Save and go on")
        await page.key("Enter")
        await page.until("document.activeElement.innerText === 'Status'")
        assert stored(device)["light"] == {"night": "22:00-06:30"}
        await tab_to("Reset the device")
        await page.key("Enter")
        await page.shows("Reset the device?")
        await page.key("Escape")
        await page.until("!document.body.innerText.includes('Reset the device?')")
        await page.until("document.activeElement.innerText.includes('Reset the device')")


@pytest.mark.parametrize(
    ("preferred", "language", "words"),
    [
        ("nb-NO,nb", "nb", "Finn enheten"),
        ("nn-NO", "nb", "Finn enheten"),
        ("no", "nb", "Finn enheten"),
        ("sv-SE,en", "sv", "Hitta enheten"),
        ("fi-FI,sv-FI", "sv", "Hitta enheten"),
        ("de-DE", "en", "Find the device"),
        ("en-GB", "en", "Find the device"),
    ],
)
async def test_the_browser_s_language_is_spoken(
    page: Page, site: Site, preferred: str, language: str, words: str
) -> None:
    await page.speak(preferred)
    await page.go(site.url)
    await page.shows(words)
    assert await page.evaluate("document.documentElement.lang") == language


async def test_the_language_can_be_switched_at_any_time_and_is_kept(
    page: Page, site: Site, device: Device
) -> None:
    device.nm.connect_cable()
    device.last_list_age_s = 4.1
    device.newest.told = lambda: dict(READING)  # type: ignore[method-assign]
    async with radio_of(page, device):
        await opened(page, site, device)
        await page.shows("MQTT broker")
        await page.fill(field("mqtt.host"), "mine.local")
        await page.choose("#language", "Norsk")
        await page.shows("Meglerens navn eller adresse")
        host = await page.evaluate(f"document.querySelector('{field('mqtt.host')}').value")
        assert host == "mine.local"
        await page.click("nav li:last-child button")
        await page.shows("Strøm L1")
        await page.shows("12,3 A")
        await page.shows("12 345,678 kWh".replace(" ", "\u00a0").replace("\u00a0kWh", " kWh"))
        assert "secret" not in await page.text()
        for language in ("Norsk", "Svenska", "English"):
            await page.choose("#language", language)
            for number in range(1, len(STEPS) + 1):
                await page.click(f"nav li:nth-child({number}) button")
                faults = await page.evaluate(JUDGE)
                assert faults == [], f"{language}, step {number}"
        await page.choose("#language", "Svenska")
        await page.go(site.url)
        await page.shows("Hitta enheten")


async def test_what_cannot_do_bluetooth_is_told_what_can(page: Page, site: Site) -> None:
    without = "Object.defineProperty(Navigator.prototype, 'bluetooth', { get: () => undefined });"
    await page.call("Page.addScriptToEvaluateOnNewDocument", source=without)
    await page.go(site.url)
    await page.shows("This browser has no Web Bluetooth.")
    await page.speak("en", IPHONE)
    await page.go(f"{site.url}?again")
    await page.shows("Browsers on iPhone and iPad have no Web Bluetooth")
    told = await page.text()
    assert "any Improv Wi-Fi app sets the Wi-Fi network, without encryption" in told
    assert "the command sensed setup does everything that this page does" in told
    button = "[...document.querySelectorAll('button')].find((one) => one.type === 'submit')"
    assert await page.evaluate(f"{button}.disabled")
    for language, words in (("nb", "har ikke Web Bluetooth"), ("sv", "har inte Web Bluetooth")):
        await page.speak(language, IPHONE)
        await page.go(f"{site.url}?{language}")
        await page.shows(words)


async def test_nothing_leaves_the_page(page: Page, site: Site, device: Device) -> None:
    async with radio_of(page, device):
        await page.go(f"{site.url}?x#v=1&k={device.code.compact}&n=n&unknown=1")
        assert await page.evaluate("location.href") == f"{site.url}?x"
        history = (await page.call("Page.getNavigationHistory"))["entries"]
        assert not any(device.code.compact in entry["url"] for entry in history)
        await page.press_button("Find the device")
        await page.shows("Networks found: 3.")
        await page.until("navigator.serviceWorker.controller !== null")
        before = len(site.requests)
        await page.press_button("Hjemme")
        await page.type("grautfat")
        await page.press_button("Join this network")
        await page.shows("MQTT broker")
        assert len(site.requests) == before
        assert all(url.startswith(site.url) for url in page.requests)
        assert len(site.requests) > 30
        code = device.code
        for secret in (code.compact, code.grouped, code.symbols.reveal(), "grautfat"):
            assert not any(secret in url for url in (*page.requests, *site.requests))
            assert secret not in await page.evaluate("JSON.stringify({ ...localStorage })")
            assert secret not in await page.evaluate("document.cookie")
        # A second QR code, read while the page is open.
        await page.evaluate(f"void (location.hash = '#k={code.compact}&n=Other')")
        await page.until(f"location.href === '{site.url}?x'")


async def test_whatever_gets_into_the_page_cannot_get_out(page: Page, site: Site) -> None:
    await page.go(site.url)
    await page.shows("Find the device")
    page.expected = "Content Security Policy|requires 'Trusted|Trusted Type"
    # As a script of the page would try it; the debugger's own would be let through.
    tries = {
        "fetch": "fetch('/setup/?stolen').then(() => 'out', () => 'in')",
        "image": "new Promise((done) => { const one = new Image(); one.onload = () => done('out');"
        " one.onerror = () => done('in'); one.src = 'http://127.0.0.1:9/?stolen'; })",
        "socket": "new Promise((done) => { try { new WebSocket('ws://127.0.0.1:9').onerror ="
        " () => done('in'); } catch { done('in'); } })",
        # Whether it was let through shows at the host: the call itself does not tell.
        "beacon": "new Promise((done) => { navigator.sendBeacon('/setup/?stolen', 'x');"
        " setTimeout(() => done('in'), 300); })",
        "markup": "Promise.resolve().then(() => { document.body.innerHTML = '<b>'; return 'out'; })"
        ".catch(() => 'in')",
        "inline": "new Promise((done) => { const one = document.createElement('div');"
        " try { one.setAttribute('onclick', 'window.gone = 1'); } catch { done('in'); }"
        " document.body.append(one); one.click(); done(window.gone ? 'out' : 'in'); })",
        "form": "new Promise((done) => { const one = document.createElement('form');"
        " one.action = 'http://127.0.0.1:9/?stolen'; document.body.append(one); one.submit();"
        " setTimeout(() => done(location.port === '9' ? 'out' : 'in'), 200); })",
    }
    for name, source in tries.items():
        assert await page.evaluate(source) == "in", name
    assert not any("stolen" in url for url in site.requests)


async def test_without_a_network_it_works_as_before(page: Page, site: Site, device: Device) -> None:
    async with radio_of(page, device):
        await page.go(site.url)
        await page.until("navigator.serviceWorker.controller !== null")
        await site.stop()
        await page.go(f"{site.url}?source=home#k={device.code.compact}")
        await page.shows("The code was read from the QR code.")
        await page.press_button("Find the device")
        await page.shows("Networks found: 3.")
        await page.choose("#language", "Svenska")
        await page.shows("Leta efter nät")


async def test_a_new_version_serves_once_the_old_one_is_closed(page: Page, site: Site) -> None:
    await page.go(site.url)
    await page.until("navigator.serviceWorker.controller !== null")
    worker, texts = ((FOLDER / name).read_text() for name in ("worker.js", "texts/en.js"))
    site.newer = {
        "worker.js": worker.replace(f'VERSION = "{digest()}"', 'VERSION = "newer"'),
        "texts/en.js": texts.replace('"Find the device"', '"Find it"'),
    }
    await page.go(f"{site.url}?again")
    await page.shows("Find the device")
    waiting = "navigator.serviceWorker.getRegistration().then((one) => Boolean(one.waiting))"
    await page.until(waiting)
    await page.call("Page.navigate", url="about:blank")
    await page.until("location.href === 'about:blank'")
    await page.go(site.url)
    await page.shows("Find it")
    kept = await page.evaluate("caches.keys()")
    assert kept == ["sensed-setup-newer"]
