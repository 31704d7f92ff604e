"""The control socket: how commands on the device reach the running daemon.

One JSON object per line, one line each way, then the daemon hangs up:
``{"command": "setup-open"}`` gives ``{"ok": true, ...}`` or ``{"ok": false, "error": "..."}``.
A few commands give line after line, until the caller hangs up.
Who may connect is decided by the socket's mode: the daemon's user and group, and root.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

import structlog

from sensed.backoff import Backoff
from sensed.errors import PortError, SensedError, WireError

_log = structlog.get_logger(__name__)

LONGEST_LINE: Final = 4096
LONGEST_ANSWER: Final = 65536
_MODE: Final = 0o660
_MOST_CALLERS: Final = 8
_PATIENCE_S: Final = 5.0
"""For a caller to say what it wants; commands may take longer."""
_COMMAND_S: Final = 60.0


class NotRunningError(PortError):
    """Nobody listens at the control socket."""


class NotAllowedError(PortError):
    """The daemon may not be asked by this user."""


Handler = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Answers a command; a SensedError that it raises is told to the caller as one sentence."""

Stream = Callable[[Mapping[str, Any]], AsyncGenerator[Mapping[str, Any], None]]
"""Answers a command with many messages, one every second at least, so that a caller who has
gone is noticed; a SensedError as with Handler."""


def default_path() -> Path:
    """Return where the daemon listens: its runtime directory."""
    return Path(os.environ.get("RUNTIME_DIRECTORY", "/run/sensed")) / "control"


# -- protocol, sans-IO -------------------------------------------------------------------


def encode(message: Mapping[str, Any]) -> bytes:
    """Return a message as its line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """Return a line's message. Raises WireError for anything but one JSON object."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise WireError("not a line of JSON") from None
    if not isinstance(message, dict):
        raise WireError("not a JSON object")
    return message


def command_of(message: Mapping[str, Any]) -> str:
    """Return the command of a request. Raises WireError when there is none."""
    command = message.get("command")
    if not isinstance(command, str):
        raise WireError("no command is named")
    return command


# -- the daemon's end ----------------------------------------------------------------------


class ControlServer:
    """Listens and answers; a socket that cannot be had is told, and tried again."""

    def __init__(
        self,
        path: Path,
        handlers: Mapping[str, Handler],
        streams: Mapping[str, Stream] | None = None,
    ) -> None:
        """Answer the commands in ``handlers`` and ``streams`` at ``path``."""
        self._path = path
        self._handlers = handlers
        self._streams = streams or {}
        self._callers = 0

    async def run(self) -> None:
        """Listen until cancelled."""
        server = await self._listen_at_last()
        own = self._path.stat()
        try:
            await server.serve_forever()
        finally:
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(own, self._path.stat()):
                    self._path.unlink()

    async def _listen_at_last(self) -> asyncio.Server:
        backoff = Backoff(1.0, 60.0)
        failures = 0
        while True:
            try:
                return await self._listen()
            except OSError as error:
                if failures == 0:
                    _log.warning("control_unavailable", path=str(self._path), detail=str(error))
                await asyncio.sleep(backoff.delay_s(failures))
                failures += 1

    async def _listen(self) -> asyncio.Server:
        """Listen in place of whatever a dead daemon left. Raises OSError beside a living one."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
            caller.setblocking(False)
            if caller.connect_ex(str(self._path)) in (0, errno.EAGAIN):
                raise OSError(errno.EADDRINUSE, "another sensed is running")
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(self._path))
            # Nobody can connect before listen(), so there is no moment with another mode.
            self._path.chmod(_MODE)
            return await asyncio.start_unix_server(self._serve, sock=listener, limit=LONGEST_LINE)
        except BaseException:
            listener.close()
            raise

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._callers += 1
        try:
            if self._callers <= _MOST_CALLERS:
                await self._converse(reader, writer)
        except (OSError, TimeoutError):
            return  # The caller has gone, or does not listen.
        finally:
            self._callers -= 1
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = await _asked(reader)
            stream = self._streams.get(command_of(asked))
            if stream is None:
                await _tell(writer, {"ok": True, **await self._answer(asked)})
                return
            async with contextlib.aclosing(stream(asked)) as messages:
                async for message in messages:
                    await _tell(writer, {"ok": True, **message})
        except SensedError as error:
            await _tell(writer, {"ok": False, "error": str(error)})

    async def _answer(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        handler = self._handlers.get(command_of(asked))
        if handler is None:
            raise WireError("this command is not known")
        async with asyncio.timeout(_COMMAND_S):
            return await handler(asked)


async def _asked(reader: asyncio.StreamReader) -> Mapping[str, Any]:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return decode(await reader.readuntil())
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise WireError("one line of JSON is expected") from None


async def _tell(writer: asyncio.StreamWriter, message: Mapping[str, Any]) -> None:
    writer.write(encode(message))
    async with asyncio.timeout(_PATIENCE_S):
        await writer.drain()


# -- the caller's end ----------------------------------------------------------------------


def request(
    path: Path, command: str, *, patience_s: float = _COMMAND_S + _PATIENCE_S, **arguments: Any
) -> dict[str, Any]:
    """Ask the daemon and return its answer.

    Raises NotRunningError, NotAllowedError, PortError when no answer comes for
    ``patience_s``, or SensedError if the daemon refuses.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(patience_s)
            sock.connect(str(path))
            sock.sendall(encode({"command": command, **arguments}))
            answer = decode(_line(sock))
    except (OSError, WireError) as error:
        raise _failure(path, error) from None
    return _granted(answer)


async def follow(path: Path, command: str) -> AsyncGenerator[dict[str, Any], None]:
    """Ask the daemon and yield its messages, until it hangs up. Raises as ``request`` does."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            reader, writer = await asyncio.open_unix_connection(path, limit=LONGEST_ANSWER)
            writer.write(encode({"command": command}))
        try:
            while True:
                async with asyncio.timeout(_PATIENCE_S):
                    line = await reader.readline()
                if not line:
                    return
                yield _granted(decode(line))
        finally:
            writer.close()
    except WireError as error:
        raise _failure(path, error) from None
    except SensedError:
        raise
    except (OSError, ValueError) as error:  # a line that is too long is a ValueError
        raise _failure(path, error) from None


def _granted(answer: dict[str, Any]) -> dict[str, Any]:
    if not answer.pop("ok", False):
        raise SensedError(str(answer.get("error", "the daemon refused")))
    return answer


def _failure(path: Path, error: Exception) -> PortError:
    match error:
        case PermissionError():
            return NotAllowedError(f"{path}: not allowed; use sudo or join the group sensed.")
        case FileNotFoundError() | ConnectionRefusedError():
            return NotRunningError("The daemon is not running: systemctl start sensed.")
        case _:
            return PortError(f"The daemon does not answer: {str(error) or 'it is silent'}.")


def _line(sock: socket.socket) -> bytes:
    octets = b""
    with contextlib.suppress(ConnectionResetError):
        while not octets.endswith(b"\n") and len(octets) < LONGEST_ANSWER:
            piece = sock.recv(4096)
            if not piece:
                break
            octets += piece
    return octets
