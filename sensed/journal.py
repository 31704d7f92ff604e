"""Events in systemd's journal, with every fact in a field of its own.

Source: systemd.io, "Native Journal Protocol"; systemd.journal-fields(7).
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import re
import socket
import struct
from collections.abc import Mapping
from typing import Final, TextIO

from structlog.typing import EventDict, WrappedLogger

from sensed.events import EVENTS, escaped, sentence, traces

SOCKET_PATH: Final = "/run/systemd/journal/socket"

PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""Level to syslog(3) priority."""

_LONGEST_NAME: Final = 64
_OWN_KEYS: Final = frozenset({"event", "level", "exception", "stacks"})
_CONGESTED: Final = frozenset({errno.EAGAIN, errno.ENOBUFS})
_ALL_SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def is_journal(stream: TextIO) -> bool:
    """Whether ``stream`` is the one that systemd connected to the journal."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    # systemd.exec(5): device and inode, so that a redirected stream is told from the original.
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def journal_fields(_logger: WrappedLogger | None, _method: str, event: EventDict) -> EventDict:
    """Turn an event into journal fields (the last processor of the chain)."""
    name = str(event["event"])
    fields = {
        "MESSAGE": "\n".join([sentence(name, event), *traces(event)]),
        "PRIORITY": str(PRIORITIES[str(event.get("level", "info"))]),
        "SYSLOG_IDENTIFIER": "sensed",
        "SENSED_EVENT": escaped(name),
    }
    if name in EVENTS:
        fields["MESSAGE_ID"] = EVENTS[name].message_id
    for key, value in event.items():
        if key not in _OWN_KEYS and value is not None:
            fields[_field_name(key)] = escaped(value)
    return {"fields": fields}


def encode(fields: Mapping[str, str]) -> bytes:
    """Return one entry in the wire format."""
    entry = bytearray()
    for name, value in fields.items():
        data = value.encode("utf-8", "backslashreplace")
        if b"\n" in data:
            entry += name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
        else:
            entry += name.encode() + b"=" + data + b"\n"
    return bytes(entry)


class JournalLogger:
    """What structlog hands the fields to.

    Never waits: an entry that a congested journal does not take is dropped, and the next
    one tells how many were (``SENSED_LOST``). Without a journal socket, entries go to
    ``stream`` with the priority prefix of sd-daemon(3).
    """

    def __init__(self, stream: TextIO, path: str | None = None) -> None:
        """Send to the socket at ``path`` (the journal's), or else to ``stream``."""
        self._stream = stream
        self._path = path or SOCKET_PATH
        self._lost = 0

    def msg(self, fields: Mapping[str, str]) -> None:
        """Write one entry."""
        if self._lost:
            fields = {**fields, "SENSED_LOST": str(self._lost)}
        try:
            self._send(encode(fields))
        except OSError as error:
            if error.errno in _CONGESTED:
                self._lost += 1
            else:
                self._fall_back(fields)
        else:
            self._lost = 0

    debug = info = warning = error = critical = exception = msg

    def _send(self, entry: bytes) -> None:
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        with socket.socket(socket.AF_UNIX, kind) as sock:
            try:
                sock.sendto(entry, self._path)
            except OSError as error:
                if error.errno != errno.EMSGSIZE:
                    raise
                self._send_sealed(sock, entry)

    def _send_sealed(self, sock: socket.socket, entry: bytes) -> None:
        """Pass an entry larger than a datagram as a sealed memory file."""
        file = os.memfd_create("sensed-journal", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with os.fdopen(file, "wb", closefd=False) as memory:
                memory.write(entry)
            fcntl.fcntl(file, fcntl.F_ADD_SEALS, _ALL_SEALS)
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file]))
            sock.sendmsg([], [rights], 0, self._path)
        finally:
            os.close(file)

    def _fall_back(self, fields: Mapping[str, str]) -> None:
        priority = fields["PRIORITY"]
        lines = fields["MESSAGE"].splitlines()
        print("\n".join(f"<{priority}>{line}" for line in lines), file=self._stream, flush=True)


def _field_name(key: str) -> str:
    return ("SENSED_" + re.sub(r"[^A-Z0-9_]", "_", key.upper()))[:_LONGEST_NAME]
