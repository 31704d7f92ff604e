"""What documents point at is there: files, headings, commands, options, settings and names."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from sensed.config import load_config
from sensed.config.schema import SECTIONS
from sensed.daemon.settings import check
from sensed.errors import ConfigError
from sensed.events import EVENTS
from sensed.uplink.payloads import removal
from sensed.uplink.topics import Topics
from tests.docs.commands import PROGRAM, commands_in, fault
from tests.docs.markdown import (
    DOCUMENTS,
    REPOSITORY,
    anchors,
    fences,
    links,
    sections,
    shell_lines,
    spans,
    text_of,
)

INDEX = REPOSITORY / "docs" / "README.md"
SETTINGS = {
    f"{section}.{item.name}" for section, holder in SECTIONS.items() for item in fields(holder)
}
COMMANDS = {command.name: command for command in PROGRAM.commands}
SETUP_ACTIONS = [action.name for action in COMMANDS["setup"].commands]
TOPIC = r"sensed/(?:<device>|DEVICE)/([a-z]+)"
AT_THE_TOP = [path.name for path in REPOSITORY.iterdir()]
TO_PEOPLE = [
    *sorted(REPOSITORY.glob("systemd/*.catalog")),
    *sorted(REPOSITORY.glob("docs/setup/texts/*.js")),
    *sorted(REPOSITORY.glob("debian/*.README.Debian")),
]
COMMANDS_TO_PEOPLE = re.compile(
    rf"(?<!man:)\bsensed\s+(?:setup\s+(?:{'|'.join(SETUP_ACTIONS)})|{'|'.join(COMMANDS)})\b"
    r"(?:\s+--[a-z-]+)*"
)
OF_OTHERS = {
    "max_queued_messages",  # mosquitto
    "use_identity_as_username",  # mosquitto
    "total_increasing",  # Home Assistant
    "kamstrup_han",  # smartmeter-datacollector
    "write_bytes",  # the kernel
}
"""Names in documents that other programs have given."""
_SETTING = re.compile(rf"({'|'.join(SECTIONS)})\.[a-z][a-z0-9_]*")
_FILE = re.compile(r"[\w/.-]+\.(?:acl|catalog|js|md|py|svg|yaml)")
_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")
_FILES = (".py", ".md")
WORDS_OF_THE_PROGRAM = frozenset(
    word
    for path in (REPOSITORY / "sensed").rglob("*.py")
    if "_vendor" not in path.parts
    for word in _NAME.findall(text_of(path))
) | {path.stem for path in (REPOSITORY / "benchmarks").glob("*.py")}
PATHS = [
    path.relative_to(REPOSITORY).as_posix()
    for folder in ("docs", "examples", "fuzz", "scripts", "sensed", "systemd", "tests")
    for path in (REPOSITORY / folder).rglob("*")
]
TOPICS = {name for name, value in vars(Topics).items() if isinstance(value, property)} - {
    "trial"
}  # no consumer ever sees that one
RETAINED = {message.topic.rpartition("/")[2] for message in removal(Topics("base", "device"))}
WITH_TOPICS = [
    *DOCUMENTS,
    *(path for path in (REPOSITORY / "examples").rglob("*") if path.is_file()),
]


def is_setting(span: str) -> bool:
    return _SETTING.fullmatch(span) is not None and not span.endswith(_FILES)


def in_each(found: dict[Path, list[str]]) -> pytest.MarkDecorator:
    cases = [
        pytest.param(path, item, id=f"{path.relative_to(REPOSITORY)}: {item}"[:90])
        for path, items in found.items()
        for item in dict.fromkeys(items)
    ]
    return pytest.mark.parametrize(("path", "item"), cases)


def ours(line: str) -> bool:
    return any(commands_in(line))


def is_internal(link: str) -> bool:
    return re.match(r"[a-z]+:", link) is None


@in_each({path: [link for link in links(text_of(path)) if is_internal(link)] for path in DOCUMENTS})
def test_a_link_leads_somewhere(path: Path, item: str) -> None:
    name, _, anchor = item.partition("#")
    target = (path.parent / name).resolve() if name else path
    assert target.exists()
    assert target.is_relative_to(REPOSITORY)
    if anchor:
        assert anchor in anchors(text_of(target))


def test_the_index_names_every_document() -> None:
    named = {(INDEX.parent / link).resolve() for link in links(text_of(INDEX))}

    assert {path for path in DOCUMENTS if path.is_relative_to(INDEX.parent)} - {INDEX} <= named


def test_both_changelogs_name_the_same_versions() -> None:
    packaged = text_of(REPOSITORY / "debian" / "changelog")
    for_users = text_of(REPOSITORY / "CHANGELOG.md")

    assert re.findall(r"^## (\S+)$", for_users, re.MULTILINE) == re.findall(
        r"^sensed \((\S+)\)", packaged, re.MULTILINE
    )


@in_each(
    {
        path: [line for line in (*shell_lines(text_of(path)), *spans(text_of(path))) if ours(line)]
        for path in DOCUMENTS
    }
)
def test_a_command_is_there(path: Path, item: str) -> None:
    faults = [fault(words) for words in commands_in(item)]
    assert not any(faults), f"{path.name}: {faults}"


@in_each({path: COMMANDS_TO_PEOPLE.findall(text_of(path)) for path in TO_PEOPLE})
def test_a_command_that_people_are_told_elsewhere_is_there(path: Path, item: str) -> None:
    (words,) = commands_in(item)
    assert fault(words) is None, path.name


def test_each_mention_of_sensed_setup_elsewhere_names_an_action() -> None:
    named = {
        word
        for path in TO_PEOPLE
        for word in re.findall(r"(?<!man:)\bsensed\s+setup\s+([a-z]+)", text_of(path))
    }
    assert "open" in named
    assert named <= set(SETUP_ACTIONS)


def test_commands_are_found_in_documents() -> None:
    shown = {
        " ".join(words[:3])
        for path in DOCUMENTS
        for line in shell_lines(text_of(path))
        for words in commands_in(line)
    }

    assert {"scripts/demo", "sensed setup open", "sensed run --check-config"} <= shown


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("sudo sensed run --check-config && systemctl reload sensed", ""),
        ("sensed simulate --seconds 60 --to - > day; sensed decode day", ""),
        ("sensed setup", ""),
        ("sensed COMMAND --help", ""),
        ("scripts/demo --meter kamstrup-3ph", ""),
        ("sensed conjure", "invalid choice"),
        ("sensed decode --no-such FILE", "no option --no-such"),
        ("sensed run && sensed decode --form json", "no option --form"),
        ("cat day | sensed decode --format xml -", "invalid choice"),
        ("scripts/demo --no-such", "no option --no-such"),
        ("scripts/conjure", "is not there"),
        ("scripts/build-deb --thrice", "no option --thrice"),
        ("python3 -m benchmarks.conjure", "no module"),
        (".venv/bin/python -m benchmarks.soak --mega 5", "no option --mega"),
    ],
)
def test_a_command_that_is_not_there_is_noticed(line: str, wrong: str) -> None:
    faults = [found for words in commands_in(line) if (found := fault(words))]
    assert bool(faults) == bool(wrong)
    assert all(re.search(wrong, found) for found in faults)


@in_each(
    {
        path: [fence.text for fence in fences(text_of(path)) if fence.language == "toml"]
        for path in DOCUMENTS
    }
)
def test_a_configuration_is_right(path: Path, item: str, tmp_path: Path) -> None:  # noqa: ARG001
    file = tmp_path / "sensed.toml"
    file.write_text(item, encoding="utf-8")
    config = load_config(file, state=None)
    # The machine that tests may have no id of its own to make the device's from.
    check(replace(config, device=replace(config.device, id=config.device.id or "tested")))


def test_a_configuration_that_is_wrong_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "sensed.toml"
    file.write_text("[fuse]\nmain = 25\n", encoding="utf-8")
    with pytest.raises(ConfigError):
        load_config(file, state=None)


@in_each({path: [span for span in spans(text_of(path)) if is_setting(span)] for path in DOCUMENTS})
def test_a_setting_is_there(path: Path, item: str) -> None:  # noqa: ARG001
    assert item in SETTINGS


@in_each({path: [s for s in spans(text_of(path)) if _NAME.fullmatch(s)] for path in DOCUMENTS})
def test_a_name_is_one_of_the_program(path: Path, item: str) -> None:
    assert item in WORDS_OF_THE_PROGRAM | OF_OTHERS, path.name


@in_each({path: re.findall(r"SENSED_EVENT=(\w+)", text_of(path)) for path in DOCUMENTS})
def test_an_event_that_the_journal_is_searched_for_is_there(path: Path, item: str) -> None:
    assert item in EVENTS, path.name


@in_each({path: [s for s in spans(text_of(path)) if _FILE.fullmatch(s)] for path in DOCUMENTS})
def test_a_file_that_is_named_is_there(path: Path, item: str) -> None:
    assert any(f"/{there}".endswith(f"/{item}") for there in [*PATHS, *AT_THE_TOP]), path.name


@in_each({path: re.findall(TOPIC, text_of(path)) for path in WITH_TOPICS})
def test_a_topic_is_there(path: Path, item: str) -> None:
    assert item in TOPICS, path.name


def test_readme_names_every_topic() -> None:
    (topics,) = (
        one for one in sections(text_of(REPOSITORY / "README.md")) if one.heading == "Topics"
    )
    assert set(topics.spans) >= TOPICS


def test_clearing_a_device_by_hand_clears_all_that_is_retained() -> None:
    page = text_of(REPOSITORY / "docs" / "home-assistant.md")
    (cleared,) = re.findall(r"for topic in ([a-z ]+); do", page)
    assert set(cleared.split()) == RETAINED
