"""Findings, and how facts become one: a table of rules, of which the first that fits speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, TypeVar

from sensed.errors import BugError


class Level(StrEnum):
    """How bad it is.

    ``fail``: readings, or their way to the broker, or the chargers' limit are missing.
    ``warn``: something else does not work, or could not be seen.
    """

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check has found: a sentence, and unless all is well a remedy of one line."""

    check: str
    level: Level
    text: str
    remedy: str = ""


_Facts = TypeVar("_Facts")


@dataclass(frozen=True, slots=True)
class Rule(Generic[_Facts]):
    """What is found ``when`` the facts are so; ``{f.name}`` stands for a fact in the words."""

    when: Callable[[_Facts], object]
    level: Level
    text: str
    remedy: str = ""


def always(_facts: object) -> bool:
    """Hold for whatever is left, in a table's last rule."""
    return True


def judge(check: str, facts: _Facts, rules: Iterable[Rule[_Facts]]) -> Finding:
    """Return what the first rule that fits says. Raises BugError when none does."""
    for rule in rules:
        if rule.when(facts):
            text, remedy = (words.format(f=facts) for words in (rule.text, rule.remedy))
            return Finding(check, rule.level, text, remedy)
    raise BugError(f"no rule of the check {check} fits {facts}")


SUDO: Final = "Run it as root: sudo sensed doctor."
ASK_AS_ROOT: Final = "Run it as root (sudo sensed doctor), or join the group sensed."


def unseen(check: str, text: str, remedy: str = SUDO) -> Finding:
    """Return the finding of a check that could not look."""
    return Finding(check, Level.WARN, text, remedy)


def parted(sentence: str) -> tuple[str, str]:
    """Return the finding and the remedy of a sentence like "This is so: do that."."""
    text, colon, remedy = sentence.rstrip(".").partition(": ")
    if not colon:
        return sentence, "The journal tells more: journalctl -x -u sensed."
    return f"{text}.", f"{remedy[:1].upper()}{remedy[1:]}."


def worst(findings: Sequence[Finding]) -> Level:
    """Return the worst level, ``ok`` for no findings."""
    order = tuple(Level)
    return max((finding.level for finding in findings), key=order.index, default=Level.OK)
