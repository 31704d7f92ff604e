"""The manual's three languages say the same, and what they say is what the program does."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from sensed.config.schema import Config
from sensed.daemon import facts
from sensed.events import EVENTS
from sensed.han.port_settings import CANDIDATES
from sensed.leds.patterns import OFF, PALETTES, PATTERNS, Colour, Pattern, Signal
from sensed.provisioning.encrypted import lockout
from sensed.provisioning.window import AUTOMATIC_S, REQUESTED_S
from sensed.status import PRECEDENCE, WORDS, Indicator
from sensed.uplink import BrokerSettings
from sensed.uplink.headroom import LONGEST_AGE_S, State
from tests.docs.markdown import REPOSITORY, Section, sections, text_of

FOLDER = REPOSITORY / "docs" / "manual"
ENGLISH = "en"
LANGUAGES = ("en", "nb", "sv")
TRANSLATIONS = LANGUAGES[1:]
CATALOGS = {"en": "sensed.catalog", "nb": "sensed.nb.catalog", "sv": "sensed.sv.catalog"}
STATES = [state for _, state in PRECEDENCE] + [Indicator.ACTIVE]
COLOURS = {
    "en": ("red", "green", "blue", "yellow", "magenta"),
    "nb": ("rødt", "grønt", "blått", "gult", "lilla"),
    "sv": ("rött", "grönt", "blått", "gult", "lila"),
}
LIT = (
    Colour(red=True, green=False, blue=False),
    Colour(red=False, green=True, blue=False),
    Colour(red=False, green=False, blue=True),
    Colour(red=True, green=True, blue=False),
    Colour(red=True, green=False, blue=True),
)
STEADY = {"en": "steady", "nb": "fast", "sv": "fast"}
HEADER_PINS = {17: 11, 22: 15, 23: 16, 27: 13}
"""GPIO line to pin of the 40-pin header, as the Raspberry Pi has them."""
SUPPLY_V = 3.3


@cache
def manual(language: str) -> list[Section]:
    return sections(text_of(FOLDER / f"{language}.md"))


def section(heading: str, language: str = ENGLISH) -> Section:
    """Return the section that has this heading, of the levels "##" or "###", in English."""
    english = [f"{'#' * found.level} {found.heading}" for found in manual(ENGLISH)]
    return manual(language)[english.index(heading)]


def svg(name: str) -> ET.Element:
    return ET.fromstring((FOLDER / name).read_text(encoding="utf-8"))


def elements(drawing: ET.Element, name: str) -> list[ET.Element]:
    return drawing.findall(f".//{{http://www.w3.org/2000/svg}}{name}")


def texts(drawing: ET.Element) -> list[str]:
    return [element.text or "" for element in elements(drawing, "text")]


def pairs() -> list[object]:
    return [
        pytest.param(english, translated, id=f"{language}: {translated.heading}")
        for language in TRANSLATIONS
        for english, translated in zip(manual(ENGLISH), manual(language), strict=True)
    ]


# -- in step ----------------------------------------------------------------------


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_headings_have_the_same_structure(language: str) -> None:
    assert [s.level for s in manual(language)] == [s.level for s in manual(ENGLISH)]


@pytest.mark.parametrize(("english", "translated"), pairs())
def test_a_section_has_the_same_contents(english: Section, translated: Section) -> None:
    assert translated.shape == english.shape
    assert translated.fences == english.fences
    assert Counter(translated.spans) == Counter(english.spans)
    assert Counter(translated.numbers) == Counter(english.numbers)
    if english.level > 1:
        assert Counter(translated.links) == Counter(english.links)


@pytest.mark.parametrize(("english", "translated"), pairs())
def test_a_section_is_translated(english: Section, translated: Section) -> None:
    sentences = [line for line in english.prose.splitlines() if len(line.split()) > 5]
    same = set(sentences) & set(translated.prose.splitlines())
    assert not same


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_languages_link_to_each_other(language: str) -> None:
    assert set(manual(language)[0].links) == {f"{other}.md" for other in {*LANGUAGES} - {language}}


# -- true -------------------------------------------------------------------------


def subjects(language: str) -> dict[str, str]:
    catalog = text_of(REPOSITORY / "systemd" / CATALOGS[language])
    by_id = dict(re.findall(r"^-- ([0-9a-f]{32})\nSubject: (.+)$", catalog, re.MULTILINE))
    return {name: by_id[kind.message_id] for name, kind in EVENTS.items()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_event_that_troubles_a_user_has_a_remedy(language: str) -> None:
    rows = section("### By the journal", language).table[1:]

    assert {name.strip("`"): subject for name, subject, _ in rows} == {
        name: subjects(language)[name]
        for name, kind in EVENTS.items()
        if kind.level in ("warning", "error")
    }
    assert all(remedy for _, _, remedy in rows)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_light_table_is_what_the_light_shows(language: str) -> None:
    rows = section("## Light", language).table[1:]

    assert [row[0] for row in rows] == [str(n + 1) for n in range(len(STATES))]
    assert [row[2:4] for row in rows] == [list(shown(PATTERNS[s], language)) for s in STATES]


def test_the_states_are_called_what_the_program_calls_them() -> None:
    assert [row[1] for row in section("## Light").table[1:]] == [WORDS[s] for s in STATES]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_states_are_called_what_the_set_up_page_calls_them(language: str) -> None:
    page = text_of(REPOSITORY / "docs" / "setup" / "texts" / f"{language}.js")
    words = dict(re.findall(r'^  "state\.(\w+)": "(.+)",$', page, re.MULTILINE))

    assert [row[1] for row in section("## Light", language).table[1:]] == [
        words[state][0].lower() + words[state][1:] for state in STATES
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_troubleshooting_goes_through_every_state(language: str) -> None:
    lights = [row[0] for row in section("### By the light", language).table[1:]]

    assert [light.split(",")[0] for light in lights[2:]] == [
        shown(PATTERNS[state], language)[0] for state in STATES
    ]
    assert [re.findall(r"\d|" + STEADY[language], light) for light in lights[2:]] == [
        [shown(PATTERNS[state], language)[1]] for state in STATES
    ]


def shown(pattern: Pattern, language: str) -> tuple[str, str]:
    """Return the colour and the number of flashes of a pattern, in words."""
    lit = [step for step in pattern if step.colour != OFF]
    (colour,) = {step.colour for step in lit}
    steady = math.isinf(lit[0].seconds)
    return COLOURS[language][LIT.index(colour)], STEADY[language] if steady else str(len(lit))


def test_the_colour_blind_palette_is_blue_and_yellow() -> None:
    blind = PALETTES["colour_blind"]
    assert shown(blind[Indicator.ACTIVE], "en") == ("blue", "steady")
    assert {shown(blind[state], "en")[0] for state in STATES[:-1]} == {"yellow"}


def test_identify_flashes_twice_a_second() -> None:
    assert sum(step.seconds for step in PATTERNS[Signal.IDENTIFY]) == 0.5


def test_the_drawn_light_is_the_lights() -> None:
    drawing = svg("light.svg")
    groups = {group.get("id"): group for group in elements(drawing, "g")}
    ticks = {text.text: float(text.get("x", "")) for text in elements(drawing, "text")}
    origin, per_second = ticks["0 s"], ticks["1 s"] - ticks["0 s"]
    end_s = (max(ticks.values()) - origin) / per_second

    assert list(groups) == STATES
    for number, state in enumerate(STATES, 1):
        group = groups[state]
        drawn = [
            (
                round((float(rect.get("x", "")) - origin) / per_second, 6),
                round(float(rect.get("width", "")) / per_second, 6),
            )
            for rect in elements(group, "rect")
        ]
        assert texts(group) == [str(number)]
        assert drawn == lit_times(PATTERNS[state], end_s)


def lit_times(pattern: Pattern, end_s: float) -> list[tuple[float, float]]:
    times, now_s = [], 0.0
    while now_s < end_s:
        for step in pattern:
            length_s = min(step.seconds, end_s - now_s)
            if step.colour != OFF and length_s > 0:
                times.append((round(now_s, 6), round(length_s, 6)))
            now_s += step.seconds
    return times


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pins_are_the_defaults(language: str) -> None:
    pins = Config().light.pins
    rows = section("### Light", language).table[1:4]

    assert [int(row[1]) for row in rows] == list(pins)
    assert [int(row[2]) for row in rows] == [HEADER_PINS[pin] for pin in pins]
    drawn = texts(svg("wiring.svg"))
    for row in rows:
        assert {f"GPIO{row[1]}", row[2], row[3]} <= {*drawn}
    assert Counter(row[3] for row in rows) == Counter(text for text in drawn if "Ω" in text)


def test_the_button_drawn_is_the_one_told_and_free() -> None:
    (line,) = re.findall(r"button = (\d+)", section("### Button").fences[0].text)

    assert int(line) not in Config().light.pins
    assert {f"GPIO{line}", str(HEADER_PINS[int(line)])} <= {*texts(svg("wiring.svg"))}
    assert f"GPIO{line} (pin {HEADER_PINS[int(line)]})" in section("### Button").text


def test_the_leds_currents_follow_from_resistors_and_voltages() -> None:
    for row in section("### Light").table[1:4]:
        resistor_ohm, voltage_v, current_ma = (float(cell.split()[0]) for cell in row[3:])
        assert current_ma == round((SUPPLY_V - voltage_v) / resistor_ohm * 1000, 1)
        assert 2 <= current_ma <= 5


def test_the_drawing_numbers_every_part() -> None:
    numbered = [
        text.text
        for text in elements(svg("wiring.svg"), "text")
        if "n" in text.get("class", "").split()
    ]
    assert numbered == [row[0] for row in section("## Parts").table[1:]]


def test_every_reason_for_fail_safe_is_told() -> None:
    told = {span for span in section("## When contact is lost").spans if span in {*State}}
    assert told == {*State} - {State.LIVE}


def test_figures_are_those_of_the_program() -> None:
    table = " | ".join(" ".join(row) for row in section("## Specification").table)
    defaults = Config()
    unit = text_of(REPOSITORY / "systemd" / "sensed.service")
    (memory,) = re.findall(r"^MemoryMax=(\d+)M$", unit, re.MULTILINE)
    for figure in (
        *(str(settings) for settings in CANDIDATES),
        f"{facts.FIRST_DEADLINE_S:g} s; once the interval is known, 3 intervals",
        f"{facts._SHORTEST_DEADLINE_S:g} s to {facts._LONGEST_DEADLINE_S:g} s",
        f"age of currents until fail-safe {LONGEST_AGE_S:g} s",
        f"{defaults.fuse.failsafe_a} A (`fuse.failsafe_a`)",
        f"{defaults.fuse.margin_a} A (`fuse.margin_a`)",
        f"{defaults.history.most_rows:,} (`history.most_rows`)",
        f"{AUTOMATIC_S / 60:g} minutes after the start, {REQUESTED_S / 60:g} minutes on request",
        f"wrong set-up codes in a row until it is locked {lockout.TRIES}",
        ", ".join(f"GPIO{pin}" for pin in defaults.light.pins),
        f"at most {memory} MiB",
    ):
        assert figure in table


def test_the_brokers_patience_is_that_of_the_keepalive() -> None:
    keepalive_s = BrokerSettings(host="broker", port=1883, device_id="device").keepalive_s
    assert f"at most {keepalive_s * 1.5:g} s" in section("## When contact is lost").text


DRAWINGS = [
    path for path in sorted(REPOSITORY.glob("docs/**/*.svg")) if "<text" in path.read_text("utf-8")
]


@pytest.mark.parametrize("path", DRAWINGS, ids=lambda path: path.name)
def test_a_drawing_is_black_and_readable(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    width = float(ET.fromstring(source).get("viewBox", "").split()[2])
    sizes = [float(size) for size in re.findall(r"font-size:([\d.]+)px", source)]

    assert {*re.findall(r"[:\"](#\w+)", source)} <= {"#000", "#fff"}
    # On a page of 170 mm, 3 mm are as high as print of 8.5 points.
    assert min(sizes) * 170 / width >= 3
