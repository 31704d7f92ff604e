"""Trying a broker: every outcome, over a real one."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from sensed.errors import ConfigError
from sensed.secret import Secret
from sensed.uplink import Cause, LinkError, find_broker, trial, try_broker
from sensed.uplink.settings import BrokerSettings
from tests.mosquitto import Mosquitto, free_port
from tests.uplink.test_tls import Authority, encrypted_broker
from tests.uplink.tools import listening, settings

ACCOUNT = {"sensed-pi-1": "hemmelig"}


async def cause_of(chosen: BrokerSettings) -> Cause:
    with pytest.raises(LinkError) as failed:
        await try_broker(chosen)
    return failed.value.cause


def with_account(port: int, password: str = "hemmelig") -> BrokerSettings:
    return settings(port, username="sensed-pi-1", password=Secret(password))


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
async def test_a_broker_that_works_is_left_as_it_was(mosquitto: Mosquitto, protocol: str) -> None:
    async with listening(mosquitto.port) as listener:
        await try_broker(settings(mosquitto.port, protocol=protocol))
        (heard,) = await listener.wait_for("trial")
        assert (heard.payload, heard.retain) == (b"{}", False)
        await asyncio.sleep(0.05)
        assert len(listener.heard) == 1
    assert "Client sensed-pi-1 disconnected" in mosquitto.log()


async def test_accounts_are_tried(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, passwords=ACCOUNT) as broker:
        await try_broker(with_account(broker.port))
        assert await cause_of(with_account(broker.port, "wrong")) is Cause.NOT_AUTHORISED
        assert await cause_of(settings(broker.port)) is Cause.NOT_AUTHORISED
        assert await find_broker(settings(broker.port)) is True


@pytest.mark.parametrize(
    "rule", ["topic read sensed/pi-1/#", "topic write sensed/pi-1/#", "topic readwrite other/#"]
)
async def test_a_broker_that_forbids_our_topics_is_told(
    tmp_path: Path, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_ECHO_S", 0.3)
    rules = tmp_path / "acl"
    rules.write_text(f"user sensed-pi-1\n{rule}\n")
    rules.chmod(0o600)
    with Mosquitto(tmp_path, passwords=ACCOUNT, config=f"acl_file {rules}") as broker:
        assert await cause_of(with_account(broker.port)) is Cause.NOT_PERMITTED


async def test_certificates_as_text_are_used_in_place_of_the_system_s(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ours")
    other = Authority(tmp_path, "theirs")
    with encrypted_broker(tmp_path, authority.issue("127.0.0.1")) as broker:
        secure = settings(broker.port, tls=True, ca_pem=authority.path.read_text())
        await try_broker(secure)
        assert await cause_of(replace(secure, ca_pem=other.path.read_text())) is Cause.TLS
        assert await cause_of(replace(secure, ca_pem=None)) is Cause.TLS
        assert await cause_of(settings(broker.port)) is Cause.PROTOCOL


def test_certificates_come_once_and_with_tls() -> None:
    with pytest.raises(ConfigError, match="need TLS"):
        settings(1, ca_pem="x")
    with pytest.raises(ConfigError, match="not as both"):
        settings(1, tls=True, ca_pem="x", ca_file="y")


async def test_who_is_not_there_or_no_broker_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "_CONNECT_S", 0.3)
    monkeypatch.setattr(trial, "_LOOK_S", 0.3)
    nobody = settings(free_port())
    assert await cause_of(nobody) is Cause.REFUSED
    assert await find_broker(nobody) is None
    unknown = replace(nobody, host="does-not-exist.invalid")
    assert await cause_of(unknown) in (Cause.DNS, Cause.TIMEOUT)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = settings(silent.getsockname()[1])
        assert await cause_of(mute) is Cause.TIMEOUT
        assert await find_broker(mute) is None


async def test_an_open_broker_is_found(mosquitto: Mosquitto) -> None:
    assert await find_broker(settings(mosquitto.port)) is False


async def test_a_trial_can_be_given_up_at_any_moment(mosquitto: Mosquitto) -> None:
    for delay_s in (0, 0.001, 0.003, 0.006, 0.01):
        task = asyncio.create_task(try_broker(settings(mosquitto.port)))
        await asyncio.sleep(delay_s)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() or task.exception() is None
    await try_broker(settings(mosquitto.port))
