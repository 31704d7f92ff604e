"""The system D-Bus behind one thin module: calls, signals and exported objects.

Nothing else in sensed imports the D-Bus library. Only its connection and its messages
are used: every call that comes in is answered here, from tables, because the library's
own service objects send tracebacks to the peer and log what a peer asks in vain.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import structlog

from sensed.provisioning.bus_objects import (
    ERROR,
    PROPERTIES,
    Answer,
    BusError,
    Objects,
    Variant,
    invoke,
    managed,
)

_log = structlog.get_logger(__name__)

CALL_TIMEOUT_S: Final = 25.0
_CONNECT_TIMEOUT_S: Final = 10.0

_ADDRESS_OF_PATH: Final = "unix:path="
_USUAL_ADDRESS: Final = "unix:path=/var/run/dbus/system_bus_socket"

_DBUS: Final = "org.freedesktop.DBus"
_DBUS_PATH: Final = "/org/freedesktop/DBus"
OBJECT_MANAGER: Final = "org.freedesktop.DBus.ObjectManager"
_LEFT_TO_LIBRARY: Final = ("org.freedesktop.DBus.Peer", "org.freedesktop.DBus.Introspectable")

DISCONNECTED: Final = ERROR + "Disconnected"
NO_REPLY: Final = ERROR + "NoReply"


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal from a peer whose identity was checked."""

    path: str
    interface: str
    member: str
    body: list[Any]


@dataclass(frozen=True, slots=True)
class _Listener:
    sender: str
    path: str
    namespace: bool
    interface: str
    on_signal: Callable[[Signal], None]

    def wants(self, path: str, interface: str) -> bool:
        if self.interface and interface != self.interface:
            return False
        return path == self.path or (
            self.namespace and path.startswith(self.path.rstrip("/") + "/")
        )


@dataclass(frozen=True, slots=True)
class _Export:
    root: str
    objects: Objects
    only_from: str


class Bus:
    """One connection to the system bus; made by :meth:`connect`, dead once :meth:`lost` returns."""

    def __init__(self, library: ModuleType, connection: Any) -> None:
        """Wrap a connection that is up."""
        self._library = library
        self._connection = connection
        self._owners: dict[str, str] = {}
        self._owner_watchers: dict[str, list[Callable[[bool], None]]] = {}
        self._listeners: list[_Listener] = []
        self._exports: list[_Export] = []
        self._end = asyncio.create_task(_end_of(connection), name="bus-end")
        connection.add_message_handler(self._receive)

    @classmethod
    async def connect(cls) -> Bus:
        """Connect to the system bus. Raises BusError when there is none."""
        if not _may_be_there():
            raise BusError(DISCONNECTED, "cannot connect: there is no such socket")
        # The import takes seconds on a small board; meanwhile the meter is read on.
        library = await asyncio.to_thread(_library)
        failures = (OSError, TimeoutError, EOFError, library.AuthError)
        try:
            # The constructor takes the running loop: only ever called inside a coroutine.
            connection = _connection_class(library)(bus_type=library.BusType.SYSTEM)
        except failures as error:
            raise BusError(DISCONNECTED, f"cannot connect: {error}") from None
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                await connection.connect()
        except failures as error:
            connection.release()
            raise BusError(DISCONNECTED, f"cannot connect: {error}") from None
        return cls(library, connection)

    async def lost(self) -> None:
        """Return once the connection is gone, for whatever reason."""
        # Without the shield, giving up this wait would end the library's own.
        await asyncio.shield(self._end)

    async def close(self) -> None:
        """Hang up; calls under way fail."""
        if self._connection.connected:
            self._connection.disconnect()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await self.lost()
        self._connection.release()

    # -- calling ---------------------------------------------------------------------

    async def call(
        self,
        destination: str,
        path: str,
        method: str,
        signature: str = "",
        *body: Any,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> list[Any]:
        """Call ``interface.method`` and return what it gives. Raises BusError."""
        interface, _, member = method.rpartition(".")
        message = self._library.Message(
            destination=destination,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=self._pack(list(body)),
        )
        try:
            async with asyncio.timeout(timeout_s):
                reply = await self._connection.call(message)
        except TimeoutError:
            raise BusError(NO_REPLY, f"no answer to {member} within {timeout_s:.0f} s") from None
        except (OSError, EOFError) as error:
            raise BusError(DISCONNECTED, f"the bus was lost during {member}: {error}") from None
        if reply is None:
            raise BusError(DISCONNECTED, f"the bus was lost during {member}")
        if reply.message_type == self._library.MessageType.ERROR:
            text = str(reply.body[0]) if reply.body else "no reason given"
            raise BusError(str(reply.error_name), text)
        return [self._unpack(value) for value in reply.body]

    async def properties(self, destination: str, path: str, interface: str) -> dict[str, Any]:
        """Return every property of an interface. Raises BusError."""
        (values,) = await self.call(destination, path, f"{PROPERTIES}.GetAll", "s", interface)
        return dict(values)

    async def set_property(
        self, destination: str, path: str, interface: str, name: str, value: Variant
    ) -> None:
        """Set one property. Raises BusError."""
        await self.call(destination, path, f"{PROPERTIES}.Set", "ssv", interface, name, value)

    # -- hearing ---------------------------------------------------------------------

    def owner(self, name: str) -> str:
        """Return the unique name behind a tracked name, "" while nobody has it."""
        return self._owners.get(name, "")

    async def is_owned(self, name: str) -> bool:
        """Return whether anybody has a name just now; nobody is started. Raises BusError."""
        (owned,) = await self.call(_DBUS, _DBUS_PATH, f"{_DBUS}.NameHasOwner", "s", name)
        return bool(owned)

    async def track(self, name: str, on_change: Callable[[bool], None]) -> bool:
        """Follow who owns a name; return whether anybody does. Raises BusError.

        ``on_change`` gets whether the name has an owner, at each change.
        """
        watchers = self._owner_watchers.setdefault(name, [])
        watchers.append(on_change)
        if len(watchers) == 1:
            await self._match(
                f"type='signal',sender='{_DBUS}',path='{_DBUS_PATH}',interface='{_DBUS}',"
                f"member='NameOwnerChanged',arg0='{name}'"
            )
            try:
                (owner,) = await self.call(_DBUS, _DBUS_PATH, f"{_DBUS}.GetNameOwner", "s", name)
            except BusError as error:
                if error.name != ERROR + "NameHasNoOwner":
                    raise
            else:
                self._owners.setdefault(name, owner)
        return name in self._owners

    async def listen(
        self,
        sender: str,
        path: str,
        on_signal: Callable[[Signal], None],
        *,
        interface: str = "",
        below: bool = False,
    ) -> None:
        """Have signals of ``sender`` delivered for as long as the connection lives.

        ``below`` includes every object beneath ``path``. Raises BusError.
        """
        if sender not in self._owner_watchers:
            await self.track(sender, lambda _owned: None)
        where = "path_namespace" if below else "path"
        rule = f"type='signal',sender='{sender}',{where}='{path}'"
        if interface:
            rule += f",interface='{interface}'"
        self._listeners.append(_Listener(sender, path, below, interface, on_signal))
        await self._match(rule)

    async def _match(self, rule: str) -> None:
        await self.call(_DBUS, _DBUS_PATH, f"{_DBUS}.AddMatch", "s", rule)

    # -- being called ----------------------------------------------------------------

    def export(self, root: str, objects: Objects, *, only_from: str) -> None:
        """Answer calls for ``objects`` beneath ``root``, from the owner of one tracked name only.

        ``root`` itself answers ObjectManager.GetManagedObjects.
        """
        self._exports.append(_Export(root, objects, only_from))

    def emit(self, path: str, signal: str, signature: str, *body: Any) -> None:
        """Send a signal; nothing happens when the connection is gone."""
        interface, _, member = signal.rpartition(".")
        if self._connection.connected:
            message = self._library.Message(
                message_type=self._library.MessageType.SIGNAL,
                path=path,
                interface=interface,
                member=member,
                signature=signature,
                body=self._pack(list(body)),
            )
            self._connection.send(message)

    def properties_changed(
        self, path: str, interface: str, properties: Mapping[str, Variant]
    ) -> None:
        """Tell peers that properties of an exported object have new values."""
        self.emit(
            path, f"{PROPERTIES}.PropertiesChanged", "sa{sv}as", interface, dict(properties), []
        )

    def _receive(self, message: Any) -> Any:
        """Take a message from the library: a Message back is the reply, True means dealt with."""
        kinds = self._library.MessageType
        try:
            if message.message_type == kinds.SIGNAL:
                self._hear(message)
                return None
            if message.message_type != kinds.METHOD_CALL or message.interface in _LEFT_TO_LIBRARY:
                return None
            reply = self._answer(message)
        except Exception:  # noqa: BLE001 - no mistake of ours may reach the library, or the peer
            # Whatever this is, it is our mistake: told in full here, and not at all to the peer.
            _log.exception("bus_handler_failed", member=message.member)
            if message.message_type != kinds.METHOD_CALL:
                return True
            reply = self._error(message, ERROR + "Failed", "internal error")
        quiet = message.flags & self._library.MessageFlag.NO_REPLY_EXPECTED
        return True if quiet else reply

    def _hear(self, message: Any) -> None:
        if message.sender == _DBUS:
            if message.member == "NameOwnerChanged":
                self._owner_changed(*message.body)
            return
        signal = Signal(
            message.path, message.interface, message.member, self._unpack(list(message.body))
        )
        for listener in tuple(self._listeners):
            from_owner = self.owner(listener.sender) == message.sender
            if from_owner and listener.wants(signal.path, signal.interface):
                listener.on_signal(signal)

    def _owner_changed(self, name: str, _old: str, new: str) -> None:
        if name not in self._owner_watchers:
            return
        if new:
            self._owners[name] = new
        else:
            self._owners.pop(name, None)
        for watcher in self._owner_watchers[name]:
            watcher(bool(new))

    def _answer(self, message: Any) -> Any:
        try:
            signature, body = self._result(message)
        except BusError as error:
            return self._error(message, error.name, error.text)
        return self._library.Message.new_method_return(message, signature, self._pack(body))

    def _result(self, message: Any) -> Answer:
        for export in self._exports:
            if message.path != export.root and message.path not in export.objects:
                continue
            if self.owner(export.only_from) != message.sender:
                raise BusError(ERROR + "AccessDenied", "not for this caller")
            if message.interface == OBJECT_MANAGER and message.path == export.root:
                return managed(export.objects)
            body = self._unpack(list(message.body))
            interfaces = export.objects.get(message.path, {})
            asked = (message.interface, message.member, message.signature)
            return invoke(interfaces, *asked, body)
        raise BusError(ERROR + "UnknownObject", "no such object")

    def _error(self, message: Any, name: str, text: str) -> Any:
        return self._library.Message.new_error(message, name, text)

    # -- values ----------------------------------------------------------------------

    def _pack(self, value: Any) -> Any:
        if isinstance(value, Variant):
            return self._library.Variant(value.signature, self._pack(value.value))
        if isinstance(value, dict):
            return {key: self._pack(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._pack(item) for item in value]
        return value

    def _unpack(self, value: Any) -> Any:
        if isinstance(value, self._library.Variant):
            return self._unpack(value.value)
        if isinstance(value, dict):
            return {key: self._unpack(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._unpack(item) for item in value]
        return value


async def _end_of(connection: Any) -> None:
    with contextlib.suppress(OSError, EOFError):
        await connection.wait_for_disconnect()


def _may_be_there() -> bool:
    """Tell whether connecting is worth a try: without a bus its library is not needed either."""
    address = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS", _USUAL_ADDRESS)
    path = address.removeprefix(_ADDRESS_OF_PATH)
    plain = path != address and not set(path) & set(",;%")
    return not plain or Path(path).exists()


def _library() -> ModuleType:
    """Import the D-Bus library: dbus-next, or dbus-fast, which has the same names."""
    try:
        return _with_aio("dbus_next")
    except ImportError:
        return _with_aio("dbus_fast")


def _with_aio(name: str) -> ModuleType:
    importlib.import_module(f"{name}.aio")
    return importlib.import_module(name)


def _connection_class(library: ModuleType) -> Any:
    base: Any = importlib.import_module(f"{library.__name__}.aio").MessageBus

    class Connection(base):  # type: ignore[misc]  # the library is found at run time
        """The library's connection, with what it lacks at its end."""

        def __init__(self, **options: Any) -> None:
            try:
                super().__init__(**options)
            except OSError:
                self.release()
                raise

        def send(self, message: Any) -> Any:
            sent = super().send(message)
            # A connection that breaks is seen in lost(); the library forgets these futures.
            sent.add_done_callback(lambda done: done.cancelled() or done.exception())
            return sent

        def release(self) -> None:
            """Close what the library leaves to the garbage collector."""
            for name in ("_stream", "_sock"):
                opened = getattr(self, name, None)
                if opened is not None:
                    opened.close()

        async def _auth_readline(self) -> str:
            # The library itself spins for ever on an end of file here.
            line = b""
            while not line.endswith(b"\r\n"):
                octets = await self._loop.sock_recv(self._sock, 1)
                if not octets:
                    raise EOFError("closed during authentication")
                line += octets
            return line[:-2].decode()

    return Connection
