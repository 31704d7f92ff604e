from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sensed.backoff import Backoff
from sensed.secret import Secret
from sensed.uplink import Cause, MeterIdentity, SafetySettings, Timing
from tests.mosquitto import Mosquitto, free_port
from tests.uplink.tools import (
    POWER_ONLY,
    QUICK,
    WITH_CURRENTS,
    Said,
    Wire,
    listening,
    sample,
    settings,
    up,
)
from tests.waiting import until

HOURLY = replace(WITH_CURRENTS, meter_clock="2026-01-02T04:00:00", energy_import_wh=123456)


async def test_a_list_reaches_a_subscriber_on_the_topics_it_feeds(mosquitto: Mosquitto) -> None:
    async with listening(mosquitto.port) as listener, up(settings(mosquitto.port)) as running:
        await running.linked()
        running.send(HOURLY)
        await listener.wait_for("energy")
        (power,) = await listener.wait_for("power")
        (phases,) = await listener.wait_for("phases")
        assert power.topic == "sensed/pi-1/power"
        assert power.payload == (
            b'{"received_at":"2026-01-02T03:04:05.678Z","seq":1,"boot_id":"b00t",'
            b'"power_import_w":1234,"power_export_w":0}'
        )
        assert b'"current_l1_a":2.3,"current_l3_a":-0.5,"voltage_l1_v":230.1}' in phases.payload
        assert (power.qos, phases.qos) == (0, 1)
        assert [fact.holds for fact in running.facts] == [True]
        assert running.facts[0].cause is None


async def test_what_a_late_subscriber_gets_is_what_is_retained(mosquitto: Mosquitto) -> None:
    unknown_to_home_assistant = replace(QUICK, introduce_after_s=60.0)
    async with up(settings(mosquitto.port), unknown_to_home_assistant) as running:
        await running.linked()
        running.uplink.set_state(Said("active"))
        running.uplink.set_meter(MeterIdentity(meter_id="1"))
        running.send(HOURLY)
        async with listening(mosquitto.port) as early:
            for name in ("headroom", "state", "meter", "energy"):
                await early.wait_for(name)
        await asyncio.sleep(0.05)
        async with listening(mosquitto.port) as late:
            for name in ("headroom", "state", "meter", "energy"):
                await late.wait_for(name)
            await asyncio.sleep(0.05)
            kept = {message.topic: message for message in late.heard}
    assert set(kept) == {f"sensed/pi-1/{name}" for name in ("headroom", "state", "meter", "energy")}
    assert all(message.retain and message.qos == 1 for message in kept.values())
    assert kept["sensed/pi-1/headroom"].json["reason"] == "no_fuse"


async def test_fail_safe_is_the_first_word_and_stopping_the_last(mosquitto: Mosquitto) -> None:
    async with listening(mosquitto.port) as listener:
        async with up(settings(mosquitto.port)) as running:
            running.send(WITH_CURRENTS)
            running.uplink.set_state(Said("starting"))
            await running.linked()
            running.send(WITH_CURRENTS)
            await listener.wait_for("headroom", 2)
        await listener.wait_for("headroom", 3)
        await asyncio.sleep(0.05)
        assert listener.heard[0].topic == "sensed/pi-1/headroom"
        assert [
            (message.json["reason"], message.json["online"], message.json["mode"])
            for message in listener.on("headroom")
        ] == [
            ("starting", True, "failsafe"),
            ("no_fuse", True, "failsafe"),
            ("stopping", False, "failsafe"),
        ]


async def test_a_cut_connection_brings_the_will_and_then_a_new_start(mosquitto: Mosquitto) -> None:
    async with (
        listening(mosquitto.port) as listener,
        Wire(mosquitto.port) as wire,
        up(settings(wire.port)) as running,
    ):
        await running.linked()
        wire.cut()
        await listener.wait_for("headroom", 3)
        await running.linked()
        reasons = [message.json["reason"] for message in listener.on("headroom")]
        assert reasons == ["starting", "offline", "starting"]
        assert [fact.holds for fact in running.facts] == [True, False, True]
        assert running.facts[1].cause is Cause.LOST
        assert running.facts[2].since_monotonic_s > running.facts[1].since_monotonic_s


async def test_a_broker_that_stops_and_starts_again_is_survived(mosquitto: Mosquitto) -> None:
    async with up(settings(mosquitto.port)) as running:
        await running.linked()
        running.uplink.set_state(Said("active"))
        running.send(HOURLY)
        mosquitto.stop()
        await running.failed()
        await until(lambda: running.facts[-1].cause is Cause.REFUSED)
        running.send(POWER_ONLY)
        mosquitto.start()
        await running.linked()
        async with listening(mosquitto.port) as listener:
            running.send(WITH_CURRENTS)
            await listener.wait_for("phases")
            await listener.wait_for("state")
            (energy,) = await listener.wait_for("energy")
            assert energy.json["energy_import_wh"] == 123456


async def test_a_killed_broker_is_noticed_at_once(mosquitto: Mosquitto) -> None:
    async with up(settings(mosquitto.port)) as running:
        await running.linked()
        start_s = time.monotonic()
        mosquitto.kill()
        assert (await running.failed()).cause in (Cause.LOST, Cause.REFUSED)
        assert time.monotonic() - start_s < 1


async def test_what_is_received_just_before_the_link_is_up_is_sent_but_nothing_old(
    mosquitto: Mosquitto,
) -> None:
    quick = replace(QUICK, live_age_s=0.5)
    async with listening(mosquitto.port) as listener:
        mosquitto_away = free_port()
        async with up(settings(mosquitto_away), quick) as running:
            await running.failed()
            running.send(WITH_CURRENTS)
        async with up(settings(mosquitto.port), quick) as running:
            old = sample(WITH_CURRENTS, seq=1)
            running.uplink.publish(
                replace(old, stamp=replace(old.stamp, monotonic_s=time.monotonic() - 1))
            )
            running.uplink.publish(sample(POWER_ONLY, seq=2))
            await running.linked()
            await listener.wait_for("power")
            await asyncio.sleep(0.05)
            assert [message.json["seq"] for message in listener.on("power")] == [2]
            assert listener.on("phases") == []


async def test_a_new_address_ends_the_wait_between_attempts(mosquitto: Mosquitto) -> None:
    slow = replace(QUICK, retry=Backoff(60.0, 60.0))
    async with Wire(mosquitto.port) as wire:
        wire.refuse()
        async with up(settings(wire.port), slow) as running:
            await running.failed()
            wire.accept()
            running.uplink.address_gained()
            await running.linked()


async def test_a_new_address_does_not_make_a_wrong_password_right(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, passwords={"pi": "right"}) as broker:
        wrong = settings(broker.port, username="pi", password=Secret("wrong"))
        async with Wire(broker.port) as wire, up(replace(wrong, port=wire.port)) as running:
            await running.failed()
            running.uplink.address_gained()
            await asyncio.sleep(0.3)
            assert wire.connections == 1


async def test_a_wrong_password_is_told_apart_and_not_tried_again_soon(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, passwords={"pi": "right"}) as broker:
        wrong = settings(broker.port, username="pi", password=Secret("wrong"))
        async with Wire(broker.port) as wire, up(replace(wrong, port=wire.port)) as running:
            fact = await running.failed()
            assert fact.cause is Cause.NOT_AUTHORISED
            assert "wrong" not in fact.detail
            await asyncio.sleep(0.3)
            assert wire.connections == 1
        right = replace(wrong, password=Secret("right"))
        async with up(right) as running:
            await running.linked()


async def test_a_broker_that_is_not_there_is_refused() -> None:
    async with up(settings(free_port())) as running:
        fact = await running.failed()
        assert fact.cause is Cause.REFUSED
        await asyncio.sleep(0.3)
        assert running.facts == [fact]  # told once, however often it is tried


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70 + ".lan"])
async def test_a_name_that_does_not_exist_is_dns(host: str) -> None:
    async with up(replace(settings(1883), host=host)) as running:
        assert (await running.failed()).cause is Cause.DNS


async def test_a_host_that_does_not_answer_is_a_timeout() -> None:
    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    async with server:
        timing = replace(QUICK, connect_deadline_s=0.2)
        async with up(settings(server.sockets[0].getsockname()[1]), timing) as running:
            assert (await running.failed()).cause is Cause.TIMEOUT


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"\x20\x02\x00\x4d", b"\x20\xff"])
async def test_a_port_that_speaks_something_else_is_protocol(answer: bytes) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with server, up(settings(server.sockets[0].getsockname()[1])) as running:
        assert (await running.failed()).cause is Cause.PROTOCOL


async def test_a_half_open_link_is_noticed_by_the_missing_acknowledgement(
    mosquitto: Mosquitto,
) -> None:
    async with Wire(mosquitto.port) as wire, up(settings(wire.port)) as running:
        await running.linked()
        wire.stall()
        start_s = time.monotonic()
        running.send(WITH_CURRENTS)
        assert (await running.failed()).cause is Cause.NO_ACKNOWLEDGEMENT
        assert QUICK.acknowledge_deadline_s <= time.monotonic() - start_s < 1
        wire.carry_on()
        await running.linked()


async def test_a_hanging_broker_is_noticed_although_the_kernel_answers(
    mosquitto: Mosquitto,
) -> None:
    async with up(settings(mosquitto.port)) as running:
        await running.linked()
        mosquitto.freeze()
        running.send(WITH_CURRENTS)
        assert (await running.failed()).cause is Cause.NO_ACKNOWLEDGEMENT
        mosquitto.thaw()
        await running.linked()


@pytest.mark.slow
async def test_an_idle_half_open_link_is_noticed_by_the_keepalive(mosquitto: Mosquitto) -> None:
    short = settings(mosquitto.port, keepalive_s=1)
    async with Wire(mosquitto.port) as wire, up(replace(short, port=wire.port)) as running:
        await running.linked()
        wire.stall()
        await until(lambda: running.facts[-1].holds is False, within_s=6)
        assert running.facts[-1].cause is Cause.NO_ACKNOWLEDGEMENT


async def test_a_stalled_broker_gets_only_the_newest_afterwards(mosquitto: Mosquitto) -> None:
    patient = replace(QUICK, acknowledge_deadline_s=10.0)
    async with (
        listening(mosquitto.port) as listener,
        Wire(mosquitto.port) as wire,
        up(settings(wire.port), patient) as running,
    ):
        await running.linked()
        wire.stall()
        for _ in range(2000):
            running.send(WITH_CURRENTS)
        slots = running.uplink._outbox._slots
        assert len(slots) == 4
        wire.carry_on()
        await until(lambda: any(item.json["seq"] == 2000 for item in listener.on("phases")))
        assert [item.json["seq"] for item in listener.on("phases")] == [1, 2000]


async def test_state_is_sent_on_change_and_repeated(mosquitto: Mosquitto) -> None:
    timing = replace(QUICK, state_interval_s=0.2)
    async with (
        listening(mosquitto.port) as listener,
        up(settings(mosquitto.port), timing) as running,
    ):
        await running.linked()
        for _ in range(3):
            running.uplink.set_state(Said("active"))
        await asyncio.sleep(0.1)
        assert len(listener.on("state")) == 1
        running.uplink.set_state(Said("no_meter_data"))
        await listener.wait_for("state", 4)
        indicators = [message.json["state"] for message in listener.on("state")]
        assert indicators == ["active", *["no_meter_data"] * 3]


async def test_the_time_of_day_in_the_state_is_that_of_each_sending(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = datetime(1970, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    clock = [before]
    monkeypatch.setattr("sensed.uplink.uplink._utc_now", lambda: clock[-1])
    timing = replace(QUICK, state_interval_s=0.2)
    async with (
        Wire(mosquitto.port) as wire,
        listening(mosquitto.port) as listener,
        up(settings(wire.port), timing) as running,
    ):
        running.uplink.set_state(Said("active"))
        await listener.wait_for("state", 1)
        clock.append(after)
        await until(lambda: listener.on("state")[-1].json["told"] == after.isoformat())
        clock.append(before)
        await until(lambda: listener.on("state")[-1].json["told"] == before.isoformat())
        wire.refuse()
        await running.failed()
        clock.append(after)
        heard = len(listener.on("state"))
        wire.accept()
        await listener.wait_for("state", heard + 1)
        assert listener.on("state")[heard].json["told"] == after.isoformat()


async def test_stopping_is_bounded_when_the_broker_hangs(mosquitto: Mosquitto) -> None:
    timing = replace(QUICK, acknowledge_deadline_s=10.0, stop_deadline_s=0.3)
    async with up(settings(mosquitto.port), timing) as running:
        await running.linked()
        mosquitto.freeze()
        start_s = time.monotonic()
        await running.stop()
        assert 0.3 <= time.monotonic() - start_s < 0.6
        mosquitto.thaw()


async def test_stopping_while_dialling_is_immediate() -> None:
    async with up(replace(settings(1883), host="192.0.2.1")) as running:
        await asyncio.sleep(0.05)
        start_s = time.monotonic()
        await running.stop()
        assert time.monotonic() - start_s < 0.1


async def test_nothing_is_left_running(mosquitto: Mosquitto) -> None:
    threads, tasks = set(threading.enumerate()), asyncio.all_tasks()
    descriptors = os.listdir("/proc/self/fd")  # noqa: PTH208 - a count is all that is wanted
    for port in (mosquitto.port, free_port()):
        async with Wire(port) as wire, up(settings(wire.port)) as running:
            await until(lambda: running.facts)
            running.send(WITH_CURRENTS)
            wire.cut()
            await asyncio.sleep(0.3)
    await asyncio.sleep(0.05)
    assert set(threading.enumerate()) == threads
    assert asyncio.all_tasks() == tasks
    assert len(os.listdir("/proc/self/fd")) == len(descriptors)  # noqa: PTH208 - likewise


async def test_own_words_come_back_only_until_one_has_proved_the_link(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, config="log_type all") as mosquitto:
        async with up(settings(mosquitto.port)) as running:
            await running.linked()
            await until(lambda: "Sending UNSUBACK to" in mosquitto.log())
            before = mosquitto.log()
            running.uplink.set_state(Said("active"))
            for _ in range(3):
                running.send(WITH_CURRENTS)
            async with listening(mosquitto.port) as listener:
                await listener.wait_for("state")
                running.send(WITH_CURRENTS)
                await listener.wait_for("phases")
        echoes = [
            line for line in mosquitto.log()[len(before) :].splitlines() if "headroom" in line
        ]
    own = settings(mosquitto.port).identifier
    assert any(f"Received PUBLISH from {own}" in line for line in echoes)
    assert not any(f"Sending PUBLISH to {own}" in line for line in echoes)


async def test_what_the_socket_has_no_room_for_follows(mosquitto: Mosquitto) -> None:
    long = "x" * (12 << 20)
    patient = replace(QUICK, acknowledge_deadline_s=20.0)
    async with up(settings(mosquitto.port), patient) as running:
        await running.linked()
        running.uplink.set_state(Said(long))
        running.send(POWER_ONLY)
        async with listening(mosquitto.port) as listener:
            await until(lambda: "state" in [m.topic.rpartition("/")[2] for m in listener.heard])
            running.send(WITH_CURRENTS)
            await listener.wait_for("phases")
            (state,) = await listener.wait_for("state")
    assert state.json["state"] == long


async def test_a_message_is_on_the_socket_when_publish_returns(mosquitto: Mosquitto) -> None:
    async with listening(mosquitto.port) as listener, Wire(mosquitto.port) as wire:
        async with up(settings(wire.port)) as running:
            await running.linked()
            running.send(POWER_ONLY)
            delivery = running.uplink._delivery
            assert delivery is not None
            assert delivery._connection is not None
            assert not delivery._connection._session._client.want_write()
        await listener.wait_for("power")


@pytest.mark.slow
async def test_while_idle_the_loop_does_not_wake(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with up(settings(mosquitto.port), Timing()) as running:
        await running.linked()
        running.send(WITH_CURRENTS)
        await asyncio.sleep(3)  # the introduction's wait for a retained copy is over
        rounds = 0
        selector = vars(asyncio.get_running_loop())["_selector"]
        select = selector.select

        def counted(timeout: float | None = None) -> Any:
            nonlocal rounds
            rounds += 1
            return select(timeout)

        monkeypatch.setattr(selector, "select", counted)
        await asyncio.sleep(4)
        assert rounds <= 2  # one that goes to sleep, and this test's own


@pytest.mark.slow
async def test_a_quiet_link_is_kept_alive(mosquitto: Mosquitto) -> None:
    """The broker ends a connection that says nothing for one and a half keepalives."""
    async with up(settings(mosquitto.port, keepalive_s=1), Timing()) as running:
        await running.linked()
        await asyncio.sleep(5)
        assert running.facts[-1].holds
        assert len(running.facts) == 1


async def test_the_payload_is_json_for_any_text_of_a_meter(mosquitto: Mosquitto) -> None:
    async with listening(mosquitto.port) as listener, up(settings(mosquitto.port)) as running:
        running.uplink.set_meter(MeterIdentity(meter_id='\0"\ud800\u2028'))
        (heard,) = await listener.wait_for("meter")
        assert json.loads(heard.payload)["meter_id"] == '\0"\ud800\u2028'


async def test_currents_that_grow_old_turn_the_signal_to_fail_safe(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sensed.uplink.headroom.LONGEST_AGE_S", 0.3)
    safety = SafetySettings(main_fuse_a=25, net="IT")
    async with (
        listening(mosquitto.port) as listener,
        up(settings(mosquitto.port), safety=safety) as running,
    ):
        await running.linked()
        running.send(WITH_CURRENTS)
        start_s = time.monotonic()
        *_, last = await listener.wait_for("headroom", 3)
        assert 0.25 <= time.monotonic() - start_s < 1
        modes = [(heard.json["mode"], heard.json["reason"]) for heard in listener.on("headroom")]
        assert modes == [("failsafe", "starting"), ("live", ""), ("failsafe", "no_meter_data")]
    async with listening(mosquitto.port) as late:
        (kept,) = await late.wait_for("headroom")
        assert (kept.json["reason"], kept.retain, last.retain) == ("stopping", True, False)


async def test_a_new_connection_is_fail_safe_first_and_live_at_once(mosquitto: Mosquitto) -> None:
    safety = SafetySettings(main_fuse_a=25, net="IT")
    async with (
        listening(mosquitto.port) as listener,
        Wire(mosquitto.port) as wire,
        up(settings(wire.port), safety=safety) as running,
    ):
        await running.linked()
        running.send(WITH_CURRENTS)
        await listener.wait_for("headroom", 2)
        wire.cut()
        await listener.wait_for("headroom", 5)
        said = [heard.json["reason"] or "live" for heard in listener.on("headroom")]
        assert said == ["starting", "live", "offline", "starting", "live"]


async def test_a_step_that_should_be_over_counts_as_stuck(mosquitto: Mosquitto) -> None:
    async with Wire(mosquitto.port) as wire, up(settings(wire.port)) as running:
        await running.linked()
        now_s = asyncio.get_running_loop().time()
        # Nothing is due while nothing is sent; the last acknowledgement may come after the echo.
        await until(lambda: not running.uplink.stuck(now_s + 1000))
        now_s = asyncio.get_running_loop().time()
        wire.stall()
        running.send(WITH_CURRENTS)
        assert not running.uplink.stuck(now_s + 5)
        assert running.uplink.stuck(now_s + 6)
        await running.failed()
        assert not running.uplink.stuck(asyncio.get_running_loop().time())
