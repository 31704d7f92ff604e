from __future__ import annotations

import errno
import random
import socket
import ssl

import pytest

from sensed.backoff import Backoff
from sensed.errors import UplinkError
from sensed.uplink.link import Cause, Endpoint, LinkError, Retries, classify

ENDPOINT = Endpoint("broker.lan", 1883)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (socket.gaierror(socket.EAI_NONAME, "?"), Cause.DNS),
        (ConnectionRefusedError(errno.ECONNREFUSED, "?"), Cause.REFUSED),
        (OSError(errno.EHOSTUNREACH, "No route to host"), Cause.UNREACHABLE),
        (OSError(errno.ENETUNREACH, "?"), Cause.UNREACHABLE),
        (TimeoutError(), Cause.TIMEOUT),
        (OSError(errno.ETIMEDOUT, "?"), Cause.TIMEOUT),
        (ssl.SSLError(1, "wrong version number"), Cause.TLS),
        (ConnectionResetError(errno.ECONNRESET, "?"), Cause.LOST),
    ],
)
def test_each_failure_has_its_cause(error: OSError, cause: Cause) -> None:
    assert classify(error, ENDPOINT).cause is cause


@pytest.mark.parametrize("cause", list(Cause))
def test_each_cause_is_one_sentence_that_names_the_broker(cause: Cause) -> None:
    error = LinkError(cause, ENDPOINT, "some detail")
    assert isinstance(error, UplinkError)
    text = str(error)
    assert "broker.lan" in text
    assert text.endswith(" (some detail).")
    assert text.count(". ") == 0


def test_a_certificate_of_the_future_raises_doubt_about_the_clock() -> None:
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_code = 9
    error.verify_message = "certificate is not yet valid"
    found = classify(error, ENDPOINT)
    assert found.cause is Cause.CLOCK
    assert "clock is wrong" in str(found)


def test_an_expired_certificate_raises_doubt_about_the_clock() -> None:
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_code = 10
    error.verify_message = "certificate has expired"
    found = classify(error, ENDPOINT)
    assert found.cause is Cause.TLS
    assert "is this device's clock right?" in str(found)


def test_waits_double_with_jitter_up_to_the_longest() -> None:
    retries = Retries(Backoff(1, 60), Backoff(60, 600), Backoff(2, 10), random.Random(1))
    waits = [retries.wait_s(Cause.REFUSED) for _ in range(40)]
    for number, wait_s in enumerate(waits):
        whole_s = min(60, 2**number)
        assert whole_s / 2 <= wait_s <= whole_s
    assert len(set(waits)) == len(waits)


def test_a_proven_connection_starts_the_waits_anew_and_a_denied_one_waits_long() -> None:
    retries = Retries(Backoff(1, 60), Backoff(60, 600), Backoff(2, 10), random.Random(1))
    for _ in range(10):
        retries.wait_s(Cause.LOST)
    retries.reset()
    assert retries.wait_s(Cause.LOST) <= 1
    retries.reset()
    assert retries.wait_s(Cause.NOT_AUTHORISED) >= 30


def test_a_wrong_clock_is_tried_again_soon_however_long_it_lasts() -> None:
    retries = Retries(Backoff(1, 60), Backoff(60, 600), Backoff(2, 10), random.Random(1))
    assert all(retries.wait_s(Cause.CLOCK) <= 10 for _ in range(40))


def test_a_connection_that_may_too_little_is_borne_longer_each_time() -> None:
    retries = Retries(Backoff(1, 60), Backoff(60, 600), Backoff(2, 10), random.Random(1))
    assert 30 <= retries.patience_s() <= 60
    for _ in range(10):
        retries.wait_s(Cause.NOT_PERMITTED)
    assert 300 <= retries.patience_s() <= 600
