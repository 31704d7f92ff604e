"""The thin module over the D-Bus library: what peers may learn, and what they may not."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import sensed
from sensed.provisioning import gatt
from sensed.provisioning._bus import Bus, Signal
from sensed.provisioning.bus_objects import BusError, Interface, Method, Variant
from tests.provisioning.conftest import BOTH_LIBRARIES, Daemon
from tests.provisioning.peer import OBJECT_MANAGER, PROPERTIES, Peer, PeerError
from tests.waiting import until

pytestmark = BOTH_LIBRARIES

ROOT = "/test/root"
THING = ROOT + "/thing"
IFACE = "test.Thing"


@pytest.fixture
async def peer(dbus: Daemon) -> AsyncIterator[Peer]:
    made = Peer(dbus.address)
    await made.connect("test.peer")
    yield made
    await made.disconnect()


@pytest.fixture
async def bus(dbus: Daemon) -> AsyncIterator[Bus]:
    assert dbus
    made = await Bus.connect()
    yield made
    await made.close()


@pytest.fixture
async def name(bus: Bus) -> str:
    """Export an object for test.peer alone; the address of its connection."""

    def echo(body: list[Any]) -> list[Any]:
        return body

    def broken(_body: list[Any]) -> list[Any]:
        raise ZeroDivisionError("secret source line")

    def refusing(_body: list[Any]) -> list[Any]:
        raise BusError("test.Error.No", "not today")

    methods = {
        "Echo": Method("ay", "ay", echo),
        "Broken": Method("", "", broken),
        "Refusing": Method("", "", refusing),
    }
    properties = {"Size": Variant("u", 3), "Data": Variant("a{sv}", {"x": Variant("ay", b"12")})}
    objects = {THING: {IFACE: Interface(properties, methods)}}
    await bus.track("test.peer", lambda _owned: None)
    bus.export(ROOT, objects, only_from="test.peer")
    return str(bus._connection.unique_name)


async def test_calls_properties_and_objects_are_answered(peer: Peer, name: str) -> None:
    assert await peer.call(name, THING, f"{IFACE}.Echo", "ay", b"\x00\xff") == [b"\x00\xff"]
    assert await peer.call(name, THING, f"{PROPERTIES}.Get", "ss", IFACE, "Size") == [3]
    (everything,) = await peer.call(name, THING, f"{PROPERTIES}.GetAll", "s", IFACE)
    assert everything == {"Size": 3, "Data": {"x": b"12"}}
    (managed,) = await peer.call(name, ROOT, f"{OBJECT_MANAGER}.GetManagedObjects")
    assert managed == {THING: {IFACE: everything}}


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ((THING, f"{IFACE}.Nothing", ""), "UnknownMethod"),
        ((THING, f"{IFACE}.Echo", "s", "x"), "UnknownMethod"),
        ((THING, f"{PROPERTIES}.Get", "ss", IFACE, "TxPower"), "UnknownProperty"),
        ((THING, f"{PROPERTIES}.Get", "ss", "", "Size"), "UnknownInterface"),
        ((THING, f"{PROPERTIES}.GetAll", "s", "test.Other"), "UnknownInterface"),
        ((THING, f"{PROPERTIES}.GetAll", ""), "UnknownMethod"),
        ((ROOT + "/other", f"{PROPERTIES}.GetAll", "s", IFACE), "UnknownObject"),
        (("/", f"{OBJECT_MANAGER}.GetManagedObjects", ""), "UnknownObject"),
    ],
)
async def test_what_is_not_there_is_told_quietly(
    peer: Peer,
    name: str,
    call: tuple[Any, ...],
    error: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(PeerError) as told:
        await peer.call(name, *call)
    assert told.value.name == f"org.freedesktop.DBus.Error.{error}"
    assert not [
        record for record in caplog.records if "dbus" in record.name or record.name == "root"
    ]


async def test_properties_cannot_be_set(peer: Peer, name: str) -> None:
    from dbus_fast import Variant as Theirs

    with pytest.raises(PeerError, match="read-only"):
        await peer.call(name, THING, f"{PROPERTIES}.Set", "ssv", IFACE, "Size", Theirs("u", 4))


async def test_a_mistake_of_ours_is_logged_here_and_not_shown_there(
    peer: Peer, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(PeerError) as told:
        await peer.call(name, THING, f"{IFACE}.Broken")
    assert (told.value.name, told.value.text) == (
        "org.freedesktop.DBus.Error.Failed",
        "internal error",
    )
    assert "secret source line" in capsys.readouterr().out
    with pytest.raises(PeerError, match=r"test\.Error\.No: not today"):
        await peer.call(name, THING, f"{IFACE}.Refusing")


async def test_only_the_names_owner_is_answered(dbus: Daemon, name: str, peer: Peer) -> None:
    stranger = Peer(dbus.address)
    await stranger.connect()
    with pytest.raises(PeerError, match="AccessDenied"):
        await stranger.call(name, THING, f"{IFACE}.Echo", "ay", b"x")
    with pytest.raises(PeerError, match="AccessDenied"):
        await stranger.call(name, ROOT, f"{OBJECT_MANAGER}.GetManagedObjects")
    await stranger.disconnect()
    assert await peer.call(name, THING, f"{IFACE}.Echo", "ay", b"x")


async def test_signals_are_heard_from_the_owner_only(
    dbus: Daemon, bus: Bus, peer: Peer, name: str
) -> None:
    heard: list[Signal] = []
    await bus.listen("test.peer", "/a", heard.append, interface="test.I", below=True)
    stranger = Peer(dbus.address)
    await stranger.connect()
    from dbus_fast import Message, MessageType

    forged = Message(
        destination=name,
        message_type=MessageType.SIGNAL,
        path="/a/b",
        interface="test.I",
        member="Forged",
    )
    await stranger.bus.send(forged)
    peer.emit("/a/b", "test.I.True", "s", "x")
    peer.emit("/ab", "test.I.Elsewhere", "")
    peer.emit("/a", "test.I.Last", "")
    await until(lambda: heard and heard[-1].member == "Last")
    assert [(signal.member, signal.body) for signal in heard] == [("True", ["x"]), ("Last", [])]
    await stranger.disconnect()


async def test_an_owner_that_comes_and_goes_is_followed(bus: Bus, dbus: Daemon) -> None:
    changes: list[bool] = []
    assert not await bus.track("test.other", changes.append)
    other = Peer(dbus.address)
    await other.connect("test.other")
    await until(lambda: changes == [True])
    await other.disconnect()
    await until(lambda: changes == [True, False])
    assert bus.owner("test.other") == ""


async def test_errors_of_a_peer_and_time_outs(bus: Bus, peer: Peer) -> None:
    async def never(_path: str, _sender: str) -> Any:
        await asyncio.sleep(60)

    peer.objects["/x"] = {}
    peer.methods["test.I.Never"] = never
    with pytest.raises(BusError, match="UnknownMethod"):
        await bus.call("test.peer", "/x", "test.I.Nothing")
    with pytest.raises(BusError, match="no answer to Never"):
        await bus.call("test.peer", "/x", "test.I.Never", timeout_s=0.05)
    with pytest.raises(BusError, match="ServiceUnknown"):
        await bus.call("test.nobody", "/x", "test.I.Nothing")


async def test_a_bus_that_dies_is_noticed(bus: Bus, dbus: Daemon, peer: Peer) -> None:
    async def never(_path: str, _sender: str) -> Any:
        await asyncio.sleep(60)

    peer.objects["/x"] = {}
    peer.methods["test.I.Never"] = never
    call = asyncio.create_task(bus.call("test.peer", "/x", "test.I.Never"))
    await until(lambda: "Never" in peer.calls)
    dbus.stop()
    await asyncio.wait_for(bus.lost(), 5)
    with pytest.raises(BusError):
        await call
    bus.emit("/a", "test.I.Ignored", "")


async def test_a_bus_that_hangs_up_at_once_or_is_not_there(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert library
    path = tmp_path / "bus"
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={path}")
    with pytest.raises(BusError, match="cannot connect"):
        await Bus.connect()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def hang_up() -> None:
            listener.accept()[0].close()

        connecting = asyncio.create_task(Bus.connect())
        await asyncio.to_thread(hang_up)
        with pytest.raises(BusError, match="cannot connect"):
            await asyncio.wait_for(connecting, 5)


class Quiet:
    """A server for the tables alone."""

    def read(self, attribute: gatt.Attribute, device: str, mtu: int | None) -> bytes:
        return f"{attribute.name} {device} {mtu}".encode()

    def write(self, attribute: gatt.Attribute, octets: bytes, device: str, mtu: int | None) -> bool:
        return bool(attribute) and bool(octets) and bool(device) and mtu is not None

    def released(self) -> None:
        raise AssertionError


def test_the_advertisement_is_exactly_31_octets(library: str) -> None:
    assert library
    made = gatt.advertisement(Quiet(), "ø" * 40, gatt.IMPROV, b"\x02\x07\x00\x00\x00\x00")
    properties = made[gatt.ADVERTISEMENT][gatt.LE_ADVERTISEMENT].properties
    assert gatt.advertised_octets(properties) == 31
    assert len(properties["LocalName"].value.encode()) <= 29
    assert set(properties) == {"Type", "ServiceUUIDs", "ServiceData", "Discoverable", "LocalName"}


def test_the_characteristics_are_as_clients_need_them(library: str) -> None:
    assert library
    made = gatt.application(Quiet(), [gatt.IMPROV])
    characteristics = [
        interfaces[gatt.GATT_CHARACTERISTIC]
        for interfaces in made.values()
        if gatt.GATT_CHARACTERISTIC in interfaces
    ]
    flags = {
        item.properties["UUID"].value[-4:]: item.properties["Flags"].value
        for item in characteristics
    }
    assert flags == {
        "8001": ["read", "notify"],
        "8002": ["read", "notify"],
        "8003": ["write", "write-without-response"],
        "8004": ["read", "notify"],
        "8005": ["read"],
    }
    # Apps write to the first descriptor as if it configured notifications: there is only BlueZ's.
    assert not any("Descriptor" in name for interfaces in made.values() for name in interfaces)


def test_nothing_else_imports_the_library(library: str) -> None:
    assert library
    package = Path(sensed.__file__).parent
    importers = [
        path.relative_to(package).as_posix()
        for path in sorted(package.rglob("*.py"))
        if "_vendor" not in path.parts and re.search(r"dbus_(next|fast)", path.read_text("utf-8"))
    ]
    assert importers == ["provisioning/_bus.py"]


@pytest.mark.usefixtures("library")
async def test_where_there_is_no_bus_its_library_is_not_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def never() -> Any:
        raise AssertionError("the library was loaded")

    monkeypatch.setattr("sensed.provisioning._bus._library", never)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/bus")
    with pytest.raises(BusError, match="there is no such socket"):
        await Bus.connect()
