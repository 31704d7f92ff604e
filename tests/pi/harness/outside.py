"""A broker that outlives the Pi, and the long wire to it.

It runs on this machine. The Pi reaches it as a port of the house's: from there a socket of
the Pi's own shell leads here. When the Pi's power is cut, its end of the wire says nothing,
as no device without power can: the broker sees a connection that is merely quiet.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from harness.background import Background
from harness.house import ADDRESS, Listener
from harness.pi import Pi
from tests.mosquitto import Mosquitto, find

_END_IN_THE_PI = "/run/outside"
_CHUNK_OCTETS = 65536
_DOOR = f"""
import asyncio

async def pump(reader, writer):
    while data := await reader.read({_CHUNK_OCTETS}):
        writer.write(data)
        await writer.drain()
    writer.close()

async def lead_out(reader, writer):
    ways = await asyncio.open_unix_connection("{_END_IN_THE_PI}")
    await asyncio.gather(pump(reader, ways[1]), pump(ways[0], writer), return_exceptions=True)

async def main():
    server = await asyncio.start_server(lead_out, "{ADDRESS}", {{port}})
    await server.serve_forever()

asyncio.run(main())
"""


class OutsideBroker:
    """An MQTT broker on the other side of the Pi's wall."""

    host = ADDRESS
    port = 1884

    def __init__(self, pi: Pi, background: Background, folder: Path) -> None:
        self._pi = pi
        self._background = background
        self._path = folder / "outside"
        self._mosquitto = Mosquitto(folder)
        self._server: asyncio.Server | None = None
        self._powered = True
        self._ends: list[asyncio.StreamWriter] = []

    def start(self) -> None:
        """Start it and lay the wire from the house's port to it."""
        self._mosquitto.start()
        self._background.call(self._listen())
        self._pi.shell.bring_here(_END_IN_THE_PI, self._path)
        self._pi.write("/tmp/outside.py", _DOOR.format(port=self.port))
        self._pi.run(
            "systemd-run --quiet --unit outside --collect"
            " ip netns exec house python3 /tmp/outside.py"
        )
        self._pi.wait_until(f"ip netns exec house bash -c ': </dev/tcp/{ADDRESS}/{self.port}'")

    def stop(self) -> None:
        """End the broker and take the wire away."""
        self._background.call(self._close())
        self._mosquitto.kill()

    def sees_the_power_go(self) -> None:
        """Let whatever happens at the Pi's end from now on be silence here."""
        self._powered = False

    @contextlib.contextmanager
    def listener(self, topic: str) -> Iterator[Listener]:
        """Have somebody listen to a topic, to all but what is retained, once subscribed."""
        command = [find("mosquitto_sub"), "-d", "-p", str(self._mosquitto.port), "-R", "-t", topic]
        listener = Listener(subprocess.Popen(["stdbuf", "-oL", *command], stdout=subprocess.PIPE))
        try:
            listener.until("Subscribed")
            yield listener
        finally:
            listener.ends()

    async def _listen(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self._path)

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for end in self._ends:
            end.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection("127.0.0.1", self._mosquitto.port)
        self._ends += (ours, writer)
        await asyncio.gather(self._pump(reader, ours), self._pump(theirs, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(_CHUNK_OCTETS):
                writer.write(data)
                await writer.drain()
        if self._powered:
            writer.close()
