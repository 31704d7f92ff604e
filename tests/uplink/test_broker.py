"""Versions, accounts and access lists, over a real broker."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from paho.mqtt import client as mqtt

from sensed.backoff import Backoff
from sensed.errors import ConfigError
from sensed.secret import Secret
from sensed.uplink import BrokerSettings, Cause, HistorySettings, MeterIdentity, SafetySettings
from sensed.uplink.delivery import Delivery
from sensed.uplink.store import Store
from tests.mosquitto import Mosquitto, free_port
from tests.uplink.tools import (
    POWER_ONLY,
    QUICK,
    WITH_CURRENTS,
    Said,
    Wire,
    listening,
    settings,
    up,
)
from tests.waiting import until

EXAMPLE_ACL = Path(__file__).parents[2] / "examples" / "mosquitto" / "sensed.acl"
FIVE = {"protocol": "5"}


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
async def test_both_versions_carry_everything(mosquitto: Mosquitto, protocol: str) -> None:
    chosen = settings(mosquitto.port, protocol=protocol)
    safety = SafetySettings(main_fuse_a=25, net="TT")
    async with listening(mosquitto.port) as listener, up(chosen, safety=safety) as running:
        await running.linked()
        running.uplink.set_state(Said("active"))
        running.send(WITH_CURRENTS)
        await listener.wait_for("phases")
        _, live = await listener.wait_for("headroom", 2)
        assert (live.json["mode"], live.retain) == ("live", False)
        assert live.json["headroom_a"] == [20.7, 20.2, 22.5]
    await listener.wait_for("headroom", 3)
    version = "p5" if protocol == "5" else "p2"
    assert f"as sensed-pi-1 ({version}, c1, k12" in mosquitto.log()


async def test_a_cut_connection_brings_the_will_in_mqtt_5(mosquitto: Mosquitto) -> None:
    async with (
        listening(mosquitto.port) as listener,
        Wire(mosquitto.port) as wire,
        up(settings(wire.port, protocol="5")) as running,
    ):
        await running.linked()
        wire.cut()
        await listener.wait_for("headroom", 3)
        reasons = [message.json["reason"] for message in listener.on("headroom")]
        assert reasons == ["starting", "offline", "starting"]


async def test_a_permission_queued_for_an_absent_consumer_expires_in_mqtt_5(
    mosquitto: Mosquitto,
) -> None:
    import aiomqtt

    def consumer(**more: object) -> aiomqtt.Client:
        return aiomqtt.Client(
            "127.0.0.1",
            mosquitto.port,
            identifier="away",
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=False,
            **more,  # type: ignore[arg-type]  # one property
        )

    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    lasting = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no types
    lasting.SessionExpiryInterval = 600
    async with consumer(properties=lasting) as client:
        await client.subscribe("sensed/+/headroom", qos=1)
    safety = SafetySettings(main_fuse_a=25)
    async with up(settings(mosquitto.port, protocol="5"), safety=safety) as running:
        await running.linked()
        running.send(WITH_CURRENTS)
        await asyncio.sleep(0.05)
        async with asyncio.timeout(5), consumer(properties=lasting) as client:
            async for message in client.messages:
                if not message.retain and json.loads(bytes(message.payload))["mode"] == "live":  # type: ignore[arg-type]  # octets
                    assert message.properties is not None
                    assert 25 <= message.properties.MessageExpiryInterval <= 30
                    break


async def test_a_wrong_password_is_told_apart_in_mqtt_5(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, passwords={"pi": "right"}) as broker:
        wrong = settings(broker.port, username="pi", password=Secret("wrong"), protocol="5")
        async with up(wrong) as running:
            assert (await running.failed()).cause is Cause.NOT_AUTHORISED


@pytest.fixture
def acl_file(tmp_path: Path) -> Path:
    path = tmp_path / "access"
    path.write_text(EXAMPLE_ACL.read_text())
    path.chmod(0o600)
    return path


def fleet_broker(directory: Path, acl_file: Path) -> Mosquitto:
    accounts = {"sensed-pi-1": "a", "sensed-pi-2": "b", "homeassistant": "c", "charger": "d"}
    return Mosquitto(directory, passwords=accounts, config=f"acl_file {acl_file}")


def account(name: str, word: str) -> dict[str, object]:
    return {"username": name, "password": Secret(word)}


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
async def test_a_device_may_do_all_it_does_under_the_example_access_list(
    tmp_path: Path, acl_file: Path, protocol: str
) -> None:
    with fleet_broker(tmp_path, acl_file) as broker:
        own = settings(broker.port, protocol=protocol, **account("sensed-pi-1", "a"))
        async with (
            listening(broker.port, username="homeassistant", password="c") as listener,
            up(own) as running,
        ):
            await running.linked()
            running.send(WITH_CURRENTS)
            await listener.wait_for("config")
            assert [fact.holds for fact in running.facts] == [True]


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
async def test_an_access_list_that_forbids_is_told_even_if_the_broker_is_silent_about_it(
    tmp_path: Path, acl_file: Path, protocol: str
) -> None:
    quick = replace(QUICK, echo_deadline_s=0.3)
    with fleet_broker(tmp_path, acl_file) as broker:
        other = settings(broker.port, protocol=protocol, **account("sensed-pi-2", "b"))
        async with (
            listening(broker.port, username="homeassistant", password="c") as listener,
            up(other, quick) as running,
        ):
            await until(lambda: running.facts and running.facts[-1].cause is Cause.NOT_PERMITTED)
            fact = running.facts[-1]
            assert "sensed/pi-1/headroom" in fact.detail
            running.send(WITH_CURRENTS)
            await asyncio.sleep(0.1)
            assert listener.on("phases") == []
            assert running.facts[-1] == fact
            assert not any(item.holds for item in running.facts)


async def test_an_echo_that_is_late_is_an_echo_all_the_same(mosquitto: Mosquitto) -> None:
    async with up(settings(mosquitto.port), replace(QUICK, echo_deadline_s=0.0)) as running:
        await running.linked()
        assert [fact.cause for fact in running.facts] == [Cause.NOT_PERMITTED, None]


async def test_an_access_list_that_is_mended_is_noticed(tmp_path: Path) -> None:
    acl = tmp_path / "access"
    acl.write_text("user pi\ntopic write #\n")  # with less, this broker hangs up by itself
    acl.chmod(0o600)
    impatient = replace(QUICK, echo_deadline_s=0.05, retry_denied=Backoff(0.1, 0.1))
    with Mosquitto(tmp_path, passwords={"pi": "a"}, config=f"acl_file {acl}") as broker:
        async with (
            Wire(broker.port) as wire,
            up(settings(wire.port, **account("pi", "a")), impatient) as running,
        ):
            await until(lambda: wire.connections >= 3)
            (fact,) = running.facts  # told once, however often it is tried
            assert fact.cause is Cause.NOT_PERMITTED
            acl.write_text("user pi\ntopic readwrite #\n")
            assert broker._process is not None
            broker._process.send_signal(signal.SIGHUP)
            await running.linked()
            heard = wire.connections
            await asyncio.sleep(0.3)
            assert wire.connections == heard


async def test_what_mqtt_5_refuses_stays_in_the_history(tmp_path: Path) -> None:
    acl = tmp_path / "access"
    acl.write_text(
        "user pi\ntopic readwrite sensed/pi-1/headroom\ntopic readwrite sensed/pi-1/power\n"
        "topic readwrite homeassistant/#\n"
    )
    acl.chmod(0o600)
    with Mosquitto(tmp_path, passwords={"pi": "a"}, config=f"acl_file {acl}") as broker:
        quick = replace(QUICK, live_age_s=0.05)
        chosen = settings(broker.port, protocol="5", **account("pi", "a"))
        async with Wire(broker.port) as wire, up(replace(chosen, port=wire.port), quick) as running:
            await running.linked()
            wire.refuse()
            await running.failed()
            for _ in range(4):
                running.send(POWER_ONLY)
                await asyncio.sleep(0.06)
            assert running.uplink.history_counts.waiting >= 3
            wire.accept()
            await until(lambda: running.facts[-1].cause is Cause.NOT_PERMITTED)
            assert "history" in running.facts[-1].detail
            await asyncio.sleep(0.1)
            assert running.uplink.history_counts.waiting >= 3
            assert running.uplink.history_counts.sent == 0


async def test_a_retired_device_leaves_nothing_behind(mosquitto: Mosquitto) -> None:
    async with up(settings(mosquitto.port)) as running:
        await running.linked()
        running.uplink.set_state(Said("active"))
        running.send(replace(WITH_CURRENTS, energy_import_wh=1))
        async with listening(mosquitto.port) as listener:
            await listener.wait_for("config")
        running.uplink.retire()
    async with listening(mosquitto.port) as late:
        await asyncio.sleep(0.1)
        assert late.heard == []


async def test_a_meter_that_talks_during_the_farewell_leaves_nothing_behind_and_is_kept(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hourly = replace(WITH_CURRENTS, energy_import_wh=1)
    path = tmp_path / "history.db"
    async with up(settings(mosquitto.port), history=HistorySettings(path=path)) as running:
        uplink = running.uplink
        await running.linked()
        uplink.set_state(Said("active"))
        running.send(hourly)
        async with listening(mosquitto.port) as listener:
            await listener.wait_for("config")
        clear = uplink._clear

        async def talked_into(delivery: Delivery) -> bool:
            clearing = asyncio.create_task(clear(delivery))
            await asyncio.sleep(0)  # what clears the topics is under way
            running.send(hourly)
            uplink.set_state(Said("no_ip"))
            uplink.set_meter(MeterIdentity(meter_id="1"))
            uplink._introduce_again()
            return await clearing

        monkeypatch.setattr(uplink, "_clear", talked_into)
        uplink.retire()
    async with listening(mosquitto.port) as late:
        await asyncio.sleep(0.1)
        assert late.heard == []
    with contextlib.closing(Store(path, most_rows=1000)) as kept:
        assert [json.loads(row.payload)["seq"] for row in kept.read(0, 9)][-1:] == [running.seq]


@pytest.mark.timeout(90)
async def test_a_broker_that_restarts_often_loses_no_reading(tmp_path: Path) -> None:
    config = f"persistence true\npersistence_location {tmp_path}/\nqueue_qos0_messages true"
    broker = Mosquitto(tmp_path, config=config).start()
    quick = replace(QUICK, live_age_s=0.3)
    try:
        async with up(
            settings(broker.port), quick, history=HistorySettings(path=tmp_path / "h.db")
        ) as running:
            heard: list[tuple[str, int]] = []
            async with Collector(broker.port, heard):
                for turn in range(6):
                    await running.linked()
                    for number in range(8):
                        running.send(WITH_CURRENTS if number % 4 == 0 else POWER_ONLY)
                        await asyncio.sleep(0.01)
                    if turn % 2:
                        broker.stop()
                        await running.failed()
                        running.send(POWER_ONLY)
                        broker.start()
                await running.linked()
                running.send(WITH_CURRENTS)
                sent = set(range(1, running.seq + 1))
                with contextlib.suppress(AssertionError):
                    # The history's file is synced: a busy disk takes its time.
                    await until(lambda: sent <= {seq for _, seq in heard}, within_s=30)
                assert sent == {seq for _, seq in heard}, running.uplink.history_counts
                history = [seq for topic, seq in heard if topic == "history"]
                assert history == sorted(set(history))
    finally:
        broker.kill()


class Collector:
    """A subscriber with a session that lasts: what it misses, the broker keeps for it.

    On paho itself: what aiomqtt has acknowledged but not handed out is lost with its queue.
    """

    def __init__(self, port: int, heard: list[tuple[str, int]]) -> None:
        self._port = port
        self._heard = heard
        self._ready = asyncio.Event()
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, client_id="collector", clean_session=False
        )
        self._client.reconnect_delay_set(1, 1)
        self._client._reconnect_min_delay = self._client._reconnect_max_delay = 0.02  # type: ignore[assignment]  # whole seconds are too slow
        self._client.on_connect = self._connected
        self._client.on_message = self._received

    async def __aenter__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        await self._ready.wait()

    async def __aexit__(self, *_: object) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    def _connected(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe([(f"sensed/+/{name}", 1) for name in ("power", "phases", "history")])
        self._loop.call_soon_threadsafe(self._ready.set)

    def _received(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        name = message.topic.rsplit("/", 1)[-1]
        self._heard.append((name, json.loads(message.payload)["seq"]))


@pytest.mark.parametrize(
    "wrong",
    [
        {"protocol": "4"},
        {"tls_lowest": "1.0", "tls": True},
        {"client_key_file": "/k"},
        {"client_cert_file": "/c"},
        {"ca_file": "/c"},
    ],
)
def test_settings_without_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        BrokerSettings(host="h", device_id="d", port=free_port(), **wrong)  # type: ignore[arg-type]  # that is the point
