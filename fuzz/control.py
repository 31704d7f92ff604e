"""Whatever a caller writes to the control socket gets one line of JSON back, then the end.

No line longer than allowed is held, and nothing is raised into the loop.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from pathlib import Path
from typing import Any

from sensed.control import LONGEST_LINE, ControlServer, command_of, decode, encode
from sensed.errors import SensedError, WireError

INCLUDE = ("sensed.control",)
_LOOP = asyncio.new_event_loop()


async def _answer(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    if asked.get("refuse"):
        raise SensedError("refused")
    return {"asked": sorted(asked)}


async def _stream(asked: Mapping[str, Any]) -> AsyncGenerator[Mapping[str, Any], None]:
    for number in range(2):
        yield {"number": number, "asked": len(asked)}


class _Writer:
    """What the server writes to."""

    def __init__(self) -> None:
        self.said = b""
        self.closed = False

    def write(self, octets: bytes) -> None:
        self.said += octets

    async def drain(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def one_input(data: bytes) -> None:
    """Check what must hold of any octets; an exception is a finding."""
    check_message(data)
    _LOOP.run_until_complete(converse(data))


def check_message(data: bytes) -> None:
    """A line is a message that reads back the same, or breaks the protocol."""
    try:
        message = decode(data)
    except WireError:
        return
    again = decode(encode(message))
    if repr(again) != repr(message):
        raise AssertionError("a message is not read back as it was")
    try:
        command_of(message)
    except WireError:
        return


async def converse(data: bytes) -> None:
    """Be a caller of the real server."""
    loop = asyncio.get_running_loop()
    raised: list[Any] = []
    loop.set_exception_handler(lambda _loop, context: raised.append(context))
    server = ControlServer(Path("/nowhere"), {"status": _answer}, {"capture": _stream})
    reader = asyncio.StreamReader(limit=LONGEST_LINE)
    writer: Any = _Writer()
    reader.feed_data(data)
    reader.feed_eof()
    await server._serve(reader, writer)
    if raised or not writer.closed or server._callers:
        raise AssertionError(f"the caller is not let go: {raised}")
    lines = writer.said.splitlines()
    if not lines or not all(isinstance(json.loads(line)["ok"], bool) for line in lines):
        raise AssertionError(f"not an answer: {writer.said[:100]!r}")


def corpus() -> Iterator[bytes]:
    """Yield requests as the commands make them."""
    yield encode({"command": "status"})
    yield encode({"command": "status", "refuse": True})
    yield encode({"command": "capture"})
    yield encode({"command": "setup-open", "minutes": 5, "more": [1, None, {"a": "å"}]})
    yield b'{"command": 5}\n'
    yield b"[" * 2000 + b"\n"
    yield b"{" + b" " * LONGEST_LINE
