"""Deciphering of general-glo-ciphering telegrams (IEC 62056-5-3, security suites 0 and 1).

AES-128-GCM with a tag of 12 octets. ``cryptography`` is imported when the first
telegram is deciphered, so that meters without a key never pay for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sensed.errors import ConfigError

if TYPE_CHECKING:
    from sensed.han.apdu import Envelope

KEY_SIZE = 16

_TAG_SIZE = 12
_SUITE = 0x0F
_AUTHENTICATED = 0x10
_ENCRYPTED = 0x20
_FIRST_BLOCK = b"\x00\x00\x00\x02"


class WrongKeyError(Exception):
    """The authentication tag does not fit keys and telegram; never leaves the decoder."""


@dataclass(frozen=True, slots=True, repr=False)
class MeterKeys:
    """The grid company's keys of one meter, 16 octets each.

    ``encryption`` is the global unicast encryption key (GUEK), ``authentication`` the
    authentication key (GAK). Without the latter authenticated lists are read unverified.

    Raises:
        ConfigError: a key is not 16 octets long.

    """

    encryption: bytes
    authentication: bytes | None = None

    def __post_init__(self) -> None:
        """Check the lengths."""
        for name, key in (("encryption", self.encryption), ("authentication", self.authentication)):
            if key is not None and len(key) != KEY_SIZE:
                raise ConfigError(
                    f"The meter's {name} key has {len(key)} octets; give {KEY_SIZE} "
                    f"({2 * KEY_SIZE} hex digits) as the grid company states them."
                )

    def __repr__(self) -> str:
        """Say which keys there are, never what they are."""
        return f"MeterKeys(authentication={'yes' if self.authentication else 'no'})"

    @classmethod
    def from_hex(cls, encryption: str, authentication: str | None = None) -> MeterKeys:
        """Return keys from hex digits; white space, ":" and "-" between them are ignored.

        Raises:
            ConfigError: a key is not 32 hex digits.

        """
        return cls(
            _octets("encryption", encryption),
            _octets("authentication", authentication) if authentication else None,
        )


def _octets(name: str, text: str) -> bytes:
    digits = "".join(text.split()).replace(":", "").replace("-", "")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise ConfigError(
            f"The meter's {name} key is not made of hex digits; "
            f"give the {2 * KEY_SIZE} digits that the grid company states."
        ) from None


def supported(security: int) -> bool:
    """Tell whether telegrams under this security control octet can be deciphered."""
    return bool(security & _ENCRYPTED) and not security & ~(_SUITE | _AUTHENTICATED | _ENCRYPTED)


def authenticated(security: int) -> bool:
    """Tell whether the security control octet announces a tag."""
    return bool(security & _AUTHENTICATED)


def decipher(envelope: Envelope, keys: MeterKeys) -> bytes:
    """Return the plain APDU; unverified where there is no tag or no authentication key.

    Raises:
        WrongKeyError: the tag does not fit.

    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    vector = envelope.title + envelope.counter.to_bytes(4)
    cipher_text = envelope.sealed
    if not authenticated(envelope.security):
        return _counter_mode(vector, cipher_text, keys)
    cipher_text, tag = cipher_text[:-_TAG_SIZE], cipher_text[-_TAG_SIZE:]
    if keys.authentication is None:
        return _counter_mode(vector, cipher_text, keys)
    if len(tag) < _TAG_SIZE:
        raise WrongKeyError
    gcm = modes.GCM(vector, tag, min_tag_length=_TAG_SIZE)
    decryptor = Cipher(algorithms.AES(keys.encryption), gcm).decryptor()
    decryptor.authenticate_additional_data(bytes((envelope.security,)) + keys.authentication)
    try:
        return decryptor.update(cipher_text) + decryptor.finalize()
    except InvalidTag:
        raise WrongKeyError from None


def _counter_mode(vector: bytes, cipher_text: bytes, keys: MeterKeys) -> bytes:
    """Decipher without a tag: GCM's keystream is counter mode from block 2 on."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    mode = modes.CTR(vector + _FIRST_BLOCK)
    decryptor = Cipher(algorithms.AES(keys.encryption), mode).decryptor()
    return decryptor.update(cipher_text) + decryptor.finalize()
