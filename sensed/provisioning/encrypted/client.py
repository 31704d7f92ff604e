"""A client's side of an encrypted set-up session: for laptops, and for tests. Sans-IO.

docs/setup-protocol.md. A frame from before the session is passed over, like a message
about a request of before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sensed.errors import BugError, SensedError, WireError
from sensed.provisioning.encrypted import frames
from sensed.provisioning.encrypted.frames import Cutter, Joiner, Kind, Message
from sensed.provisioning.encrypted.messages import RefusedError, decode, encode
from sensed.provisioning.encrypted.noise import Cipher, Initiator, NotAuthenticError
from sensed.provisioning.encrypted.session import VERSIONS, End, prologue

_FROM_DEVICE: Final = frozenset({Kind.SECOND, Kind.TRANSPORT, Kind.END})
_SMALLEST_FRAME: Final = 20
_MOST_VERSIONS: Final = 16
_LARGEST_VERSION: Final = 255


class SessionEndedError(SensedError):
    """The device has ended the session, or its messages cannot be trusted.

    ``why`` is ``None`` for what this side has found.
    """

    def __init__(self, why: End | None, text: str, *, seconds: int = 0) -> None:
        """``seconds`` is how long to wait where the device has said so."""
        super().__init__(text)
        self.why = why
        self.seconds = seconds


_SENTENCES: Final[Mapping[End, str]] = {
    End.WRONG_CODE: "The device has another set-up code: compare it with the label.",
    End.LOCKED: "Too many wrong set-up codes: the device tries none for {seconds} s.",
    End.PROTOCOL: "The device did not understand this program.",
    End.TIMEOUT: "The device waited too long.",
    End.CLOSED: "Set-up was closed on the device: open it again with sudo sensed setup open.",
    End.VERSION: "The device speaks another version: update the older one of both.",
    End.RESET: "The device was reset; it has a new set-up code now.",
}


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """What the device says in clear: hints, never a ground to trust it."""

    versions: tuple[int, ...]
    name: str
    frame: int
    busy: bool
    locked_s: int

    @classmethod
    def parse(cls, octets: bytes) -> DeviceInfo:
        """Read the ``info`` characteristic. Raises WireError."""
        try:
            found = json.loads(octets.decode())
            versions = tuple(found["v"])
        except (ValueError, RecursionError, TypeError, KeyError):
            raise WireError("the device's information is not readable") from None
        if not 0 < len(versions) <= _MOST_VERSIONS or not all(map(_is_version, versions)):
            raise WireError("the device's information names no versions")
        frame = found.get("frame")
        locked_s = found.get("locked_s")
        return cls(
            versions=versions,
            name=str(found.get("name", "")),
            frame=frame if isinstance(frame, int) and frame > 0 else _SMALLEST_FRAME,
            busy=found.get("busy") is True,
            locked_s=locked_s if isinstance(locked_s, int) else 0,
        )


class ClientSession:
    """One session with one device."""

    def __init__(
        self, key: bytes, info: DeviceInfo, *, room: int = 0, ephemeral: bytes | None = None
    ) -> None:
        """``room`` is the longest frame that fits the link; 0: as the device says.

        Raises SessionEndedError when there is no version that both speak.
        """
        common = [version for version in info.versions if version in VERSIONS]
        if not common:
            raise SessionEndedError(End.VERSION, _SENTENCES[End.VERSION])
        self._version = max(common)
        self._room = min(room or info.frame, frames.LONGEST_FRAME)
        self._handshake = Initiator(
            key, prologue(self._version, info.versions), ephemeral=ephemeral
        )
        self._cutter = Cutter()
        self._joiner = Joiner()
        self._heard = False
        self._send: Cipher | None = None
        self._receive: Cipher | None = None
        self._last_id = 0

    @property
    def is_verified(self) -> bool:
        """Whether the device has proved to know the code."""
        return self._send is not None

    def begin(self) -> list[bytes]:
        """Return the frames of the first message."""
        return self._cut(Kind.FIRST, bytes((self._version,)) + self._handshake.begin())

    def request(self, do: str, **arguments: Any) -> tuple[int, list[bytes]]:
        """Return a request's number and its frames; only after :attr:`is_verified`."""
        if self._send is None:
            raise BugError("a request before the device has proved who it is")
        self._last_id += 1
        text = encode({"id": self._last_id, "do": do, **arguments})
        return self._last_id, self._cut(Kind.TRANSPORT, self._send.encrypt(text))

    def received(self, frame: bytes) -> dict[str, Any] | None:
        """Take a frame; return the progress or answer that it completes, if any.

        Raises SessionEndedError; nothing that comes later is to be trusted.
        """
        if not self._heard and not frames.answers_session(frame):
            return None
        self._heard = True
        try:
            message = self._joiner.receive(frame, _FROM_DEVICE)
            return None if message is None else self._take(message)
        except NotAuthenticError:
            raise SessionEndedError(
                None, "Whoever answers does not know the set-up code: is it the right device?"
            ) from None
        except (WireError, RefusedError) as error:
            raise SessionEndedError(None, f"The device's answer is broken: {error}.") from None

    def _take(self, message: Message) -> dict[str, Any] | None:
        if message.kind is Kind.END:
            raise _ended(message.octets)
        if message.kind is Kind.SECOND:
            if self._receive is not None:
                raise WireError("a second handshake")
            _, self._send, self._receive = self._handshake.finish(message.octets)
            return None
        if self._receive is None:
            raise WireError("a transport message before the handshake")
        return decode(self._receive.decrypt(message.octets))

    def _cut(self, kind: Kind, octets: bytes) -> list[bytes]:
        return self._cutter.cut(Message(kind, octets), self._room)


def _ended(octets: bytes) -> SessionEndedError:
    seconds = int.from_bytes(octets[1:], "big")
    try:
        why = End(octets[0])
    except ValueError:
        return SessionEndedError(None, "The device has ended the session.")
    return SessionEndedError(why, _SENTENCES[why].format(seconds=seconds), seconds=seconds)


def _is_version(version: object) -> bool:
    return isinstance(version, int) and 0 < version <= _LARGEST_VERSION
