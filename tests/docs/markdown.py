"""Documents as tests see them: blocks, tables, code, links and numbers of Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for place in REPOSITORY.iterdir()
    if not place.name.startswith((".", "build"))
    for path in (place.rglob("*.md") if place.is_dir() else [place])
    if path.suffix == ".md"
)

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_BETWEEN_THOUSANDS = re.compile(r"(?<=\d)[, \u00a0](?=\d{3}(?!\d))")
SHELL = ("", "sh", "shell", "bash", "console")


@dataclass(frozen=True)
class Fence:
    language: str
    text: str


@dataclass(frozen=True)
class Section:
    """What stands beneath one heading, up to the next of any level."""

    level: int
    heading: str
    text: str
    fences: tuple[Fence, ...] = field(repr=False)

    @property
    def prose(self) -> str:
        return _SPAN.sub("", self.text)

    @property
    def spans(self) -> list[str]:
        return _SPAN.findall(self.text)

    @property
    def links(self) -> list[str]:
        return _LINK.findall(self.text)

    @property
    def numbers(self) -> list[str]:
        """Numbers outside code and links, whatever signs a language parts their digits with."""
        plain = _BETWEEN_THOUSANDS.sub("", _LINK.sub("", self.prose))
        return [number.replace(",", ".") for number in _NUMBER.findall(plain)]

    @property
    def table(self) -> list[list[str]]:
        """Cells of the section's only table, its heading row first."""
        rows = [line for line in self.text.splitlines() if line.startswith("|")]
        return [
            [cell.strip() for cell in row.strip("|").split("|")]
            for row in rows
            if not set(row) <= set("|-")
        ]

    @property
    def shape(self) -> list[str]:
        """Kinds of the blocks in order: paragraphs, items, rows with their number of cells."""
        kinds = []
        for block in re.split(r"\n\s*\n", self.text.strip()):
            kinds += _kinds(block)
        return kinds


def _kinds(block: str) -> list[str]:
    lines = block.splitlines()
    if lines and lines[0].startswith("|"):
        return [f"row of {line.count('|') - 1}" for line in lines]
    items = [line for line in lines if re.match(r"\* |\d+\. ", line)]
    if items:
        return ["item"] * len(items)
    return ["paragraph"] if lines else []


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def fences(text: str) -> list[Fence]:
    return [
        Fence(language, re.sub(f"^{indent}", "", body, flags=re.MULTILINE))
        for indent, language, body in _FENCE.findall(text)
    ]


def without_fences(text: str) -> str:
    return _FENCE.sub("", text)


def sections(text: str) -> list[Section]:
    parts = re.split(r"^(#+) (.+)$", _masked(text), flags=re.MULTILINE)
    code = iter(fences(text))
    found = []
    for level, heading, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        own = tuple(next(code) for _ in range(body.count(_MASK)))
        found.append(Section(len(level), heading, body, own))
    return found


_MASK = "\x00"


def _masked(text: str) -> str:
    return _FENCE.sub(_MASK, text)


def links(text: str) -> list[str]:
    return _LINK.findall(_SPAN.sub("", without_fences(text)))


def spans(text: str) -> list[str]:
    return _SPAN.findall(without_fences(text))


def anchors(text: str) -> set[str]:
    """Return the names that headings can be linked by."""
    return {
        re.sub(r"[^\w\- ]", "", section.heading.lower()).replace(" ", "-")
        for section in sections(text)
    }


def shell_lines(text: str) -> list[str]:
    """Return lines of code blocks, fenced or indented, that a shell may be given."""
    fenced = [fence.text for fence in fences(text) if fence.language in SHELL]
    indented = re.findall(r"^(?: {4}|\t)\s*(.+)$", without_fences(text), re.MULTILINE)
    return [line.strip() for block in fenced for line in block.splitlines()] + indented
