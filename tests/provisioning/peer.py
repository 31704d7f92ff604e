"""A service on the test's own bus, made with the other D-Bus library than sensed's own."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable
from typing import Any

from dbus_fast import Message, MessageFlag, MessageType, Variant
from dbus_fast.aio import MessageBus

PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"

Answer = tuple[str, list[Any]]
NOTHING: Answer = ("", [])


class PeerError(Exception):
    """An error reply, sent or received."""

    def __init__(self, name: str, text: str = "") -> None:
        super().__init__(f"{name}: {text}")
        self.name = name
        self.text = text


def plain(value: Any) -> Any:
    if isinstance(value, Variant):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


class Peer:
    """Objects with properties and methods that a test can see and change."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.bus: Any = None
        self.objects: dict[str, dict[str, dict[str, Variant]]] = {}
        self.methods: dict[str, Callable[..., Any]] = {}
        self.calls: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def connect(self, name: str = "") -> None:
        self.bus = await MessageBus(bus_address=self._address).connect()
        self.bus.add_message_handler(self._receive)
        if name:
            await self.bus.request_name(name)

    async def disconnect(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self.bus is not None:
            self.bus.disconnect()
            with contextlib.suppress(OSError, EOFError):
                await self.bus.wait_for_disconnect()
            # Older releases of the library leave these to the garbage collector.
            for left in (self.bus._stream, self.bus._sock):
                left.close()

    async def call(
        self, to: str, path: str, method: str, signature: str = "", *body: Any
    ) -> list[Any]:
        interface, _, member = method.rpartition(".")
        message = Message(
            destination=to,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=list(body),
        )
        reply = await asyncio.wait_for(self.bus.call(message), 5)
        if reply.message_type is MessageType.ERROR:
            raise PeerError(reply.error_name, str(reply.body[0]) if reply.body else "")
        return plain(list(reply.body))

    def emit(self, path: str, signal: str, signature: str, *body: Any) -> None:
        interface, _, member = signal.rpartition(".")
        self.bus.send(Message.new_signal(path, interface, member, signature, list(body)))

    def change(self, path: str, interface: str, **values: Variant) -> None:
        self.objects[path][interface].update(values)
        self.emit(path, f"{PROPERTIES}.PropertiesChanged", "sa{sv}as", interface, dict(values), [])

    def hear(self, message: Any) -> None:
        """Take a signal; for subclasses."""

    def later(self, delay_s: float, act: Callable[[], None]) -> None:
        async def run() -> None:
            await asyncio.sleep(delay_s)
            act()

        self._start(run())

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _receive(self, message: Any) -> bool:
        if message.message_type is MessageType.SIGNAL:
            self.hear(message)
            return False
        if message.message_type is not MessageType.METHOD_CALL:
            return False
        self.calls.append(message.member)
        self._start(self._answer(message))
        return True

    async def _answer(self, message: Any) -> None:
        try:
            answer = self._result(message)
            if inspect.isawaitable(answer):
                answer = await answer
            reply = Message.new_method_return(message, *answer)
        except PeerError as error:
            reply = Message.new_error(message, error.name, error.text)
        if not message.flags & MessageFlag.NO_REPLY_EXPECTED:
            self.bus.send(reply)

    def _result(self, message: Any) -> Any:
        body = plain(message.body)
        if message.interface == OBJECT_MANAGER and message.path == "/":
            return "a{oa{sa{sv}}}", [self.objects]
        if message.path not in self.objects:
            raise PeerError("org.freedesktop.DBus.Error.UnknownObject", message.path)
        interfaces = self.objects[message.path]
        if message.interface == PROPERTIES:
            if body[0] not in interfaces:
                raise PeerError("org.freedesktop.DBus.Error.UnknownInterface", body[0])
            if message.member == "GetAll":
                return "a{sv}", [interfaces[body[0]]]
            return self.set_property(message.path, *message.body)
        handler = self.methods.get(f"{message.interface}.{message.member}")
        if handler is None:
            raise PeerError("org.freedesktop.DBus.Error.UnknownMethod", message.member)
        return handler(message.path, message.sender, *body)

    def set_property(self, path: str, interface: str, name: str, value: Variant) -> Answer:
        self.change(path, interface, **{name: value})
        return NOTHING
