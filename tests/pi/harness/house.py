"""The house around the Pi: access point, addresses and broker, in a network of their own.

They run on the emulated machine, on its second simulated radio; the Pi reaches them
only through the air.
"""

from __future__ import annotations

from harness.pi import Pi

ADDRESS = "192.168.77.1"
NETWORK = "Hjemme"
PASSWORD = "grautfat-i-kjelleren"
_IN_HOUSE = "ip netns exec house"


class AccessPoint:
    """The house's Wi-Fi."""

    name = NETWORK
    password = PASSWORD

    def __init__(self, pi: Pi) -> None:
        self._pi = pi

    def on(self) -> None:
        """Switch it on."""
        self._pi.run("systemctl enable --quiet --now house-ap house-dhcp")

    def off(self) -> None:
        """Switch it off."""
        self._pi.run("systemctl disable --quiet --now house-ap house-dhcp")

    def gives_no_addresses(self) -> None:
        """Stay on the air, but forget all leases and hand out none."""
        self._pi.run("systemctl stop house-dhcp; rm -f /run/house-leases")

    def drops_everyone(self) -> None:
        """Throw every station out; they may come back at once."""
        self._pi.run("systemctl restart house-ap")


class Broker:
    """The MQTT broker in the house."""

    host = ADDRESS
    port = 1883

    def __init__(self, pi: Pi) -> None:
        self._pi = pi

    def on(self) -> None:
        """Start it."""
        self._pi.run("systemctl enable --quiet --now house-broker")

    def off(self) -> None:
        """Stop it."""
        self._pi.run("systemctl disable --quiet --now house-broker")

    def hears(self, topic: str, *, within_s: int = 60) -> str:
        """Wait for the next message that is not retained on a topic and return its payload."""
        return self._subscribe("-R", topic, within_s)

    def keeps(self, topic: str, *, within_s: int = 30) -> str:
        """Return the retained payload of a topic."""
        return self._subscribe("--retained-only", topic, within_s)

    def _subscribe(self, option: str, topic: str, within_s: int) -> str:
        return self._pi.run(
            f"{_IN_HOUSE} mosquitto_sub -h {self.host} -C 1 -W {within_s} {option} -t '{topic}'",
            within_s=within_s + 60,
        )
