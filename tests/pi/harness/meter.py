"""The meter's end of the serial adapter: the simulator's telegrams at the speed of the line."""

from __future__ import annotations

import contextlib
import fcntl
import math
import socket
import struct
import termios
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from harness.background import Background
from harness.qmp import Qmp, QmpError
from sensed.simulator import METERS, MeterSimulator
from sensed.simulator.play import play

_RELEASE_DEADLINE_S = 10.0
MODEL = "aidon-se"
"""A list every 10 s: silence is a failure after 30 s, however slow the machine is."""

_PAUSE_S = 1.0
"""No telegram pauses for so long in its middle, and any two do between them."""

_DEVICE = {"driver": "usb-serial", "id": "meter", "chardev": "meter", "always-plugged": True}

# QEMU 7.2 aborts when a device goes while its host controller has a transfer of it to repeat
# (hw/usb/hcd-dwc2.c); once the kernel has dropped the device there is none. And it fails when
# octets come for a device that is going (usb_wakeup in hw/usb/core.c asks its bus, which it has
# left): they end a moment before.
_LET_GO = (
    "cd /sys/bus/usb/devices; grep -lx 'QEMU USB SERIAL' */product"
    ' | while read -r product; do echo 1 >"${product%product}remove"; done'
)


class _Wire:
    """A sink for the player: a telegram that begins while nobody reads is lost whole.

    One that has begun is delivered, however slow the emulated adapter is on a busy machine.
    """

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._written_s = -math.inf
        self._lost = False

    async def write(self, data: bytes) -> None:
        now_s = time.monotonic()
        begins, self._written_s = now_s - self._written_s > _PAUSE_S, now_s
        if self._socket is None:
            self._lost = True
            return
        if begins:
            self._lost = _unread(self._socket) > 0
        if not self._lost:
            with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                self._socket.send(data)

    async def close(self) -> None:
        """The bench owns the socket."""

    async def connect(self, path: Path) -> None:
        """Lead to the adapter's socket from now on."""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._socket.setblocking(False)

    async def disconnect(self) -> None:
        """Lead nowhere."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Meter:
    """A meter whose HAN port hangs on the Pi's USB adapter."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._wire = _Wire()
        self._playing: Future[int] | None = None
        self._plugged = False
        self._path: Path | None = None
        self._qmp: Qmp | None = None
        self._run: Callable[[str], str] | None = None

    def wire_to(self, path: Path, qmp: Qmp, run: Callable[[str], str]) -> None:
        """Plug the adapter into another power-on of the Pi, where it was plugged in before.

        ``run`` runs a command on the Pi.
        """
        plugged = self._plugged
        self._hang_up()
        self._path, self._qmp, self._run = path, qmp, run
        if plugged:
            self.plug_in()

    def plug_in(self) -> None:
        """Plug the adapter into the Pi, unless it is."""
        assert self._path is not None
        assert self._qmp is not None
        if self._plugged:
            return
        self._add_device(self._qmp)
        self._background.call(self._wire.connect(self._path))
        self._plugged = True

    def unplug(self) -> None:
        """Pull the adapter out of the Pi, unless it is not in it."""
        assert self._qmp is not None
        assert self._run is not None
        if not self._plugged:
            return
        self._hang_up()
        self._run(_LET_GO)
        self._qmp.execute("device_del", id="meter")

    def sends(self, model: str = MODEL, *, seed: int = 1) -> None:
        """Let a meter of this model send, unless one does already."""
        if self._playing is not None:
            assert not self._playing.done(), f"the player has ended: {self._playing.exception()}"
            return
        meter = METERS[model]
        telegrams = MeterSimulator(meter, seed=seed).telegrams()
        self._playing = self._background.start(
            play(telegrams, self._wire, octets_per_s=meter.octets_per_s)
        )

    def is_silent(self) -> None:
        """Let nothing come from the meter, the adapter staying where it is."""
        if self._playing is not None:
            self._playing.cancel()
            self._playing = None

    @staticmethod
    def _add_device(qmp: Qmp) -> None:
        deadline_s = time.monotonic() + _RELEASE_DEADLINE_S
        while True:
            try:
                qmp.execute("device_add", **_DEVICE)
            except QmpError as error:
                # QEMU lets go of a device's socket a moment after the device is gone.
                if "in use" not in str(error) or time.monotonic() > deadline_s:
                    raise
                time.sleep(0.1)
            else:
                return

    def _hang_up(self) -> None:
        self._background.call(self._wire.disconnect())
        self._plugged = False


def _unread(connection: socket.socket) -> int:
    """Return how many octets QEMU has not yet taken, because nothing in the Pi reads them."""
    answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
    return int(struct.unpack("i", answer)[0])
