"""Lists whose order only the grid company knows: the user states it, in reading keys.

Such a list is a structure of bare values without OBIS codes. Its maker, named by a
text in the list or by the system title, settles how the values are scaled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensed.errors import ConfigError
from sensed.han.axdr import Tag
from sensed.han.layouts import tables
from sensed.han.layouts.bind import bind, with_voltages_settled
from sensed.han.layouts.terms import NUMBERS, TEXT_TAGS, Binding, Kind, Match
from sensed.han.reading import READING_KEYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensed.han.layouts.entries import Entry
    from sensed.han.layouts.terms import Term

NAME = "configured"
"""Layout of readings that were read so."""
PASS_OVER = "-"  # noqa: S105 - the mark of a value that no key stands for
"""What stands in a layout for a value to pass over."""


def layout_fault(keys: Sequence[str]) -> str | None:
    """Return what a layout of reading keys must be and is not, None where it is right."""
    named = [key for key in keys if key != PASS_OVER]
    for key in named:
        if key not in READING_KEYS:
            from difflib import get_close_matches  # needed for a mistake only

            near = get_close_matches(key, READING_KEYS, n=1)
            hint = f", did you mean {near[0]}" if near else ""
            return f'must name reading keys or "{PASS_OVER}"; {key!r} is neither{hint}'
        if named.count(key) > 1:
            return f"must name every key once; {key} stands there twice"
    if not any(key not in tables.TEXT_KEYS for key in named):
        return "must name at least one measured quantity"
    return None


def checked_layout(keys: Sequence[str]) -> tuple[str, ...]:
    """Return ``keys`` as a layout; without any key there is none.

    Raises:
        ConfigError: it can be the layout of no list.

    """
    if keys and (fault := layout_fault(keys)):
        raise ConfigError(f"The layout {fault}.")
    return tuple(keys)


def match_configured(keys: Sequence[str], row: Sequence[Entry], title: bytes) -> Match | None:
    """Return the match of a ``row`` of bare values; None where count, a type or the maker fail."""
    if not keys or len(row) != len(keys):
        return None
    maker = _maker(row, title)
    if maker is None:
        return None
    terms = tables.SCALED[maker]
    bindings = []
    for key, entry in zip(keys, row, strict=True):
        binding = _bind(terms.get(key), entry)
        if binding is None:
            return None
        bindings.append(binding)
    if not any(binding.kind in NUMBERS for binding in bindings):
        return None
    settled = with_voltages_settled(bindings, tables.FINER_VOLTAGE.get(maker))
    return Match(NAME, maker, *settled)


def _maker(row: Sequence[Entry], title: bytes) -> str | None:
    """Return the maker of known scaling that title or texts name, None unless it is just one."""
    texts = [entry.value.value for entry in row if entry.value.tag in TEXT_TAGS]
    letters = [text[:3].decode("latin-1") for text in (title, *texts) if isinstance(text, bytes)]
    makers = {tables.MAKERS[code] for code in letters if code in tables.MAKERS}
    maker = makers.pop() if len(makers) == 1 else None
    return maker if maker in tables.SCALED else None


def _bind(term: Term | None, entry: Entry) -> Binding | None:
    value = entry.value.value
    if term is None or entry.value.tag == Tag.NULL:
        return Binding("", Kind.SKIP, entry.value)
    if term.kind is Kind.TEXT and not (isinstance(value, bytes) and _printable(value)):
        return None
    return bind(term, entry)


def _printable(octets: bytes) -> bool:
    return octets.isascii() and octets.decode("ascii").isprintable()
