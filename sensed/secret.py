"""A text that must never reach a log, a terminal or a topic."""

from __future__ import annotations

from typing import Final, NoReturn

_HIDDEN: Final = "***"


class Secret:
    """Holds a password or a key; shows ``***`` however it is printed."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Keep ``text``."""
        self._text = text

    def reveal(self) -> str:
        """Return the text itself, for the one place that must send it."""
        return self._text

    def __repr__(self) -> str:
        """Return ``***``; ``str`` and format strings use it as well."""
        return _HIDDEN

    def __eq__(self, other: object) -> bool:
        """Compare by text, so that settings that carry secrets compare by value."""
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        """Agree with ``==``."""
        return hash((Secret, self._text))

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied into something that prints."""
        raise TypeError("a secret cannot be serialised")
