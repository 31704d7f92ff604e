from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import sensed
from sensed.events import EVENTS, escaped, sentence

REPOSITORY = Path(__file__).parents[1]
SOURCE = Path(sensed.__file__).parent
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
CATALOGS = ["sensed.catalog", "sensed.nb.catalog", "sensed.sv.catalog"]


@dataclass(frozen=True)
class Call:
    where: str
    level: str
    name: str | None
    keys: frozenset[str]
    open_ended: bool


def is_structlog(call: ast.expr) -> bool:
    return (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "get_logger"
    )


def loggers_in(tree: ast.Module) -> set[str]:
    return {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and is_structlog(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def calls_in(path: Path) -> Iterator[Call]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    loggers = loggers_in(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        holder = node.func.value
        if node.func.attr not in LEVELS or not isinstance(holder, ast.Name):
            continue
        if holder.id not in loggers:
            continue
        words = node.args[1:] if node.func.attr == "log" else node.args
        first = words[0] if words else None
        yield Call(
            where=f"{path.relative_to(SOURCE)}:{node.lineno}",
            level={"exception": "error"}.get(node.func.attr, node.func.attr),
            name=first.value
            if isinstance(first, ast.Constant) and isinstance(first.value, str)
            else None,
            keys=frozenset(keyword.arg for keyword in node.keywords if keyword.arg),
            open_ended=any(keyword.arg is None for keyword in node.keywords),
        )


CALLS = [
    call
    for path in sorted(SOURCE.rglob("*.py"))
    if "_vendor" not in path.parts
    for call in calls_in(path)
]


def test_the_walk_finds_what_the_supervisor_writes() -> None:
    assert "part_crashed" in {call.name for call in CALLS}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.where)
def test_what_is_written_is_registered(call: Call) -> None:
    assert call.name is not None, f"{call.where}: an event's name must be a literal"
    assert call.name in EVENTS, f"{call.where}: add {call.name} to sensed/events.py"
    kind = EVENTS[call.name]
    if call.level != "log":
        assert call.level == kind.level
    if not call.open_ended:
        assert kind.keys <= call.keys, f"{call.where}: the sentence needs more than is written"


def test_what_is_registered_is_written() -> None:
    assert set(EVENTS) == {call.name for call in CALLS}


def test_ids_are_unique_and_as_the_journal_wants_them() -> None:
    ids = [kind.message_id for kind in EVENTS.values()]

    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[0-9a-f]{32}", message_id) for message_id in ids)


def entries(catalog: str) -> dict[str, str]:
    text = (REPOSITORY / "systemd" / catalog).read_text(encoding="utf-8")
    parts = re.split(r"^-- ([0-9a-f]{32})\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("catalog", CATALOGS)
def test_each_catalog_explains_each_event(catalog: str) -> None:
    explained = entries(catalog)

    assert set(explained) == {kind.message_id for kind in EVENTS.values()}
    for text in explained.values():
        assert re.match(r"Subject: \S.*\nDefined-By: sensed\nDocumentation: man:", text)
        assert "\n\n" in text.strip()


@pytest.mark.parametrize("catalog", CATALOGS)
def test_a_catalog_names_only_what_the_event_carries(catalog: str) -> None:
    written: dict[str, set[str]] = {}
    for call in CALLS:
        written.setdefault(call.name or "", set()).update(call.keys)
    for name, kind in EVENTS.items():
        named = re.findall(r"@SENSED_(\w+)@", entries(catalog)[kind.message_id])
        assert {key.lower() for key in named} <= written[name], name


@pytest.mark.parametrize("catalog", CATALOGS[1:])
def test_translations_carry_the_same_facts_and_commands(catalog: str) -> None:
    english, translated = entries(CATALOGS[0]), entries(catalog)
    for message_id, text in english.items():
        facts = r"@\w+@|/etc/\S+\.toml|mqtt\.\w+|meter\.\w+|log\.level|python3-\w+"
        assert sorted(re.findall(facts, text)) == sorted(re.findall(facts, translated[message_id]))


def test_a_sentence_tells_a_missing_fact_as_unknown() -> None:
    assert sentence("port_opened", {"device": "/dev/ttyUSB0"}) == (
        "The meter's port /dev/ttyUSB0 is open (?)."
    )


def test_a_sentence_stays_short() -> None:
    assert len(sentence("broker_lost", {"detail": "x" * 5000})) < 300


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"),
        ("å ä ö", "å ä ö"),
        ("a\tb", "a\\tb"),
        ("\x9b1m", "\\x9b1m"),
        (b"\x7e\xa0", "7ea0"),
        (None, "None"),
        (False, "false"),
    ],
)
def test_values_are_shown_without_what_a_terminal_could_obey(value: object, shown: str) -> None:
    assert escaped(value) == shown
