"""The Raspberry Pi itself: power, shell, journal and the product on it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.light import Light
from harness.machine import Image, Machine, WireLostError
from harness.patience import PATIENCE_S
from harness.shell import Outcome, Shell

if TYPE_CHECKING:
    from harness.house import AccessPoint

_STARTS = 3
"""QEMU loses its USB in one of some twenty starts."""


class Pi:
    """One Pi with its SD card, through any number of power-ons."""

    def __init__(self, image: Image, folder: Path) -> None:
        self._image = image
        self._folder = folder
        self._card = folder / "card.raw"
        self._wires: list[Callable[[Machine], None]] = []
        self._machine: Machine | None = None
        self._shell: Shell | None = None
        image.make_card(self._card)
        self._has_started = False
        self.light = Light(self._monitor)

    @property
    def machine(self) -> Machine:
        """The power-on that is under way."""
        assert self._machine is not None, "the Pi is off"
        return self._machine

    @property
    def shell(self) -> Shell:
        """The connection to the running Pi."""
        assert self._shell is not None, "the Pi is off"
        return self._shell

    @property
    def is_on(self) -> bool:
        """True between power on and power off; QEMU's own end is one, too."""
        return self._machine is not None and self._machine.is_running

    def at_power_on(self, wire: Callable[[Machine], None]) -> None:
        """Have something wired to the Pi each time it gets power, before it starts."""
        self._wires.append(wire)

    def power_on(self) -> None:
        """Give the Pi power and wait until it has started.

        The first time it goes on from where the image's frozen Pi has stopped, which is right
        after a start.
        """
        assert not self.is_on, "the Pi is on"
        self.cut_power()
        thaws, self._has_started = not self._has_started, True
        for left in reversed(range(_STARTS)):
            self._machine = Machine(self._image, self._card, self._folder, thaws=thaws)
            for wire in self._wires:
                wire(self._machine)
            try:
                self._machine.wait_until_ready()
                break
            except WireLostError:
                self.cut_power()
                # What was frozen no longer fits the card that it has written on.
                thaws = False
                if not left:
                    raise
        self._shell = Shell(self._machine.ssh_port(), self._image.folder / "key", self._folder)
        if thaws:
            # The Bluetooth controller that was there before the frost is another one.
            self.run("systemctl restart bench-bluetooth")

    def cut_power(self) -> None:
        """Take the power away in the middle of whatever the Pi does."""
        if self._shell is not None:
            self._shell.close()
        if self._machine is not None:
            self._machine.cut_power()
        self._shell = self._machine = None

    def reboot(self) -> None:
        """Shut down in order and start again."""
        self.run("systemctl --no-block reboot")
        self.machine.wait_until_off(within_s=PATIENCE_S)
        self.power_on()

    def run(self, command: str, *, stdin: bytes = b"", within_s: float = PATIENCE_S) -> str:
        """Run a command as root and return what it printed."""
        return self.shell.run(command, stdin=stdin, within_s=within_s)

    def try_run(self, command: str, *, within_s: float = PATIENCE_S) -> Outcome:
        """Run a command as root and return how it ended."""
        return self.shell.try_run(command, within_s=within_s)

    def write(self, path: str, content: str | bytes, *, mode: str = "644") -> None:
        """Write a file on the Pi."""
        data = content.encode() if isinstance(content, str) else content
        self.run(f"install -D -m {mode} /dev/stdin {path}", stdin=data)

    def wait_until(
        self, command: str, *, within_s: float = PATIENCE_S, every_s: float = 1.0
    ) -> str:
        """Run a command again and again until its status is 0; return what it printed."""
        deadline_s = time.monotonic() + within_s
        while True:
            outcome = self.try_run(command)
            if outcome.status == 0:
                return outcome.output
            assert time.monotonic() < deadline_s, (
                f"not so within {within_s:.0f} s: {command}\n{outcome.output}{outcome.errors}"
            )
            time.sleep(every_s)

    def joins(self, access_point: AccessPoint, *, within_s: float = PATIENCE_S) -> None:
        """Have NetworkManager know and join a Wi-Fi network, as a person would with nmcli."""
        name, password = access_point.name, access_point.password
        if not self.knows(access_point):
            self.run(
                f"nmcli connection add type wifi ifname wlan0 con-name '{name}' ssid '{name}'"
                f" wifi-sec.key-mgmt wpa-psk wifi-sec.psk '{password}'"
            )
        self.wait_until(f"nmcli -w 90 connection up '{name}'", within_s=within_s)

    def knows(self, access_point: AccessPoint) -> bool:
        """Return whether a Wi-Fi profile for that network is saved."""
        return access_point.name in self.run("nmcli -t -f NAME connection show").splitlines()

    def forgets_networks(self) -> None:
        """Delete every Wi-Fi profile."""
        self.run(
            "nmcli -t -f UUID,TYPE connection show | sed -n 's/:802-11-wireless$//p'"
            " | xargs -r nmcli connection delete"
        )

    def journal_position(self) -> str:
        """Return where the journal ends now, for :meth:`waits_for_words`."""
        shown = self.run("journalctl --no-pager -n 1 -o cat --show-cursor")
        return shown.rpartition("-- cursor: ")[2].strip()

    def waits_for_words(self, words: str, *, after: str) -> None:
        """Wait until the product has written words to the journal after a position of it."""
        self.wait_until(
            f"journalctl --no-pager -o cat -u sensed --after-cursor '{after}' | grep -qF '{words}'"
        )

    def clock(self) -> datetime:
        """Return the time of the Pi's clock."""
        return datetime.fromtimestamp(int(self.run("date +%s")), UTC)

    def set_clock(self, now: datetime) -> None:
        """Set the Pi's clock, as a time server would."""
        self.run(f"date -s @{int(now.timestamp())}")

    def property_of(self, unit: str, name: str) -> str:
        """Return a property of a systemd unit."""
        return self.run(f"systemctl show --value -p {name} {unit}").strip()

    def _monitor(self, line: str) -> str:
        return self.machine.qmp.monitor(line)

    def last_lines(self, count: int = 150) -> str:
        """Return the end of the whole journal, for the report of a failure."""
        outcome = self.try_run(f"journalctl --no-pager -o short-monotonic -b -n {count}")
        return outcome.output or outcome.errors

    def keep_evidence(self, folder: Path) -> None:
        """Copy the journal of all power-ons, the console's and QEMU's words into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        if self._shell is not None:
            journal = self.try_run("journalctl --no-pager -o short-iso-precise").output
            (folder / "journal.log").write_text(journal)
        for log in self._folder.glob("*.log"):
            shutil.copy(log, folder)
