"""Objects for D-Bus as tables: what they have, what they answer, and errors on the bus."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sensed.errors import SensedError

PROPERTIES: Final = "org.freedesktop.DBus.Properties"
ERROR: Final = "org.freedesktop.DBus.Error."


class BusError(SensedError, ConnectionError):
    """A call failed or there is no bus; ``name`` is the D-Bus error name."""

    def __init__(self, name: str, text: str) -> None:
        """Keep the error's name beside its text."""
        super().__init__(f"{text} ({name})")
        self.name = name
        self.text = text


@dataclass(frozen=True, slots=True)
class Variant:
    """A value with its D-Bus type, for what is sent; what is received comes as plain values."""

    signature: str
    value: Any


Handle = Callable[[list[Any]], Sequence[Any]]
"""Takes a method's arguments and returns its results."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method that peers may call; ``handle`` takes the arguments and must not wait.

    It may raise BusError: name and text go to the peer. Nothing else ever does.
    """

    takes: str
    gives: str
    handle: Handle


@dataclass(slots=True)
class Interface:
    """An interface of an exported object: its properties (read-only for peers) and methods."""

    properties: dict[str, Variant] = field(default_factory=dict)
    methods: Mapping[str, Method] = field(default_factory=dict)


Objects = Mapping[str, Mapping[str, Interface]]
"""Object path to interface name to interface."""


Answer = tuple[str, list[Any]]
"""The signature and the values of a reply."""


def managed(objects: Objects) -> Answer:
    """Return what ObjectManager.GetManagedObjects gives."""
    found = {
        path: {name: interface.properties for name, interface in interfaces.items()}
        for path, interfaces in objects.items()
    }
    return "a{oa{sa{sv}}}", [found]


def invoke(
    interfaces: Mapping[str, Interface], name: str, member: str, signature: str, body: list[Any]
) -> Answer:
    """Return what a call of ``name.member`` on an object gives. Raises BusError."""
    if name == PROPERTIES:
        return _property(interfaces, member, signature, body)
    interface = interfaces.get(name)
    method = interface.methods.get(member) if interface else None
    if method is None or method.takes != signature:
        raise BusError(ERROR + "UnknownMethod", "no such method")
    return method.gives, list(method.handle(body))


def _property(
    interfaces: Mapping[str, Interface], member: str, signature: str, body: list[Any]
) -> Answer:
    wanted = {"Get": "ss", "GetAll": "s", "Set": "ssv"}
    if wanted.get(member) != signature:
        raise BusError(ERROR + "UnknownMethod", "no such method")
    interface = interfaces.get(body[0])
    if interface is None:
        raise BusError(ERROR + "UnknownInterface", "no such interface")
    if member == "GetAll":
        return "a{sv}", [interface.properties]
    value = interface.properties.get(body[1])
    if value is None:
        raise BusError(ERROR + "UnknownProperty", "no such property")
    if member == "Set":
        raise BusError(ERROR + "PropertyReadOnly", "the property is read-only")
    return "v", [value]
