"""Requests and answers as JSON objects, bounded and checked. Sans-IO.

docs/setup-protocol.md, sections 6 and 7.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from sensed.errors import BugError, SensedError
from sensed.provisioning.encrypted.frames import LONGEST_TEXT

VERSION: Final = 1
NO_ID: Final = -1
_LARGEST_ID: Final = 2**31 - 1
_ENVELOPE: Final = ("v", "id", "do")
_LONGEST_WORD: Final = 64
_LONGEST_SENTENCE: Final = 500


class RefusedError(SensedError):
    """A request is not fulfilled: a stable code, a sentence, and the setting that is meant."""

    def __init__(self, code: str, text: str, key: str = "") -> None:
        """``key`` is a setting as ``mqtt.host``, "" for none in particular."""
        super().__init__(text)
        self.code = code
        self.text = text
        self.key = key


class BadRequestError(RefusedError):
    """What came is no request; ``request_id`` is its number as far as it could be seen."""

    def __init__(self, text: str, request_id: int = NO_ID) -> None:
        super().__init__("bad-request", text)
        self.request_id = request_id


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for; ``arguments`` are unchecked but for being JSON.

    They may carry secrets and are left out when it is printed.
    """

    id: int
    do: str
    arguments: Mapping[str, Any]

    def __repr__(self) -> str:
        """Show no argument."""
        return f"Request(id={self.id}, do={self.do!r})"


def parse_request(text: bytes) -> Request:
    """Return the request in a transport message's plaintext. Raises BadRequestError."""
    found = _object(text)
    number = found.get("id")
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= _LARGEST_ID:
        raise BadRequestError("The request has no number.")
    if found.get("v") != VERSION or isinstance(found["v"], bool):
        raise BadRequestError(f"Messages have version {VERSION} here.", number)
    do = found.get("do")
    if not isinstance(do, str) or not 0 < len(do) <= _LONGEST_WORD:
        raise BadRequestError("The request does not say what to do.", number)
    arguments = {key: value for key, value in found.items() if key not in _ENVELOPE}
    return Request(number, do, arguments)


def progress(request_id: int, word: str) -> bytes:
    """Return the message that a request is being worked on."""
    return encode({"id": request_id, "progress": word})


def answer(request_id: int, content: Mapping[str, Any]) -> bytes:
    """Return the answer to a request that was fulfilled."""
    return encode({"id": request_id, "ok": True, **content})


def refusal(request_id: int, refused: RefusedError) -> bytes:
    """Return the answer to a request that was not fulfilled."""
    text = refused.text[:_LONGEST_SENTENCE]
    content = {"id": request_id, "ok": False, "code": refused.code, "text": text}
    return encode({**content, "key": refused.key[:_LONGEST_WORD]} if refused.key else content)


def encode(message: Mapping[str, Any]) -> bytes:
    """Return a message with its version as plaintext. Raises BugError when it is too long."""
    text = json.dumps(
        {"v": VERSION, **message}, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()
    if len(text) > LONGEST_TEXT:
        raise BugError(f"a message of {len(text)} octets is longer than the protocol allows")
    return text


def decode(text: bytes) -> dict[str, Any]:
    """Return the JSON object in a plaintext. Raises BadRequestError."""
    return _object(text)


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise BadRequestError("This is not JSON.") from None
    if not isinstance(found, dict):
        raise BadRequestError("This is not a JSON object.")
    return found


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
