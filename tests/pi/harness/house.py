"""The house around the Pi: access point, addresses and broker, in a network of their own.

They run on the emulated machine, on its second simulated radio; the Pi reaches them
only through the air.
"""

from __future__ import annotations

import contextlib
import queue
import subprocess
import threading
import time
from collections.abc import Iterator

from harness.patience import PATIENCE_S
from harness.pi import Pi

ADDRESS = "192.168.77.1"
NETWORK = "Hjemme"
PASSWORD = "grautfat-i-kjelleren"
_IN_HOUSE = "ip netns exec house"
_ON_THE_AIR = "ip -n house link show wlan1 | grep -q LOWER_UP"


# Without --no-reload each of these reads every unit again, which takes the Pi many seconds.
def _switch_on(pi: Pi, units: str) -> None:
    start = "systemctl enable --no-reload --quiet --now $unit"
    pi.run(f"for unit in {units}; do systemctl is-active -q $unit || {start} || exit; done")


def _switch_off(pi: Pi, units: str) -> None:
    pi.run(f"systemctl disable --no-reload --quiet --now {units}")


class AccessPoint:
    """The house's Wi-Fi."""

    name = NETWORK
    password = PASSWORD

    def __init__(self, pi: Pi) -> None:
        self._pi = pi

    def on(self) -> None:
        """Switch it on; return when it is on the air."""
        # Addresses first: nobody gets on the air before there is all that a house gives.
        _switch_on(self._pi, "house-dhcp house-ap")
        self._pi.run(f"until {_ON_THE_AIR}; do sleep 0.1; done")

    def off(self) -> None:
        """Switch it off."""
        _switch_off(self._pi, "house-ap house-dhcp")

    def gives_no_addresses(self) -> None:
        """Stay on the air, but forget all leases and hand out none."""
        self._pi.run("systemctl stop house-dhcp; rm -f /run/house-leases")

    def has_password(self, password: str) -> None:
        """Throw every station out, and let in only who knows this password."""
        conf = "/etc/house/hostapd.conf"
        self._pi.run(f"sed -i 's/^wpa_passphrase=.*/wpa_passphrase={password}/' {conf}")
        self._pi.run("systemctl restart house-ap")

    def drops_everyone(self) -> None:
        """Throw every station out; they may come back at once."""
        self._pi.run("systemctl restart house-ap")


class Listener:
    """Somebody in the house who notes when which message of a topic came."""

    def __init__(self, lines: subprocess.Popen[bytes]) -> None:
        self._lines = lines
        self._heard: queue.Queue[tuple[float, str]] = queue.Queue()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def until(self, words: str, *, within_s: float = PATIENCE_S) -> tuple[float, str]:
        """Wait for a message with these words; return when it came (monotonic) and its payload."""
        deadline_s = time.monotonic() + within_s
        payload = "nothing at all"
        while (left_s := deadline_s - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                at_s, payload = self._heard.get(timeout=left_s)
                if words in payload:
                    return at_s, payload
        raise AssertionError(f"no message with {words} within {within_s:.0f} s; last: {payload}")

    def ends(self) -> None:
        """Stop listening."""
        self._lines.kill()
        self._thread.join()
        self._lines.communicate()

    def _listen(self) -> None:
        assert self._lines.stdout is not None
        for line in self._lines.stdout:
            self._heard.put((time.monotonic(), line.decode()))


class Broker:
    """The MQTT broker in the house."""

    host = ADDRESS
    port = 1883

    def __init__(self, pi: Pi) -> None:
        self._pi = pi

    def on(self) -> None:
        """Start it."""
        _switch_on(self._pi, "house-broker")

    def off(self) -> None:
        """Stop it."""
        _switch_off(self._pi, "house-broker")

    def hears(self, topic: str, *, within_s: float = PATIENCE_S) -> str:
        """Wait for the next message that is not retained on a topic and return its payload."""
        return self._subscribe("-R", topic, within_s)

    def keeps(self, topic: str, *, within_s: float = PATIENCE_S) -> str:
        """Return the retained payload of a topic."""
        return self._subscribe("--retained-only", topic, within_s)

    @contextlib.contextmanager
    def listener(self, topic: str) -> Iterator[Listener]:
        """Have somebody listen to a topic, to all but what is retained, once subscribed."""
        command = f"{_IN_HOUSE} mosquitto_sub -d -h {self.host} -R -t '{topic}'"
        listener = Listener(self._pi.shell.start(f"stdbuf -oL {command}"))
        try:
            listener.until("Subscribed")
            yield listener
        finally:
            listener.ends()

    def _subscribe(self, option: str, topic: str, within_s: float) -> str:
        command = f"mosquitto_sub -h {self.host} -C 1 -W {within_s:.0f} {option} -t '{topic}'"
        return self._pi.run(f"{_IN_HOUSE} {command}", within_s=within_s + PATIENCE_S)
