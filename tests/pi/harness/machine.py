"""QEMU as a Raspberry Pi 3: started, watched and always ended by the one who started it."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from harness.gdb import Gdb
from harness.qmp import Qmp

BOOT_DEADLINE_S = 1800.0
_START_DEADLINE_S = 30.0
_UP, _READY = b"bench: up", b"bench: ready"
_NO_USB = b"dwc2 3f980000.usb: Not connected"
_FREEZE_DEADLINE_S = 120.0
_KERNEL_LINE = (
    "console=ttyS1,115200 root=/dev/mmcblk0 rw net.ifnames=0 quiet "
    "systemd.show_status=no systemd.gpt_auto=no fsck.mode=skip"
)


_PENDING_COMMAND = "xp /4wx 0x40000060"
"""The cores' interrupts; source: BCM2836 ARM-local peripherals, section 4.10."""

_SERVER = "server=on,wait=off"
_CARD_LINES = ((0x3F200010, 0x3F << 24), (0x3F200014, 0xFFF))
"""Where the functions of lines 48 to 53 are: GPFSEL4 and GPFSEL5.

Source: BCM2835 ARM Peripherals, section 6.1.
"""

_WIRE = {"driver": "usb-net", "id": "wire", "netdev": "wire"}


@dataclass(frozen=True, slots=True)
class Image:
    """What tests/pi/image/build leaves; ``frozen`` is a folder with a Pi that has started."""

    folder: Path
    frozen: Path

    def make_card(self, card: Path, *, frozen: bool = True) -> None:
        """Make a card of one's own, as it is once the Pi has started, or as it was before.

        It is raw: what the Pi has written is on it even when QEMU is killed, whereas an
        emulated SD card never asks for the flush without which a qcow2 file forgets.
        """
        source = (self.frozen if frozen else self.folder) / "card.qcow2"
        _convert("qcow2", source, "raw", card)

    def freeze(self) -> None:
        """Start a Pi without any cable, and keep it as it is when it has started.

        QEMU can't keep USB devices, so that the wire is plugged in only after the thaw.
        """
        with tempfile.TemporaryDirectory(prefix="sensed-pi.") as name:
            card = Path(name) / "card.raw"
            self.make_card(card, frozen=False)
            machine = Machine(self, card, Path(name), wired=False)
            try:
                machine.wait_until_up()
                machine.freeze(self.frozen / "state")
            finally:
                machine.cut_power()
            _convert("raw", card, "qcow2", self.frozen / "card.qcow2")


def _convert(kind: str, source: Path, wanted: str, target: Path) -> None:
    command = ["qemu-img", "convert", "-f", kind, "-O", wanted, str(source), str(target)]
    subprocess.run(command, check=True)


class WireLostError(Exception):
    """QEMU's USB host has lost its devices while the Pi started, and does not find them again."""


class Machine:
    """One power-on of the Pi, or a thaw; ``wired`` when the tester's wire is plugged in."""

    def __init__(
        self, image: Image, card: Path, folder: Path, *, thaws: bool = False, wired: bool = True
    ) -> None:
        self.folder = folder
        self._console = folder / "console.log"
        self._console_start = self._console.stat().st_size if self._console.exists() else 0
        for name in ("qmp", "hci", "meter"):
            (folder / name).unlink(missing_ok=True)
        with (folder / "qemu.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(image, card, thaws=thaws, wired=wired),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self.qmp = self._open_qmp()
            if thaws:
                self._wake()
        except BaseException:
            self.cut_power()
            raise

    @property
    def hci_path(self) -> Path:
        """Socket behind the Pi's first UART, where its Bluetooth controller is."""
        return self.folder / "hci"

    @property
    def meter_path(self) -> Path:
        """Socket behind the USB serial adapter."""
        return self.folder / "meter"

    def ssh_port(self) -> int:
        """Return the port on 127.0.0.1 that leads to the Pi's shell; QEMU chose it."""
        table = self.qmp.monitor("info usernet")
        found = re.search(r"HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s", table)
        assert found is not None, table
        return int(found[1])

    def wait_until_ready(self, *, within_s: float = BOOT_DEADLINE_S) -> None:
        """Wait until the Pi's shell answers; WireLostError when it never will."""
        self._wait_until_said(_READY, within_s)

    def wait_until_up(self) -> None:
        """Wait until the Pi has started everything."""
        self._wait_until_said(_UP, BOOT_DEADLINE_S)

    def freeze(self, state: Path) -> None:
        """Stop for good, and keep what is in the Pi's memory and registers in a file."""
        state.parent.mkdir(parents=True, exist_ok=True)
        self._stop_at_rest()
        self.qmp.execute("migrate", uri=f"exec:cat >{shlex.quote(str(state))}")
        self._wait_for("paused", "postmigrate")

    def _stop_at_rest(self) -> None:
        """Stop when no core has an interrupt to take: QEMU 7.2 keeps none of those."""
        deadline_s = time.monotonic() + _FREEZE_DEADLINE_S
        while True:
            self.qmp.execute("stop")
            pending = self.qmp.monitor(_PENDING_COMMAND).partition(":")[2].split()
            if [int(word, 16) for word in pending] == [0, 0, 0, 0]:
                return
            assert time.monotonic() < deadline_s, f"never at rest: {pending}"
            self.qmp.execute("cont")
            time.sleep(0.1)

    def _wake(self) -> None:
        """Let a machine that is thawed go on."""
        self._wait_for("inmigrate", "paused")
        stub = self.folder / "gdb"
        stub.unlink(missing_ok=True)
        self.qmp.monitor(f"gdbserver unix:{stub},{_SERVER}")
        with Gdb(stub) as gdb:
            # QEMU 7.2 forgets which of the SoC's two controllers has the card, until the
            # functions of the card's lines change (hw/gpio/bcm2835_gpio.c).
            before = [gdb.read(register) for register, _ in _CARD_LINES]
            for value, (register, lines) in zip(before, _CARD_LINES, strict=True):
                gdb.write(register, value & ~lines)
            for value, (register, _) in zip(before, _CARD_LINES, strict=True):
                gdb.write(register, value)
        self.qmp.monitor("gdbserver none")
        self.qmp.execute("device_add", **_WIRE)

    def _wait_for(self, before: str, wanted: str) -> None:
        deadline_s = time.monotonic() + _FREEZE_DEADLINE_S
        while (status := self.qmp.execute("query-status")["status"]) != wanted:
            assert status in (before, "finish-migrate"), f"QEMU is {status}: see qemu.log"
            assert time.monotonic() < deadline_s, f"QEMU is still {status}"
            time.sleep(0.1)

    def _wait_until_said(self, words: bytes, within_s: float) -> None:
        deadline_s = time.monotonic() + within_s
        while words not in self._said():
            assert self._process.poll() is None, "QEMU ended by itself: see qemu.log"
            if _NO_USB in self._said():
                raise WireLostError
            assert time.monotonic() < deadline_s, (
                f"not {words.decode()} after {within_s:.0f} s: see console.log"
            )
            time.sleep(0.5)

    @property
    def is_running(self) -> bool:
        """Whether QEMU has not ended."""
        return self._process.poll() is None

    def wait_until_off(self, *, within_s: float) -> None:
        """Wait until the Pi has shut down or asked for a reset."""
        self._process.wait(within_s)
        self.qmp.close()

    def cut_power(self) -> None:
        """Take the power away, whatever the Pi is doing."""
        self._process.kill()
        self._process.wait()
        if hasattr(self, "qmp"):
            self.qmp.close()

    def _said(self) -> bytes:
        with self._console.open("rb") as console:
            console.seek(self._console_start)
            return console.read()

    def _open_qmp(self) -> Qmp:
        deadline_s = time.monotonic() + _START_DEADLINE_S
        while True:
            assert self._process.poll() is None, "QEMU did not start: see qemu.log"
            try:
                return Qmp(self.folder / "qmp")
            except (FileNotFoundError, ConnectionRefusedError):
                assert time.monotonic() < deadline_s, "QEMU does not open its monitor"
                time.sleep(0.1)

    def _command(self, image: Image, card: Path, *, thaws: bool, wired: bool) -> list[str]:
        qemu = shutil.which("qemu-system-aarch64")
        assert qemu is not None, "qemu-system-aarch64 is not installed: run scripts/test-pi"
        options = []
        if thaws:
            state = shlex.quote(str(image.frozen / "state"))
            options = ["-incoming", f"exec:cat {state}"]
        elif wired:
            options = ["-device", ",".join(f"{key}={value}" for key, value in _WIRE.items())]
        return [
            *("setpriv", "--pdeathsig", "KILL"),
            *(qemu, "-M", "raspi3b", "-display", "none", "-no-reboot"),
            *("-accel", "tcg,thread=multi"),
            *("-kernel", str(image.folder / "vmlinuz"), "-initrd", str(image.folder / "initrd")),
            *("-dtb", str(image.folder / "pi.dtb"), "-append", _KERNEL_LINE),
            *("-drive", f"if=sd,format=raw,file={card}"),
            *("-qmp", f"unix:{self.folder / 'qmp'},{_SERVER}"),
            *("-chardev", f"socket,id=hci,path={self.folder / 'hci'},{_SERVER}"),
            *("-serial", "chardev:hci"),
            *("-chardev", f"file,id=console,path={self._console},append=on"),
            *("-serial", "chardev:console"),
            *("-chardev", f"socket,id=meter,path={self.folder / 'meter'},{_SERVER}"),
            *("-netdev", "user,id=wire,restrict=on,hostfwd=tcp:127.0.0.1:0-10.0.2.15:22"),
            *options,
        ]


if __name__ == "__main__":
    Image(Path(sys.argv[1]), Path(sys.argv[2])).freeze()
