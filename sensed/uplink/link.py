"""The link to the broker as a fact: whether it works, and if not, why."""

from __future__ import annotations

import errno
import random
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sensed.backoff import Backoff
from sensed.errors import UplinkError


class Cause(StrEnum):
    """Stable codes for why there is no working link."""

    DNS = "dns"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    TLS = "tls"
    CLOCK = "clock"
    VERSION = "version"
    NOT_AUTHORISED = "not_authorised"
    NOT_PERMITTED = "not_permitted"
    NO_ACKNOWLEDGEMENT = "no_acknowledgement"
    IDENTIFIER = "identifier"
    UNAVAILABLE = "unavailable"
    TAKEN_OVER = "taken_over"
    PROTOCOL = "protocol"
    LOST = "lost"


_SENTENCES: Final[Mapping[Cause, str]] = {
    Cause.DNS: "The broker's name {host} cannot be resolved: check the name and the network's DNS.",
    Cause.REFUSED: "{host} refuses port {port}: check that the broker runs and the port is right.",
    Cause.UNREACHABLE: "{host} cannot be reached: check the address and the network.",
    Cause.TIMEOUT: "{host} port {port} does not answer: check the address and the firewall.",
    Cause.TLS: "No encrypted connection to {host} port {port}: check the certificates.",
    Cause.CLOCK: (
        "The certificate of {host} is not valid yet, so this device's clock is wrong: "
        "it waits for the network's time, check NTP."
    ),
    Cause.VERSION: "The broker {host} does not take this version of MQTT: set the other one.",
    Cause.NOT_AUTHORISED: "The broker {host} rejects the user name or password: set them anew.",
    Cause.IDENTIFIER: (
        "The broker {host} does not accept this device's client id: set another, mqtt.client_id."
    ),
    Cause.UNAVAILABLE: "The broker {host} takes no connection now; trying again.",
    Cause.TAKEN_OVER: (
        "Another client of the broker {host} goes by this device's client id: "
        "give each device an id of its own, device.id."
    ),
    Cause.NOT_PERMITTED: (
        "The broker {host} does not let this device write and read its own topics: "
        "allow it in the broker's access list."
    ),
    Cause.NO_ACKNOWLEDGEMENT: "The broker {host} has stopped acknowledging; connecting again.",
    Cause.PROTOCOL: (
        "{host} port {port} does not speak MQTT as expected: check the port and the TLS setting."
    ),
    Cause.LOST: "The connection to the broker {host} was lost; connecting again.",
}
_UNREACHABLE_ERRNOS: Final = frozenset(
    {
        errno.ENETUNREACH,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.EHOSTDOWN,
        errno.EADDRNOTAVAIL,
        errno.EAFNOSUPPORT,
        errno.EACCES,
        errno.EPERM,
        errno.EINVAL,  # a link-local address without its interface
        errno.ENODEV,
    }
)
_NOT_YET_VALID: Final = 9  # X509_V_ERR_CERT_NOT_YET_VALID
_EXPIRED: Final = 10  # X509_V_ERR_CERT_HAS_EXPIRED
_CAUSES: Final[tuple[tuple[type[OSError], Cause], ...]] = (
    (socket.gaierror, Cause.DNS),
    (ssl.SSLError, Cause.TLS),
    (ConnectionRefusedError, Cause.REFUSED),
    (TimeoutError, Cause.TIMEOUT),
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The broker's host and port, for sentences about it."""

    host: str
    port: int


class LinkError(UplinkError):
    """There is no working link; ``cause`` says why in a code, the text in a sentence."""

    def __init__(self, cause: Cause, endpoint: Endpoint, detail: str = "") -> None:
        """Say the sentence of ``cause``, with ``detail`` in brackets where there is one."""
        sentence = _SENTENCES[cause].format(host=endpoint.host, port=endpoint.port)
        super().__init__(f"{sentence[:-1]} ({detail})." if detail else sentence)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class LinkFact:
    """Whether the broker is connected and acknowledging, since when, and if not, why.

    ``holds`` is ``None`` until the first attempt has ended.
    """

    holds: bool | None
    cause: Cause | None
    detail: str
    since_monotonic_s: float


def classify(error: OSError, endpoint: Endpoint) -> LinkError:
    """Return the LinkError for what the resolver, a socket or TLS has raised."""
    otherwise = Cause.UNREACHABLE if error.errno in _UNREACHABLE_ERRNOS else Cause.LOST
    cause = next((cause for kind, cause in _CAUSES if isinstance(error, kind)), otherwise)
    if getattr(error, "verify_code", None) == _NOT_YET_VALID:
        cause = Cause.CLOCK
    return LinkError(cause, endpoint, _detail(error, cause))


def _detail(error: OSError, cause: Cause) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        doubt = "; is this device's clock right?" if error.verify_code == _EXPIRED else ""
        return f"{error.verify_message}{doubt}"
    if isinstance(error, ssl.SSLError):
        return str(getattr(error, "reason", None) or error)
    return error.strerror or "" if cause in (Cause.UNREACHABLE, Cause.LOST) else ""


class Retries:
    """Waits between attempts, longer where insisting does harm."""

    def __init__(self, usual: Backoff, denied: Backoff, clock: Backoff, rng: random.Random) -> None:
        """Wait as ``usual`` says; as ``denied`` if not authorised, ``clock`` if time is wrong."""
        self._usual = usual
        self._denied = denied
        self._special = {Cause.NOT_AUTHORISED: denied, Cause.CLOCK: clock}
        self._rng = rng
        self._failures = 0

    def reset(self) -> None:
        """Note that a connection has proved good."""
        self._failures = 0

    def wait_s(self, cause: Cause) -> float:
        """Note a failure and return how long to wait."""
        backoff = self._special.get(cause, self._usual)
        wait_s = backoff.delay_s(self._failures, draw=self._rng.random)
        self._failures += 1
        return wait_s

    def patience_s(self) -> float:
        """Return how long to stay on a connection on which the broker permits too little."""
        return self._denied.delay_s(self._failures, draw=self._rng.random)
