"""Choosing a layout by list identification and shape; never by item count alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensed.han.axdr import Tag
from sensed.han.layouts import entries, tables
from sensed.han.layouts.bind import bind, with_voltages_settled
from sensed.han.layouts.configured import match_configured
from sensed.han.layouts.terms import METER_ID, NUMBERS, TEXT_TAGS, Binding, Kind, Match, Term

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensed.han.apdu import Notification
    from sensed.han.layouts.entries import Entry
    from sensed.han.layouts.tables import CodedList, PositionalList

_OTHER = "other"


def match(
    notification: Notification, title: bytes = b"", configured: Sequence[str] = ()
) -> Match | None:
    """Return the layout that the notification's body fits, or None where there is none.

    ``title`` is the system title of an encrypted telegram, which names the maker.
    ``configured`` is the user's layout for lists of bare values that no known one fits.
    """
    row = entries.positional(notification.body)
    if row is not None:
        for positional in tables.POSITIONAL:
            found = _match_positional(positional, row, notification.date_form)
            if found:
                return found
    rows = {form: form(notification.body) for form in {family.form for family in tables.CODED}}
    for family in tables.CODED:
        coded = rows[family.form]
        found = _match_coded(family, coded, title) if coded else None
        if found:
            return found
    return match_configured(configured, row, title) if row else None


def _match_positional(layout: PositionalList, row: Sequence[Entry], date_form: str) -> Match | None:
    if len(row) != len(layout.terms) or layout.date_form not in (None, date_form):
        return None
    if layout.version is not None and row[layout.version_at].value.value != layout.version:
        return None
    name = row[0].value.value
    if layout.named is not None and not (isinstance(name, bytes) and name[:3] == layout.named):
        return None
    bindings = []
    for term, entry in zip(layout.terms, row, strict=True):
        binding = bind(term, entry)
        if binding is None:
            return None
        bindings.append(binding)
    return Match(layout.name, layout.maker, _with_quirks(layout, bindings))


def _match_coded(family: CodedList, row: Sequence[Entry], title: bytes) -> Match | None:
    codes = tuple(entry.code for entry in row if entry.code and entry.value.tag != Tag.NULL)
    variant = family.variants.get(codes, f"{family.name}-{_OTHER}" if family.variants else None)
    if not _identified(family, row, variant, title):
        return None
    bindings = _bind_row(family, row)
    if not bindings or not any(binding.kind in NUMBERS for binding in bindings):
        return None
    maker = family.maker or _maker(bindings, title)
    settled = with_voltages_settled(_with_quirks(family, bindings), family.finer_voltage)
    return Match(variant or family.name, maker, *settled)


def _identified(family: CodedList, row: Sequence[Entry], variant: str | None, title: bytes) -> bool:
    if family.maker_codes:
        named = (entry for entry in row if family.terms.get(entry.code or "") == METER_ID)
        name = next((entry.value.value for entry in named), None)
        letters = {title[:3], name[:3] if isinstance(name, bytes) else b""}
        makers = {code for code in tables.MAKERS if code.encode() in letters}
        if makers or family.version is None:
            return bool(makers & family.maker_codes)
    if family.version is None:
        return True
    code, expected = family.version
    stated = next((entry.value.value for entry in row if entry.code == code), None)
    return stated == expected if stated is not None else variant in family.unversioned


def _bind_row(family: CodedList, row: Sequence[Entry]) -> list[Binding] | None:
    """Bind every entry; None where one contradicts the family or repeats a quantity."""
    bindings: list[Binding] = []
    seen: set[str] = set()
    for place, entry in enumerate(row):
        term = _term(family, row, place)
        if term is None:
            if family.strict:
                return None
            bindings.append(Binding("", Kind.SKIP, entry.value))
            continue
        if entry.value.tag == Tag.NULL:
            continue
        binding = bind(term, entry)
        if binding is None:
            return None
        if term.key in seen:
            if binding.kind in NUMBERS:
                return None
            binding = Binding("", Kind.SKIP, entry.value)
        seen.add(term.key)
        bindings.append(binding)
    return bindings


def _term(family: CodedList, row: Sequence[Entry], place: int) -> Term | None:
    code = row[place].code
    if code is not None:
        return family.terms.get(code)
    if place < len(family.leading):
        return family.leading[place]
    if len(row) - place <= len(family.trailing) and row[place].value.tag in TEXT_TAGS:
        return family.trailing[place - len(row)]
    return None


def _with_quirks(
    layout: PositionalList | CodedList, bindings: Sequence[Binding]
) -> tuple[Binding, ...]:
    meter_type = next((b.node.value for b in bindings if b.key == "meter_type"), None)
    if not isinstance(meter_type, bytes):
        return tuple(bindings)
    for quirk in layout.quirks:
        if meter_type.startswith(quirk.types):
            bindings = [
                Binding(
                    b.key,
                    quirk.kind,
                    b.node,
                    b.exponent if quirk.exponent is None else quirk.exponent,
                )
                if b.key in quirk.keys
                else b
                for b in bindings
            ]
    return tuple(bindings)


def _maker(bindings: Sequence[Binding], title: bytes) -> str:
    version = next((b.node.value for b in bindings if b.key == "list_version"), b"")
    for source in (version, title):
        name = source[:3].decode("latin-1").upper() if isinstance(source, bytes) else ""
        if name in tables.MAKERS:
            return tables.MAKERS[name]
    return "unknown"
