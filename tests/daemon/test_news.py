from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations

import pytest

from sensed.daemon.facts import FactBoard
from sensed.daemon.news import News
from sensed.errors import LightError
from sensed.provisioning import Cause as WifiCause
from sensed.provisioning import JoinOutcome, NetworkFacts, SetupFacts
from sensed.provisioning.network_watch import ActiveLink
from sensed.status import Indicator, indicator
from sensed.uplink import LinkFact
from sensed.uplink.link import Cause


@pytest.fixture
def board() -> FactBoard:
    return FactBoard(lambda: 0.0)


@pytest.fixture
def news(board: FactBoard) -> News:
    return News(board)


def test_the_light_is_unknown_until_its_lines_are_taken_or_refused(
    board: FactBoard, news: News
) -> None:
    told = [board.facts.light]
    for error in (LightError("no GPIO here"), None):
        news.light_health(error)
        told.append(board.facts.light)

    assert [fact.holds for fact in told] == [None, False, True]
    assert [fact.detail for fact in told] == ["", "no GPIO here", ""]


def shown(board: FactBoard) -> Indicator:
    board.set("meter", holds=True)
    return indicator(board.facts)


WIFI = ActiveLink("wlan0", "wifi", ("192.168.77.5",))
ON_WIFI = NetworkFacts(
    available=True, wifi_profiles=1, active_links=(WIFI,), addresses=WIFI.addresses
)
PROFILE_ONLY = NetworkFacts(available=True, wifi_profiles=1)
NO_NETWORK = NetworkFacts(available=True)
LINKED = LinkFact(holds=True, cause=None, detail="", since_monotonic_s=0.0)
LINK_LOST = LinkFact(
    holds=False, cause=Cause.LOST, detail="The connection was lost.", since_monotonic_s=0.0
)


@pytest.fixture
def well(board: FactBoard, news: News) -> None:
    news.broker_set("192.168.77.1")
    news.kernel_addresses(WIFI.addresses)
    news.network(ON_WIFI)
    news.link(LINKED)
    assert shown(board) is Indicator.ACTIVE


@pytest.mark.usefixtures("well")
@pytest.mark.parametrize("order", list(permutations(("kernel", "network", "link"))))
def test_a_forgotten_network_is_not_configured_in_whatever_order_it_is_told(
    board: FactBoard, news: News, order: tuple[str, ...]
) -> None:
    tell: dict[str, Callable[[], None]] = {
        "kernel": lambda: news.kernel_addresses(()),
        "network": lambda: news.network(NO_NETWORK),
        "link": lambda: news.link(LINK_LOST),
    }
    for what in order:
        tell[what]()
    assert shown(board) is Indicator.NOT_CONFIGURED

    news.network(ON_WIFI)
    news.kernel_addresses(WIFI.addresses)
    assert shown(board) is Indicator.NO_CLOUD
    news.link(LINKED)
    assert shown(board) is Indicator.ACTIVE


@pytest.mark.usefixtures("well")
def test_a_lost_address_shows_before_the_broken_link_is_noticed(
    board: FactBoard, news: News
) -> None:
    news.kernel_addresses(())
    assert shown(board) is Indicator.NO_IP
    news.network(NO_NETWORK)
    assert shown(board) is Indicator.NOT_CONFIGURED
    assert board.facts.cloud.holds is True


@pytest.mark.usefixtures("well")
def test_a_broker_that_acknowledges_proves_a_link_that_networkmanager_does_not_know(
    board: FactBoard, news: News
) -> None:
    news.network(NO_NETWORK)
    assert shown(board) is Indicator.ACTIVE
    news.network(NetworkFacts())
    assert shown(board) is Indicator.ACTIVE


def test_a_saved_network_that_is_out_of_reach_is_no_missing_configuration(
    board: FactBoard, news: News
) -> None:
    news.broker_set("192.168.77.1")
    news.kernel_addresses(())
    news.network(PROFILE_ONLY)
    assert shown(board) is Indicator.NO_IP


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_a_broker_on_this_machine_needs_no_network(board: FactBoard, news: News, host: str) -> None:
    news.broker_set(host)
    news.kernel_addresses(())
    news.link(LINKED)
    assert shown(board) is Indicator.ACTIVE


def test_wifi_that_is_switched_off_is_why_there_is_no_address(board: FactBoard, news: News) -> None:
    news.broker_set("broker.local")
    news.kernel_addresses(())
    news.network(PROFILE_ONLY)
    assert board.facts.address.cause == "no_address"
    news.network(replace(PROFILE_ONLY, wifi_blocked="rfkill-soft"))
    assert (board.facts.address.holds, board.facts.address.cause) == (False, "wifi-blocked")
    news.network(replace(NO_NETWORK, wifi_blocked="rfkill-soft"))
    assert board.facts.address.cause == "no_address"


def test_why_the_last_join_failed_is_told_until_one_succeeds(board: FactBoard, news: News) -> None:
    news.broker_set("broker.local")
    news.network(NO_NETWORK)
    refused = JoinOutcome(WifiCause.WRONG_PASSWORD, "The network does not accept this password.")
    news.setup(SetupFacts(join=refused))
    assert board.facts.configured.detail == (
        "No Wi-Fi network is saved and no cable is connected."
        " The last try: The network does not accept this password."
    )
    news.setup(SetupFacts(join=JoinOutcome(None)))
    assert "last try" not in board.facts.configured.detail
