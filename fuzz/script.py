"""An input read as a script: numbers and pieces of octets, zeros once it is at its end."""

from __future__ import annotations


class Script:
    """Reads an input from its front."""

    def __init__(self, octets: bytes) -> None:
        self.rest = octets

    def __bool__(self) -> bool:
        """Tell whether there is more."""
        return bool(self.rest)

    def number(self, octets: int = 1) -> int:
        """Take a big-endian number."""
        return int.from_bytes(self.take(octets).ljust(octets, b"\0"), "big")

    def take(self, count: int) -> bytes:
        """Take up to so many octets."""
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def piece(self) -> bytes:
        """Take octets whose count stands before them in two."""
        return self.take(self.number(2))


def piece(octets: bytes) -> bytes:
    """Return octets as :meth:`Script.piece` takes them."""
    return len(octets).to_bytes(2, "big") + octets
