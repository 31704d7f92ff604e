from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiomqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensed.demo.broker import Broker
from sensed.demo.packets import (
    LARGEST_PACKET_OCTETS,
    Connect,
    Packet,
    PacketReader,
    Publish,
    encode,
    encode_publish,
    matches,
)
from sensed.errors import WireError
from sensed.uplink import BrokerSettings
from tests.mosquitto import find
from tests.uplink.tools import WITH_CURRENTS, listening, up
from tests.waiting import until

CONNECT_BYTES = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x0f\x00\x01a"
TOPIC_TEXT = st.text(
    st.characters(exclude_characters="+#\0", exclude_categories=["Cs"]), min_size=1, max_size=20
)


@given(st.binary(max_size=200))
def test_any_bytes_give_packets_or_a_wire_error(data: bytes) -> None:
    with contextlib.suppress(WireError):
        PacketReader().receive(data)


@given(st.integers(0, 255), st.binary(max_size=100))
def test_any_body_of_any_kind_gives_a_packet_or_a_wire_error(first: int, body: bytes) -> None:
    with contextlib.suppress(WireError):
        PacketReader().receive(encode(first >> 4, body, first & 0x0F))


def publishes(qos: int) -> st.SearchStrategy[Publish]:
    return st.builds(
        Publish,
        topic=TOPIC_TEXT,
        payload=st.binary(max_size=300),
        qos=st.just(qos),
        retain=st.booleans(),
        packet_id=st.integers(1, 0xFFFF) if qos else st.just(0),
    )


@given(st.lists(publishes(0) | publishes(1), max_size=5), st.lists(st.integers(0, 600), max_size=9))
def test_what_is_written_is_read_back_however_it_is_cut(
    messages: list[Publish], cuts: list[int]
) -> None:
    wire = b"".join(map(encode_publish, messages))
    reader, seen, start = PacketReader(), list[Packet](), 0
    for cut in [*sorted(cut for cut in cuts if cut < len(wire)), len(wire)]:
        seen += reader.receive(wire[start:cut])
        start = cut
    assert seen == messages


def test_a_connect_with_everything_is_read() -> None:
    wire = bytes.fromhex(
        "10 25 0004 4d515454 04 ee 003c 0003 636964 0001 77 0003 627965 0001 75 0004 70617373"
    )
    body = bytes.fromhex(
        "0004 4d515454 04 ee 003c 0003 636964 0001 77 0003 627965 0001 75 0004 70617373"
    )
    assert wire[2:] == body
    assert PacketReader().receive(encode(1, body)) == [
        Connect("cid", 60, Publish("w", b"bye", 1, retain=True))
    ]


@pytest.mark.parametrize(
    "wire",
    [
        b"\x30\xff\xff\xff\xff\x01",
        b"\x30\xff\xff\xff\x7f",
        b"\x34\x05\x00\x01a\x00\x01",
        b"\x30\x03\x00\x01+",
        b"\x82\x02\x00\x01",
        b"\x80\x06\x00\x01\x00\x01a\x00",
        b"\x82\x08\x00\x01\x00\x03a#b\x00",
        b"\x82\x06\x00\x01\x00\x01a\x03",
        b"\xc0\x01x",
        b"\x20\x02\x00\x00",
        b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x0f\x00\x01a",
    ],
)
def test_what_breaks_the_standard_is_a_wire_error(wire: bytes) -> None:
    with pytest.raises(WireError):
        PacketReader().receive(wire)


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("#", "a/b", True),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("a/+", "a/b", True),
        ("a/+", "a", False),
        ("a/+", "a/b/c", False),
        ("+/b", "a/b", True),
        ("+", "/a", False),
        ("/+", "/a", True),
        ("a", "a/b", False),
        ("a/b", "a", False),
        ("#", "$SYS/a", False),
        ("+/a", "$SYS/a", False),
        ("$SYS/#", "$SYS/a", True),
    ],
)
def test_filters_match_as_the_standard_says(topic_filter: str, topic: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert matches(topic_filter, topic) is expected


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    async with Broker() as running:
        yield running
    assert not running.sessions


async def test_a_subscriber_gets_what_is_published(broker: Broker) -> None:
    async with (
        listening(broker.port, "a/+") as listener,
        aiomqtt.Client("127.0.0.1", broker.port) as client,
    ):
        await client.publish("a/x", b"0", qos=0)
        await client.publish("a/y", b"1", qos=1)
        await client.publish("b/y", b"2", qos=1)
        await client.publish("a/z", b"x" * 50_000, qos=1)
        await until(lambda: len(listener.heard) == 3)
        assert [(heard.topic, heard.qos) for heard in listener.heard] == [
            ("a/x", 0),
            ("a/y", 1),
            ("a/z", 1),
        ]


async def test_what_is_unsubscribed_from_comes_no_more(broker: Broker) -> None:
    async with (
        listening(broker.port, "b") as listener,
        aiomqtt.Client("127.0.0.1", broker.port) as client,
    ):
        await client.subscribe([("a", 1), ("c", 1)])
        await client.unsubscribe(["a"])
        await client.publish("a", b"1", qos=1)
        await client.publish("c", b"2", qos=1)
        await client.publish("b", b"3", qos=1)
        await until(lambda: listener.heard)
        heard = await anext(aiter(client.messages))
        assert heard.payload == b"2"


async def test_retained_messages_come_late_and_are_cleared_by_an_empty_one(broker: Broker) -> None:
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.publish("a", b"1", qos=1, retain=True)
        await client.publish("b", b"2", qos=1, retain=True)
        await client.publish("b", b"", qos=1, retain=True)
        async with listening(broker.port) as listener:
            await client.publish("a", b"3", qos=1, retain=True)
            await until(lambda: len(listener.heard) == 2)
            assert [(item.payload, item.retain) for item in listener.heard] == [
                (b"1", True),
                (b"3", False),
            ]


async def test_the_uplink_lives_on_it_and_its_will_is_honoured(broker: Broker) -> None:
    settings = BrokerSettings(host=broker.host, port=broker.port, device_id="demo")
    async with listening(broker.port) as listener:
        async with up(settings) as running:
            await running.linked()
            running.send(WITH_CURRENTS)
            await listener.wait_for("phases")
            next(s for s in broker.sessions if s.client_id == "sensed-demo").transport.abort()
            await listener.wait_for("headroom", 4)
        await listener.wait_for("headroom", 5)
        assert [item.json["reason"] for item in listener.on("headroom")] == [
            "starting",
            "no_fuse",
            "offline",
            "starting",
            "stopping",
        ]


async def test_mosquittos_own_clients_get_along_with_it(broker: Broker) -> None:
    address = ["-h", broker.host, "-p", str(broker.port), "-V", "mqttv311"]
    subscriber = await asyncio.create_subprocess_exec(
        find("mosquitto_sub"),
        *address,
        *("-t", "sensed/#", "-q", "1", "-C", "2", "-W", "10", "-F", "%t %r %p"),
        stdout=asyncio.subprocess.PIPE,
    )
    await until(lambda: broker.sessions and next(iter(broker.sessions))._filters)
    for arguments in (["-t", "sensed/a", "-m", "one", "-q", "1"], ["-t", "sensed/b", "-m", "two"]):
        publisher = await asyncio.create_subprocess_exec(
            find("mosquitto_pub"), *address, *arguments
        )
        assert await publisher.wait() == 0
    output, _ = await subscriber.communicate()
    assert output == b"sensed/a 0 one\nsensed/b 0 two\n"


async def raw(broker: Broker, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(broker.host, broker.port)
    try:
        writer.write(data)
        async with asyncio.timeout(5):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: somebody who took a wrong turn\r\n\r\n",
        b"\xc0\x00",
        CONNECT_BYTES + CONNECT_BYTES,
        CONNECT_BYTES + b"\x30" + b"\xff\xff\xff\x7f",
        CONNECT_BYTES + encode(3, b"\0\1a" + bytes(LARGEST_PACKET_OCTETS)),
    ],
)
async def test_a_client_that_misbehaves_is_dropped_and_others_stay(
    broker: Broker, data: bytes
) -> None:
    async with listening(broker.port) as listener:
        await raw(broker, data)
        broker.publish(Publish("a", b"still here"))
        await until(lambda: listener.heard)


async def test_a_new_connection_of_the_same_client_ends_the_old_one(broker: Broker) -> None:
    reader, writer = await asyncio.open_connection(broker.host, broker.port)
    writer.write(CONNECT_BYTES)
    assert await reader.readexactly(4) == b"\x20\x02\x00\x00"
    async with aiomqtt.Client("127.0.0.1", broker.port, identifier="a"):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


@pytest.mark.slow
async def test_a_client_that_falls_silent_is_dropped_after_its_keepalive(broker: Broker) -> None:
    one_second = CONNECT_BYTES.replace(b"\x00\x0f", b"\x00\x01")
    assert await raw(broker, one_second) in (b"\x20\x02\x00\x00", b"")


async def test_a_subscriber_that_never_reads_is_dropped_and_memory_stays_bounded(
    broker: Broker,
) -> None:
    reader, writer = await asyncio.open_connection(broker.host, broker.port, limit=1024)
    writer.write(CONNECT_BYTES + b"\x82\x06\x00\x01\x00\x01#\x00")
    await until(lambda: any(session._filters for session in broker.sessions))
    del reader
    for _ in range(400):
        broker.publish(Publish("a", bytes(50_000)))
    await until(lambda: not broker.sessions)
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
