"""QEMU's machine protocol: the parts the bench needs.

Source: QEMU documentation, "QEMU Machine Protocol Specification".
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

_READ_DEADLINE_S = 60.0

Message = dict[str, Any]


class QmpError(Exception):
    """QEMU refused a command or hung up."""


class QmpReader:
    """Sans-IO: octets in, whole messages out, for any chunking."""

    def __init__(self) -> None:
        self._pending = b""

    def receive(self, data: bytes) -> list[Message]:
        """Return the messages that ``data`` completes."""
        *lines, self._pending = (self._pending + data).split(b"\n")
        return [json.loads(line) for line in lines if line.strip()]


def answer_of(message: Message) -> Callable[[], Any] | None:
    """Return how to take the answer out of a message, or None for a greeting or an event."""
    if "return" in message:
        return lambda: message["return"]
    if "error" in message:
        error = message["error"]

        def refuse() -> Any:
            raise QmpError(f"{error.get('class')}: {error.get('desc')}")

        return refuse
    return None


class Qmp:
    """A connection to one QEMU; commands may come from several threads."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_READ_DEADLINE_S)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._reader = QmpReader()
        self._lock = threading.Lock()
        self.execute("qmp_capabilities")

    def execute(self, command: str, **arguments: Any) -> Any:
        """Run a command and return its answer; QmpError when QEMU refuses it."""
        request = {"execute": command, "arguments": arguments}
        with self._lock:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            while True:
                data = self._socket.recv(65536)
                if not data:
                    raise QmpError(f"QEMU hung up before it answered {command}")
                for message in self._reader.receive(data):
                    take = answer_of(message)
                    if take is not None:
                        return take()

    def monitor(self, line: str) -> str:
        """Run a line of the human monitor."""
        text: str = self.execute("human-monitor-command", **{"command-line": line})
        return text

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
