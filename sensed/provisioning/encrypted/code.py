"""The set-up code: 100 random bits as people read, type and scan them. Sans-IO.

Alphabet: Crockford's base 32. Check symbol: Luhn mod N with N = 32.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from sensed.errors import ConfigError
from sensed.secret import Secret

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES: Final = {symbol: value for value, symbol in enumerate(ALPHABET)}
_READ_AS: Final = str.maketrans({"O": "0", "I": "1", "L": "1"})
_SEPARATORS: Final = frozenset(" \t\u00a0-\u2010\u2011\u2012\u2013\u2014\u2212")

_SYMBOLS: Final = 20
_GROUP: Final = 7
_LONGEST_TYPED: Final = 100

_SALT: Final = b"sensed-setup"
_INFO: Final = b"psk 1"
_KEY_OCTETS: Final = 32


@dataclass(frozen=True, slots=True)
class SetupCode:
    """A set-up code; ``symbols`` are its 20 symbols without the check symbol."""

    symbols: Secret

    @classmethod
    def generate(cls) -> SetupCode:
        """Draw a code from the system's random numbers."""
        return cls(Secret("".join(secrets.choice(ALPHABET) for _ in range(_SYMBOLS))))

    @classmethod
    def parse(cls, typed: str) -> SetupCode:
        """Return the code that somebody typed or scanned. Raises ConfigError."""
        if len(typed) > _LONGEST_TYPED:
            raise ConfigError(f"A set-up code has {_SYMBOLS + 1} letters and digits.")
        bare = "".join(char for char in typed.upper() if char not in _SEPARATORS)
        symbols = bare.translate(_READ_AS)
        strange = [char for char in symbols if char not in _VALUES]
        if strange:
            raise ConfigError(f"There is no {strange[0]!r} in a set-up code: look again.")
        if len(symbols) != _SYMBOLS + 1:
            raise ConfigError(
                f"A set-up code has {_SYMBOLS + 1} letters and digits, not {len(symbols)}."
            )
        if _check_symbol(symbols[:-1]) != symbols[-1]:
            raise ConfigError("The set-up code has a typing mistake: compare it with the label.")
        return cls(Secret(symbols[:-1]))

    @property
    def compact(self) -> str:
        """The 21 symbols, check symbol included, without separators: as in the QR code."""
        symbols = self.symbols.reveal()
        return symbols + _check_symbol(symbols)

    @property
    def grouped(self) -> str:
        """The code as it is shown to people: three groups of seven."""
        compact = self.compact
        return "-".join(compact[start : start + _GROUP] for start in range(0, len(compact), _GROUP))

    def key(self) -> bytes:
        """Return the key of the session, 32 octets."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        hkdf = HKDF(algorithm=hashes.SHA256(), length=_KEY_OCTETS, salt=_SALT, info=_INFO)
        return hkdf.derive(self.symbols.reveal().encode("ascii"))

    def address(self, page: str, name: str) -> str:
        """Return the address of the set-up page that carries the code in its fragment."""
        return f"{page.partition('#')[0]}#v=1&k={self.compact}&n={quote(name, safe='')}"


def _check_symbol(symbols: str) -> str:
    total = 0
    for position, symbol in enumerate(reversed(symbols)):
        product = _VALUES[symbol] * (1 if position % 2 else 2)
        total += product // len(ALPHABET) + product % len(ALPHABET)
    return ALPHABET[-total % len(ALPHABET)]
