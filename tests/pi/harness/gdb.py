"""QEMU's debugger stub: the one way to write a register of the SoC from outside.

Source: GDB manual, "The GDB Remote Serial Protocol"; QEMU documentation, "GDB usage",
for the packet that makes addresses physical.
"""

from __future__ import annotations

import socket
from pathlib import Path
from types import TracebackType
from typing import Self

_DEADLINE_S = 30.0


class Gdb:
    """A connection to the stub; the machine stands still while it lasts, and runs after it."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_DEADLINE_S)
        self._socket.connect(str(path))
        self._heard = b""
        assert self._ask("Qqemu.PhyMemMode:1") == "OK"

    def read(self, address: int) -> int:
        """Return a register of 32 bits."""
        return int.from_bytes(bytes.fromhex(self._ask(f"m{address:x},4")), "little")

    def write(self, address: int, value: int) -> None:
        """Write a register of 32 bits."""
        octets = value.to_bytes(4, "little").hex()
        assert self._ask(f"M{address:x},4:{octets}") == "OK"

    def _ask(self, packet: str) -> str:
        check = sum(packet.encode()) & 0xFF
        self._socket.sendall(f"${packet}#{check:02x}".encode())
        while True:
            head, hash_, tail = self._heard.partition(b"#")
            if hash_ and len(tail) >= 2:
                self._heard = tail[2:]
                self._socket.sendall(b"+")
                return head.rpartition(b"$")[2].decode()
            data = self._socket.recv(4096)
            assert data, "QEMU hung up"
            self._heard += data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._ask("D")
        self._socket.close()
