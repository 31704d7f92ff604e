"""QEMU as a Raspberry Pi 3: started, watched and always ended by the one who started it."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from harness.qmp import Qmp

BOOT_DEADLINE_S = 1800.0
_START_DEADLINE_S = 30.0
_READY = b"bench: ready"
_KERNEL_LINE = (
    "console=ttyS1,115200 root=/dev/mmcblk0 rw net.ifnames=0 quiet "
    "systemd.show_status=no systemd.gpt_auto=no fsck.mode=skip"
)


@dataclass(frozen=True, slots=True)
class Image:
    """What tests/pi/image/build leaves."""

    folder: Path

    def make_card(self, card: Path) -> None:
        """Make a card of one's own from the image's.

        It is raw: what the Pi has written is on it even when QEMU is killed, whereas an
        emulated SD card never asks for the flush without which a qcow2 file forgets.
        """
        source = str(self.folder / "card.qcow2")
        command = ["qemu-img", "convert", "-f", "qcow2", "-O", "raw", source, str(card)]
        subprocess.run(command, check=True)


class Machine:
    """One power-on of the Pi."""

    def __init__(self, image: Image, card: Path, folder: Path) -> None:
        self.folder = folder
        self._console = folder / "console.log"
        self._console_start = self._console.stat().st_size if self._console.exists() else 0
        for name in ("qmp", "hci", "meter"):
            (folder / name).unlink(missing_ok=True)
        with (folder / "qemu.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(image, card), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            self.qmp = self._open_qmp()
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
        """Wait until the Pi's shell answers."""
        deadline_s = time.monotonic() + within_s
        while _READY not in self._said():
            assert self._process.poll() is None, "QEMU ended by itself: see qemu.log"
            assert time.monotonic() < deadline_s, (
                f"no shell after {within_s:.0f} s: see console.log"
            )
            time.sleep(0.5)

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

    def _command(self, image: Image, card: Path) -> list[str]:
        qemu = shutil.which("qemu-system-aarch64")
        assert qemu is not None, "qemu-system-aarch64 is not installed: run scripts/test-pi"
        socket = "server=on,wait=off"
        return [
            *("setpriv", "--pdeathsig", "KILL"),
            *(qemu, "-M", "raspi3b", "-display", "none", "-no-reboot"),
            *("-accel", "tcg,thread=multi"),
            *("-kernel", str(image.folder / "vmlinuz"), "-initrd", str(image.folder / "initrd")),
            *("-dtb", str(image.folder / "pi.dtb"), "-append", _KERNEL_LINE),
            *("-drive", f"if=sd,format=raw,file={card}"),
            *("-qmp", f"unix:{self.folder / 'qmp'},{socket}"),
            *("-chardev", f"socket,id=hci,path={self.folder / 'hci'},{socket}"),
            *("-serial", "chardev:hci"),
            *("-chardev", f"file,id=console,path={self._console},append=on"),
            *("-serial", "chardev:console"),
            *("-chardev", f"socket,id=meter,path={self.folder / 'meter'},{socket}"),
            *("-netdev", "user,id=wire,restrict=on,hostfwd=tcp:127.0.0.1:0-10.0.2.15:22"),
            *("-device", "usb-net,netdev=wire"),
        ]
