"""Noise_NNpsk0_25519_AESGCM_SHA256: handshake and transport, both roles. Sans-IO.

Source: The Noise Protocol Framework, revision 34, sections 5, 7, 9 and 12. The library is
imported when a session begins, which most days of a device do not see; from an SD card that
takes seconds, for which :func:`load` can be called in a thread.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
import sys
from typing import TYPE_CHECKING, Final

from sensed.errors import BugError, WireError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

_NAME: Final = b"Noise_NNpsk0_25519_AESGCM_SHA256"
KEY_OCTETS: Final = 32
TAG_OCTETS: Final = 16
HANDSHAKE_OCTETS: Final = KEY_OCTETS + TAG_OCTETS
"""A handshake message with an empty payload: ephemeral key and tag."""


_LIBRARY: Final = tuple(
    f"cryptography.{name}"
    for name in (
        "exceptions",
        "hazmat.primitives.asymmetric.x25519",
        "hazmat.primitives.ciphers.aead",
        "hazmat.primitives.hashes",
        "hazmat.primitives.kdf.hkdf",
        "hazmat.primitives.serialization",
    )
)
"""All that a session imports."""


def is_loaded() -> bool:
    """Return whether a session can begin without reading anything from disk first."""
    return all(name in sys.modules for name in _LIBRARY)


def load() -> None:
    """Import what a session needs."""
    for name in _LIBRARY:
        importlib.import_module(name)


class NotAuthenticError(WireError):
    """A message was not made by somebody who has the key, or not for this place and moment."""


class Cipher:
    """One direction of a transport: encrypts, or decrypts, each message once and in order."""

    def __init__(self, key: bytes) -> None:
        """Begin at message number 0."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._aead = AESGCM(key)
        self._number = 0

    def encrypt(self, plaintext: bytes, associated: bytes = b"") -> bytes:
        """Return ciphertext and tag."""
        return self._aead.encrypt(self._nonce(), plaintext, associated)

    def decrypt(self, ciphertext: bytes, associated: bytes = b"") -> bytes:
        """Return the plaintext. Raises NotAuthenticError; the transport is over then."""
        from cryptography.exceptions import InvalidTag

        if len(ciphertext) < TAG_OCTETS:
            raise NotAuthenticError("a message is shorter than its tag")
        try:
            return self._aead.decrypt(self._nonce(), ciphertext, associated)
        except InvalidTag:
            raise NotAuthenticError("a message does not decrypt") from None

    def _nonce(self) -> bytes:
        number = self._number
        self._number += 1
        return bytes(4) + number.to_bytes(8, "big")


class _Symmetric:
    """Noise's SymmetricState; ``associated`` data of each encryption is the hash so far."""

    def __init__(self, prologue: bytes) -> None:
        # The name has exactly the length of a hash, so it is the first one (section 5.2).
        self._chaining = self.hash = _NAME
        self._cipher: Cipher | None = None
        self.mix_hash(prologue)

    def mix_hash(self, octets: bytes) -> None:
        self.hash = hashlib.sha256(self.hash + octets).digest()

    def mix_key(self, material: bytes) -> None:
        self._chaining, key = _hkdf(self._chaining, material, 2)
        self._cipher = Cipher(key)

    def mix_key_and_hash(self, material: bytes) -> None:
        self._chaining, mixed, key = _hkdf(self._chaining, material, 3)
        self.mix_hash(mixed)
        self._cipher = Cipher(key)

    def encrypt(self, plaintext: bytes) -> bytes:
        ciphertext = self._keyed.encrypt(plaintext, self.hash)
        self.mix_hash(ciphertext)
        return ciphertext

    def decrypt(self, ciphertext: bytes) -> bytes:
        plaintext = self._keyed.decrypt(ciphertext, self.hash)
        self.mix_hash(ciphertext)
        return plaintext

    def split(self) -> tuple[Cipher, Cipher]:
        first, second = _hkdf(self._chaining, b"", 2)
        return Cipher(first), Cipher(second)

    @property
    def _keyed(self) -> Cipher:
        if self._cipher is None:
            raise BugError("a handshake message before its key")
        return self._cipher


class _Handshake:
    def __init__(self, psk: bytes, prologue: bytes, ephemeral: bytes | None) -> None:
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        self._psk = psk
        self._state = _Symmetric(prologue)
        self._own = (
            X25519PrivateKey.generate()
            if ephemeral is None
            else X25519PrivateKey.from_private_bytes(ephemeral)
        )

    @property
    def hash(self) -> bytes:
        """The handshake's hash, which names the session once it is done."""
        return self._state.hash

    def _write_key(self) -> bytes:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        public = self._own.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._mix_ephemeral(public)
        return public

    def _read_key(self, message: bytes) -> tuple[X25519PublicKey, bytes]:
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

        if len(message) < HANDSHAKE_OCTETS:
            raise NotAuthenticError("a handshake message is too short")
        public = message[:KEY_OCTETS]
        self._mix_ephemeral(public)
        return X25519PublicKey.from_public_bytes(public), message[KEY_OCTETS:]

    def _mix_ephemeral(self, public: bytes) -> None:
        self._state.mix_hash(public)
        self._state.mix_key(public)

    def _mix_shared(self, theirs: X25519PublicKey) -> None:
        try:
            shared = self._own.exchange(theirs)
        except ValueError:
            # A key that makes every shared secret the same (section 12.1).
            raise NotAuthenticError("an ephemeral key is not acceptable") from None
        self._state.mix_key(shared)


class Initiator(_Handshake):
    """The client's side: :meth:`begin`, then :meth:`finish`."""

    def __init__(self, psk: bytes, prologue: bytes, *, ephemeral: bytes | None = None) -> None:
        """``psk`` has 32 octets; ``ephemeral`` is a private key, for tests alone."""
        super().__init__(psk, prologue, ephemeral)

    def begin(self, payload: bytes = b"") -> bytes:
        """Return the first message."""
        self._state.mix_key_and_hash(self._psk)
        return self._write_key() + self._state.encrypt(payload)

    def finish(self, message: bytes) -> tuple[bytes, Cipher, Cipher]:
        """Take the second message; return its payload, and the ciphers to send and to receive.

        Raises NotAuthenticError when the other side does not have the key.
        """
        theirs, rest = self._read_key(message)
        self._mix_shared(theirs)
        payload = self._state.decrypt(rest)
        send, receive = self._state.split()
        return payload, send, receive


class Responder(_Handshake):
    """The device's side: one call of :meth:`answer`."""

    def __init__(self, psk: bytes, prologue: bytes, *, ephemeral: bytes | None = None) -> None:
        """``psk`` has 32 octets; ``ephemeral`` is a private key, for tests alone."""
        super().__init__(psk, prologue, ephemeral)

    def read(self, message: bytes) -> tuple[bytes, X25519PublicKey]:
        """Take the first message; return its payload and their key. Raises NotAuthenticError."""
        self._state.mix_key_and_hash(self._psk)
        theirs, rest = self._read_key(message)
        return self._state.decrypt(rest), theirs

    def answer(self, theirs: X25519PublicKey, payload: bytes = b"") -> tuple[bytes, Cipher, Cipher]:
        """Return the second message, and the ciphers to send and to receive.

        Raises NotAuthenticError for a key that no honest client sends.
        """
        public = self._write_key()
        self._mix_shared(theirs)
        message = public + self._state.encrypt(payload)
        receive, send = self._state.split()
        return message, send, receive


def _hkdf(chaining: bytes, material: bytes, outputs: int) -> tuple[bytes, ...]:
    """Return 2 or 3 outputs of Noise's HKDF (section 4.3)."""
    secret = hmac.digest(chaining, material, "sha256")
    found: list[bytes] = []
    last = b""
    for number in range(1, outputs + 1):
        last = hmac.digest(secret, last + bytes((number,)), "sha256")
        found.append(last)
    return tuple(found)
