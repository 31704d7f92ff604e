"""The page on a static host, which notes what it is asked for and can be taken down."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import mimetypes
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[2] / "docs" / "setup"
_WHERE: Final = "/setup/"
_LONGEST_HEAD: Final = 16384


class Site:
    """``url`` is the page's address; ``newer`` has files of a later version."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.newer: dict[str, str] = {}
        self.url = ""
        self._server: asyncio.Server | None = None

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator[Site]:
        """Serve on a loopback port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}{_WHERE}"
        try:
            yield self
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Be gone, as without a network."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            async with asyncio.timeout(10):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head[:_LONGEST_HEAD].decode("latin-1")))
                await writer.drain()
        writer.close()

    def _answer(self, head: str) -> bytes:
        path = head.split(" ", 2)[1]
        self.requests.append(path)
        name = path.partition("?")[0].removeprefix(_WHERE) or "index.html"
        file = (FOLDER / name).resolve()
        if not path.startswith(_WHERE) or FOLDER not in file.parents or not file.is_file():
            return b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        body = self.newer[name].encode() if name in self.newer else file.read_bytes()
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        about = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close"
        return f"HTTP/1.1 200 OK\r\n{about}\r\n\r\n".encode() + body


def kept_files() -> list[str]:
    """Return what the page's worker keeps for when there is no network."""
    worker = (FOLDER / "worker.js").read_text()
    return re.findall(r'^  "([^"]+)",$', worker, re.MULTILINE)


def digest() -> str:
    """Return what stands for the contents of these files."""
    found = hashlib.sha256()
    for name in kept_files():
        content = (FOLDER / (name.removeprefix("./") or "index.html")).read_bytes()
        found.update(f"{name}\0{len(content)}\0".encode() + content)
    return found.hexdigest()[:16]
