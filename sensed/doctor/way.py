"""The way to the broker, step by step: an address, a name, encryption, the broker itself."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from sensed.doctor.findings import Finding, Level, Rule, always, judge, parted, unseen
from sensed.uplink import BrokerSettings, Cause, LinkError, dial_broker, try_broker

_STEPS: Final = ("dns", "tls", "broker")

_STEP_OF: Final[Mapping[Cause, str]] = {
    Cause.DNS: "dns",
    Cause.TLS: "tls",
    Cause.CLOCK: "tls",
}
"""Which step a cause belongs to; every other one is the broker's."""


@dataclass(frozen=True, slots=True)
class AddressFacts:
    """The device's usable addresses, and whether the broker is on the device itself."""

    addresses: tuple[str, ...]
    broker_is_here: bool = False

    @property
    def words(self) -> str:
        """The addresses in words."""
        return ", ".join(self.addresses)


ADDRESS: Final[tuple[Rule[AddressFacts], ...]] = (
    Rule(lambda f: f.addresses, Level.OK, "This device has {f.words}."),
    Rule(
        lambda f: f.broker_is_here,
        Level.WARN,
        "No link has an address; the broker is on this device.",
        "Check Wi-Fi, cable and the router's DHCP: ip address shows what there is.",
    ),
    Rule(
        always,
        Level.FAIL,
        "No link has an address.",
        "Check Wi-Fi, cable and the router's DHCP: ip address shows what there is.",
    ),
)


@dataclass(frozen=True, slots=True)
class WayFacts:
    """How far the way to the broker was gone.

    ``cause`` is why it ended (``None``: it did not), ``sentence`` says it; ``asked`` is
    whether the broker itself was reached, or only its port.
    """

    host: str
    tls: bool
    cause: Cause | None = None
    sentence: str = ""
    asked: bool = True


_OK: Final[Mapping[str, tuple[Rule[WayFacts], ...]]] = {
    "dns": (Rule(always, Level.OK, "The broker's name {f.host} is known."),),
    "tls": (
        Rule(
            lambda f: not f.tls, Level.OK, "The connection to the broker is set to be unencrypted."
        ),
        Rule(always, Level.OK, "The encrypted connection works."),
    ),
    "broker": (
        Rule(lambda f: f.asked, Level.OK, "The broker {f.host} takes and returns messages."),
        Rule(
            always,
            Level.WARN,
            "The broker {f.host} can be reached; whether it lets sensed in was not tried.",
            "Run it as root (sudo sensed doctor), or join the group sensed.",
        ),
    ),
}


def way(facts: WayFacts) -> Iterator[Finding]:
    """Yield a finding for each step, up to the one that does not work."""
    failing = None if facts.cause is None else _STEP_OF.get(facts.cause, "broker")
    for step in _STEPS:
        if step == "tls" and failing == "broker" and facts.tls:
            continue  # Refused or unreachable: it was not come to.
        if step == failing:
            yield Finding(step, Level.FAIL, *parted(facts.sentence))
            return
        yield judge(step, facts, _OK[step])


def way_unknown(text: str, remedy: str) -> Iterator[Finding]:
    """Yield the finding of a way that cannot be gone."""
    yield unseen("broker", text, remedy)


async def go(settings: BrokerSettings, *, whole: bool) -> WayFacts:
    """Go the way to the broker: wholly, or only to its port, which it hardly notices.

    A broker keeps one connection per name, so another name than the daemon's is used.
    """
    facts = WayFacts(settings.host, settings.tls, asked=whole)
    try:
        if whole:
            await try_broker(replace(settings, client_id=f"{settings.identifier}-d"))
        else:
            await dial_broker(settings)
    except LinkError as error:
        return replace(facts, cause=error.cause, sentence=str(error))
    return facts


def closed_files(settings: BrokerSettings) -> tuple[str, ...]:
    """Return the certificates and keys that are there but closed to this user."""
    files = (settings.ca_file, settings.client_cert_file, settings.client_key_file)
    return tuple(
        file for file in files if file and os.path.lexists(file) and not os.access(file, os.R_OK)
    )
