"""Opening ciphered telegrams, and telling apart why one stays shut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensed.errors import WireError
from sensed.han import apdu, crypto
from sensed.han.events import InvocationRepeated, ListEncrypted, ReadUnverified, Sealed

if TYPE_CHECKING:
    from sensed.han.events import Event

_FAILURES_OF_A_WRONG_KEY = 3
_P1_START = 0x2F


class Opener:
    """Deciphers telegrams of one meter and watches its invocation counter."""

    def __init__(self, keys: crypto.MeterKeys | None) -> None:
        """Use ``keys`` for every telegram; without them each is reported as sealed."""
        self._keys = keys
        self._worked = False
        self._failures = 0
        self._told_unverified = False
        self._title = b""
        self._counter: int | None = None

    def open(
        self, envelope: apdu.Envelope, out: list[Event], *, sound: bool
    ) -> tuple[bytes, bool] | None:
        """Return the plain APDU and whether its counter repeats; None where it stays shut.

        ``sound`` says that a 16-bit check held on the way, so that a failure means a
        wrong key. Otherwise a failure after a success counts as damage at first.
        """
        if self._keys is None:
            out.append(sealed(envelope, Sealed.NO_KEY))
            return None
        if not crypto.supported(envelope.security):
            out.append(sealed(envelope, Sealed.UNSUPPORTED))
            return None
        try:
            plain = crypto.decipher(envelope, self._keys)
            if not self.verifies(envelope):
                _check_plain(plain)
        except (crypto.WrongKeyError, WireError):
            self._failures += 1
            damaged = not sound and self._worked and self._failures < _FAILURES_OF_A_WRONG_KEY
            out.append(sealed(envelope, Sealed.DAMAGED if damaged else Sealed.WRONG_KEY))
            return None
        self._worked, self._failures = True, 0
        self._tell_unverified(envelope, out)
        return plain, self._repeats(envelope, out)

    def verifies(self, envelope: apdu.Envelope) -> bool:
        """Tell whether deciphering checks a tag, so that success proves keys and content."""
        keyed = self._keys is not None and self._keys.authentication is not None
        return keyed and crypto.authenticated(envelope.security)

    def _tell_unverified(self, envelope: apdu.Envelope, out: list[Event]) -> None:
        tagged = crypto.authenticated(envelope.security)
        if tagged and not self.verifies(envelope) and not self._told_unverified:
            self._told_unverified = True
            out.append(ReadUnverified(envelope.title.hex()))

    def _repeats(self, envelope: apdu.Envelope, out: list[Event]) -> bool:
        previous = self._counter if envelope.title == self._title else None
        self._title, self._counter = envelope.title, envelope.counter
        if previous is None or envelope.counter > previous:
            return False
        out.append(InvocationRepeated(envelope.title.hex(), envelope.counter, previous))
        return True


def sealed(envelope: apdu.Envelope, cause: Sealed) -> ListEncrypted:
    """Return the event for a list that stays shut."""
    return ListEncrypted(cause, envelope.title.hex(), envelope.security, envelope.counter)


def _check_plain(plain: bytes) -> None:
    """Raise WireError unless ``plain`` is what a telegram of this port can hold."""
    if plain[:1] != bytes((_P1_START,)):
        apdu.notification(plain)
    elif not plain.isascii():
        raise WireError("deciphered readout is no text")
