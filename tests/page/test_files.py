"""What can be told of the page without a browser: its texts, its files, what it may reach."""

from __future__ import annotations

import re
from functools import cache
from itertools import product
from pathlib import Path
from typing import Final

import pytest

from sensed.config.store import SETTABLE
from sensed.daemon.meter import TROUBLES
from sensed.han.events import Sealed
from sensed.han.port import PortCause
from sensed.leds.patterns import PALETTES
from sensed.provisioning.bluez import Trouble
from sensed.provisioning.encrypted import SERVICE_UUID, End, Endpoint
from sensed.provisioning.improv import SERVICE_UUID as IMPROV
from sensed.provisioning.networks import Cause as WifiCause
from sensed.status import Indicator
from sensed.uplink.link import Cause as BrokerCause
from tests.page.site import FOLDER, digest, kept_files

PROTOCOL: Final = Path(__file__).parents[2] / "docs" / "setup-protocol.md"
LANGUAGES: Final = ("en", "nb", "sv")
FILES: Final = sorted(path for path in FOLDER.rglob("*") if path.is_file())
_ENTRY: Final = re.compile(r'^  "([^"\n]+)":\s*"((?:[^"\\\n]|\\.)*)",$', re.MULTILINE)
_FROM_HERE: Final = ("script-src", "style-src", "img-src", "worker-src")
_FORMED: Final = frozenset(
    [
        "age",
        "cause",
        "choice",
        "code",
        "code-fault",
        "end",
        "fact",
        "fault",
        "hint",
        "label",
        "light",
        "nav",
        "obstacle",
        "progress",
        "reading",
        "remove",
        "security",
        "state",
        "trouble",
    ]
)


@cache
def texts(language: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in (f"{language}.js", f"{language}-causes.js"):
        source = (FOLDER / "texts" / name).read_text()
        entries = _ENTRY.findall(source)
        assert len(entries) == source.count('": ') + source.count('":\n'), f"{name} has others too"
        found |= dict(entries)
    return found


ENGLISH: Final = texts("en")


def scripts() -> str:
    return "\n".join(
        path.read_text() for path in FILES if path.suffix == ".js" and path.parent.name != "texts"
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_there_in_every_language(language: str) -> None:
    told = texts(language)
    assert set(told) == set(ENGLISH)
    for key, text in told.items():
        assert text.strip() == text != "", key
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(
            re.findall(r"\{\w+\}", ENGLISH[key])
        ), key
        assert text.count("`") % 2 == 0, key


def test_languages_are_told_apart() -> None:
    long = [key for key, text in ENGLISH.items() if text.count(" ") > 3]
    for one, other in (("en", "nb"), ("en", "sv"), ("nb", "sv")):
        same = [key for key in long if texts(one)[key] == texts(other)[key]]
        assert same == []


def test_every_code_of_the_protocol_has_words() -> None:
    told = PROTOCOL.read_text().partition("## 7 Codes")[2].partition("## 8")[0]
    codes = set(re.findall(r"^\| `([a-z-]+)` \|", told, re.MULTILINE))
    assert len(codes) > 30
    codes |= {cause.value for cause in WifiCause}
    codes |= {f"broker-{cause.value.replace('_', '-')}" for cause in BrokerCause}
    for code in codes:
        assert f"code.{code}" in ENGLISH
    for end in End:
        assert f"end.{end.name.lower().replace('_', '-')}" in ENGLISH
    session = (FOLDER / "core" / "session.js").read_text()
    names = dict(re.findall(r'^  (\d): "([a-z-]+)",$', session, re.MULTILINE))
    assert names == {str(end.value): end.name.lower().replace("_", "-") for end in End}
    progress = re.search(r"is being worked on: (.*?)\. Comes", PROTOCOL.read_text())
    assert progress is not None
    for word in re.findall(r"`([a-z-]+)`", progress[1]):
        assert f"progress.{word}" in ENGLISH


def test_every_state_and_cause_of_the_status_has_words() -> None:
    for state in Indicator:
        assert f"state.{state.value}" in ENGLISH
    facts = ("configured", "meter", "address", "cloud", "light", "bluetooth", "network_manager")
    for name, holds in product(facts, ("true", "false", "null")):
        assert f"fact.{name}.{holds}" in ENGLISH
    causes = {f"meter.{cause.name.lower()}" for cause in PortCause}
    causes |= {f"meter.{cause.value.replace(' ', '_')}" for cause in Sealed}
    causes |= {f"bluetooth.{trouble.value}" for trouble in Trouble if trouble}
    causes |= {"meter.no_octets", "meter.no_frames", *(f"meter.{cause}" for cause in TROUBLES)}
    causes |= {"configured.no_broker", "configured.no_network"}
    causes |= {"address.no_address", "address.wifi-blocked"}
    for cause in causes:
        assert f"cause.{cause}" in ENGLISH


def test_the_light_is_told_as_it_shines() -> None:
    lamp = (FOLDER / "view" / "lamp.js").read_text()
    names = {(1, 1, 1): "white", (1, 1, 0): "yellow", (1, 0, 0): "red"}
    names |= {(1, 0, 1): "magenta", (0, 0, 1): "blue", (0, 1, 0): "green"}
    for palette, patterns in PALETTES.items():
        told = re.search(rf"^  {palette}: \{{(.*?)\}}", lamp, re.MULTILINE | re.DOTALL)
        assert told is not None
        colours = dict(re.findall(r'(\w+): "(\w+)"', told[1]))
        assert set(colours) == {state.value for state in Indicator}
        for state in Indicator:
            lit = [step for step in patterns[state] if any(step.colour)]
            assert colours[state.value] == names[tuple(map(int, lit[0].colour))]
            flashes = len(lit) if len(patterns[state]) > 1 else 0
            assert f"light.{colours[state.value]}.{flashes}" in ENGLISH
            if flashes:
                assert re.search(rf"FLASHES = .*\b{state.value}: {flashes}\b", lamp)


def test_every_setting_has_its_field() -> None:
    rules = (FOLDER / "view" / "fields.js").read_text().partition("RULES")[2].partition("});")[0]
    assert set(re.findall(r'^  "([\w.]+)": \{', rules, re.MULTILINE)) == set(SETTABLE)
    placed = "".join((FOLDER / "view" / name).read_text() for name in ("broker.js", "steps.js"))
    for name, setting in SETTABLE.items():
        assert f'"{name}"' in placed
        assert f"label.{name}" in ENGLISH
        assert f"hint.{name}" in ENGLISH
        hides = re.search(rf'^  "{re.escape(name)}": .*(isSecret|kind: "key")', rules, re.MULTILINE)
        assert bool(hides) is not setting.is_shown, name


def test_no_text_is_left_over_and_none_is_missing() -> None:
    source = scripts()
    literal = set(re.findall(r'"([a-z][\w-]*\.[\w.-]+)"', source))
    for key in ENGLISH:
        assert key in literal or key.split(".")[0] in _FORMED, f"nothing says {key}"
    spoken = re.findall(r'(?:said: |put\(this\.#?\w+, |heading\(|button\()\[?"([\w.-]+)"', source)
    assert len(spoken) > 50
    assert set(spoken) <= set(ENGLISH)


def test_the_page_reaches_for_nothing_outside() -> None:
    for path in FILES:
        source = path.read_text()
        outside = set(re.findall(r"\b(?:https?|wss?|data|blob):[\"'/][^\s\"'<]*", source))
        assert outside <= {"http://www.w3.org/2000/svg"}, path
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", source)
        assert not re.search(r"\bfetch\(|XMLHttpRequest|WebSocket|sendBeacon", source) or (
            path.name == "worker.js"
        )
        assert source.count("\n") < 400, f"{path.name} is too long"
    html = (FOLDER / "index.html").read_text()
    assert not re.search(r"\son\w+=|\sstyle=|<style|<script>(?!<)", html)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy[1].split("; ")}
    assert rules.pop("default-src") == ["'none'"]
    assert rules.pop("base-uri") == ["'none'"]
    assert rules.pop("form-action") == ["'none'"]
    assert rules.pop("require-trusted-types-for") == ["'script'"]
    assert rules.pop("trusted-types") == ["worker"]
    assert rules == {name: ["'self'"] for name in _FROM_HERE}


def test_the_services_are_those_of_the_device() -> None:
    link = (FOLDER / "link.js").read_text()
    prefix, suffix = re.findall(r"`(\w+)\$\{number\}([\w-]+)`", link)[0]
    numbers = dict(re.findall(r"const (\w+) = uuid\((\d)\)", link))
    assert prefix + numbers["SETUP_SERVICE"] + suffix == SERVICE_UUID
    for endpoint in Endpoint:
        assert prefix + numbers[endpoint.name] + suffix == endpoint.uuid
    assert f'"{IMPROV}"' in link


def test_the_worker_keeps_every_file_and_notices_every_change() -> None:
    kept = kept_files()
    there = {str(path.relative_to(FOLDER)) for path in FILES} - {"worker.js", "index.html"}
    assert set(kept) == there | {"./"}
    assert kept == sorted(kept)
    worker = (FOLDER / "worker.js").read_text()
    version = re.search(r'^const VERSION = "(.*)";$', worker, re.MULTILINE)
    assert version is not None
    assert version[1] == digest(), f'docs/setup/worker.js must say: const VERSION = "{digest()}";'
