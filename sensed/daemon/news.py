"""What the parts tell, written down as facts and as lines of the journal."""

from __future__ import annotations

import ipaddress

import structlog

from sensed.daemon.facts import FactBoard
from sensed.errors import LightError
from sensed.provisioning import NetworkFacts, SetupFacts
from sensed.uplink import LinkFact

_log = structlog.get_logger(__name__)


class News:
    """Translates news of the parts into facts on ``board``.

    NetworkManager, where there is one, is asked for the addresses and for whether there is
    any network to be on; without it the kernel's own addresses serve. A broker that
    acknowledges proves both, whoever manages the link. The kernel says at once that no
    address is left, whereas a broken link is noticed only later: then nothing is proven any
    more, but by a broker on this very machine.
    """

    def __init__(self, board: FactBoard) -> None:
        self._board = board
        self._broker = ""
        self._kernel: tuple[str, ...] | None = None
        self._network = NetworkFacts()
        self._told: tuple[str, ...] | None = None
        self._linked = False
        self._last_join = ""

    def broker_set(self, host: str | None) -> None:
        """Note which broker is configured, if any; nothing is known of its link yet."""
        self._broker = host or ""
        self._linked = False
        self._board.set("cloud", holds=None)
        self._tell_configured()

    def kernel_addresses(self, addresses: tuple[str, ...]) -> None:
        """Note the usable addresses that the kernel has."""
        self._kernel = addresses
        self._tell_configured()
        self._tell_address()

    def network(self, facts: NetworkFacts) -> None:
        """Note what NetworkManager says."""
        self._network = facts
        cause, detail = facts.trouble
        self._board.set("network_manager", holds=not cause, cause=cause, detail=detail)
        self._tell_configured()
        self._tell_address()

    def link(self, fact: LinkFact) -> None:
        """Note how the connection to the broker is."""
        if fact.holds:
            _log.info("broker_connected")
        elif fact.cause is not None:
            _log.warning("broker_lost", cause=fact.cause.value, detail=fact.detail)
        cause = fact.cause.value if fact.cause else ""
        self._linked = bool(fact.holds)
        self._board.set("cloud", holds=fact.holds, cause=cause, detail=fact.detail)
        self._tell_configured()
        self._tell_address()

    def setup(self, facts: SetupFacts) -> None:
        """Note whether Bluetooth can be used for set-up, and how the last join ended."""
        join = facts.join
        self._last_join = join.detail if join is not None and join.cause is not None else ""
        self._tell_configured()
        self._board.set(
            "bluetooth", holds=not facts.trouble, cause=facts.trouble, detail=facts.detail
        )

    def light_health(self, error: LightError | None) -> None:
        """Note that the light's lines are taken, or why there is no light."""
        if error is None:
            self._board.set("light", holds=True)
            return
        _log.warning("light_unavailable", detail=str(error))
        self._board.set("light", holds=False, cause="light_unavailable", detail=str(error))

    @property
    def _proven(self) -> bool:
        return self._linked and (self._kernel != () or _is_here(self._broker))

    def _tell_configured(self) -> None:
        if not self._broker:
            cause, detail = "no_broker", "No broker is configured: set mqtt.host."
        elif self._network.needs_wifi and not self._proven:
            cause, detail = "no_network", "No Wi-Fi network is saved and no cable is connected."
            if self._last_join:
                detail += f" The last try: {self._last_join}"
        else:
            cause, detail = "", ""
        self._board.set("configured", holds=not cause, cause=cause, detail=detail)

    def _tell_address(self) -> None:
        addresses = self._network.addresses if self._network.available else self._kernel
        if addresses is None:
            return
        if self._kernel == ():
            addresses = ()
        if addresses != self._told:
            self._told = addresses
            _log.info("addresses_changed", addresses=", ".join(addresses) or "none")
        cause, detail = "", ""
        if not addresses and not self._proven:
            cause, detail = self._network.no_address
        self._board.set("address", holds=not cause, cause=cause, detail=detail)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
