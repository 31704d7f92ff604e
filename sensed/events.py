"""Every event that sensed writes: one table of names, levels, sentences and message ids.

A kind of event keeps its MESSAGE_ID for ever: searches, alarms and the message catalogs
in ``systemd/`` refer to it. A new one is made with ``systemd-id128 new``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Final

_LONGEST_WORD: Final = 200
_TRACE_KEYS: Final = ("exception", "stacks")
_HIDDEN_KEYS: Final = frozenset({"event", "level", "timestamp", *_TRACE_KEYS})


@dataclass(frozen=True, slots=True)
class EventKind:
    """What is fixed about a kind of event; ``sentence`` names the event's own keys in braces."""

    message_id: str
    level: str
    sentence: str

    @property
    def keys(self) -> frozenset[str]:
        """The keys that the sentence tells."""
        return frozenset(name for _, name, _, _ in Formatter().parse(self.sentence) if name)


EVENTS: Final[Mapping[str, EventKind]] = {
    "started": EventKind("35402611933449b69da54c7e57b3f3a6", "info", "sensed has started."),
    "stopping": EventKind(
        "ec7c886f0de940e18d40512adad3cd23",
        "info",
        "sensed is stopping, as it was told to.",
    ),
    "state_changed": EventKind("ec55738f4411459290718f588b6788f8", "info", "State: {words}"),
    "port_opened": EventKind(
        "bbe6d157dc8543059cf93dc0084224d2",
        "info",
        "The meter's port {device} is open ({settings}).",
    ),
    "settings_tried": EventKind(
        "ea821f8f8ca943c7bb845d7d0402c054",
        "info",
        "Nothing readable so far on {device}: now trying {settings}.",
    ),
    "port_lost": EventKind(
        "c8a6cf1f1fd74351b6317318a3f1bd91",
        "warning",
        "No meter's port. {detail}",
    ),
    "meter_found": EventKind(
        "3803641543e44d97b21999d28b31675d",
        "info",
        "Found the meter {meter_id}, type {meter_type}, made by {maker}.",
    ),
    "list_unreadable": EventKind("68d800556e324135911295b63884b3f2", "warning", "{detail}"),
    "lists_unverified": EventKind(
        "7008287e7b8c44dcb412341578365d05",
        "warning",
        "The meter's lists are read, but cannot be verified without the authentication key.",
    ),
    "adapter_alters_octets": EventKind(
        "c9c119136acf4f81a78ededa50ae226d",
        "warning",
        "The adapter puts a carriage return before each line feed; the lists are mended.",
    ),
    "octets_dropped": EventKind(
        "638d8094a5c14c83984d8a9c590c7c9f",
        "warning",
        "More came from the meter than could be read; {octets} octets were dropped.",
    ),
    "list": EventKind("a51fe7bcfcaf450182a42978a349150e", "debug", "A list of layout {layout}."),
    "line_event": EventKind(
        "60a30b87c1c14541a8cf7a712b20a9c0",
        "debug",
        "On the meter's line: {found}",
    ),
    "addresses_changed": EventKind(
        "b41235fb274342dd9be40ba87f0f9683",
        "info",
        "Addresses of this device: {addresses}.",
    ),
    "broker_connected": EventKind(
        "4d601c0c943b4375ae44511d608058ed",
        "info",
        "The broker has accepted the connection.",
    ),
    "broker_lost": EventKind("4cd34392f9a94211841d2d045bc8f3c2", "warning", "{detail}"),
    "light_unavailable": EventKind(
        "7c885d7c562744d389dd4e69256b99c0",
        "warning",
        "The light cannot be used; readings go on. {detail}",
    ),
    "reloaded": EventKind(
        "105d9bfe57e74a2f96a8bf900f52aef3", "info", "The configuration was read again."
    ),
    "reload_refused": EventKind(
        "d6cd8744b435467c964796e385a87447",
        "error",
        "The new configuration is wrong, the old one stays in force. {detail}",
    ),
    "part_stuck": EventKind(
        "ef294086939f43f09b5bbb57b758a55f",
        "error",
        "A mistake in sensed holds up {parts}; systemd will start sensed again.",
    ),
    "setup_opened": EventKind(
        "67fbb5a6398146f480d81262a52ef414",
        "info",
        "Set-up over Bluetooth is open for {minutes} minutes.",
    ),
    "setup_closed": EventKind(
        "6304032b2f2f4be3b9b395d2cee9353d", "info", "Set-up over Bluetooth is closed."
    ),
    "setup_reset": EventKind(
        "38db1aad5b1347088aad90261a67124b",
        "info",
        "Set-up was undone; {networks} Wi-Fi networks were forgotten.",
    ),
    "setup_client_dropped": EventKind(
        "69e42b5c24524637893320848e9cec1d", "info", "The phone {client} was disconnected: {why}"
    ),
    "identify": EventKind(
        "f5485c6e5ded40dd9a89662b6abbd6b4",
        "info",
        "A phone asked which device this is; the light shows it.",
    ),
    "wifi_joined": EventKind(
        "ce9475253cbc458cb05b6ecdb81959a3", "info", "Joined the Wi-Fi network {ssid}."
    ),
    "wifi_tried_again": EventKind(
        "f9301b9f30174b308b994ef37a96f017",
        "info",
        "NetworkManager leaves the Wi-Fi network {ssid} alone: joining it again.",
    ),
    "wifi_join_failed": EventKind(
        "76ae398ee19e4c2cba60f95feb378119",
        "warning",
        "Could not join the Wi-Fi network {ssid}: {detail}",
    ),
    "wifi_scan_failed": EventKind(
        "a09a9d9bf13f4cbab46c8ef078cc30da", "warning", "Could not look for Wi-Fi networks: {detail}"
    ),
    "bluetooth_available": EventKind(
        "3de0ed7f99ae4f83a914e578305ab585", "info", "Bluetooth can be used for set-up."
    ),
    "bluetooth_unavailable": EventKind(
        "2ee5d653741b4bf7863d47f470009569",
        "warning",
        "No set-up over Bluetooth; readings go on. {detail}",
    ),
    "control_unavailable": EventKind(
        "1f54e2de610c4d46aeebe352554d7477",
        "warning",
        "Other programs cannot ask the daemon at {path}: {detail}",
    ),
    "bus_refused": EventKind("9df80c944bde46f28d117b30cae7a530", "debug", "On D-Bus: {detail}"),
    "bus_handler_failed": EventKind(
        "3a4ec2dfa6c542999e9b230f9f2f21b5",
        "error",
        "A mistake in sensed kept it from answering {member} on D-Bus.",
    ),
    "button_unavailable": EventKind(
        "1f1898fc76e8417bae881eb372fa4bd5",
        "warning",
        "The button cannot be used; all else goes on. {detail}",
    ),
    "setup_refused": EventKind(
        "f318dae93f0440538b4ccc7b82d6b922", "warning", "Set-up was not opened: {detail}"
    ),
    "setup_session_begun": EventKind(
        "1f809e65e3b04a13a4344b18bebc504a",
        "info",
        "A client that knows the set-up code is connected.",
    ),
    "setup_session_ended": EventKind(
        "996a5139bb434fdab1dd727eca4f3edd",
        "info",
        "The encrypted set-up session has ended: {detail}",
    ),
    "setup_handshake_failed": EventKind(
        "ff77311777944096835c4b4adae49410",
        "debug",
        "A client got no encrypted session ({cause}): {detail}",
    ),
    "setup_code_wrong": EventKind(
        "a405e0bf89424cfbae9a646f31f40875",
        "warning",
        "A wrong set-up code was tried; {tries_left} more may be.",
    ),
    "setup_locked": EventKind(
        "e467a39a75954991a944225a1a0a30f1",
        "warning",
        "Too many wrong set-up codes: for {seconds} s none is tried.",
    ),
    "setup_code_made": EventKind(
        "fd1e312db6ab4e9ea9e63eb434fd853c",
        "info",
        "A new set-up code was made; sensed setup code shows it.",
    ),
    "setup_code_unavailable": EventKind(
        "aded1e84cddd46feb1ae06c9d0a48f40",
        "warning",
        "Set-up cannot keep {path}; all else goes on: {detail}",
    ),
    "settings_stored": EventKind(
        "0e3724c9e71d4af8bc5f490a8f76e16f",
        "info",
        "Set-up has set {settings}.",
    ),
    "settings_refused": EventKind(
        "07531af6d8554907a62fdfbe56a0442a",
        "warning",
        "Set-up could not set {settings}: {detail}",
    ),
    "history_trouble": EventKind("4f832e8ee64a4b7890b46b11d15ded7a", "warning", "{detail}"),
    "library_message": EventKind(
        "6d99751937384cc6b230ba78bbdccf83",
        "warning",
        "The library {library} says: {text}",
    ),
    "part_crashed": EventKind(
        "92a8524c305e4c209007e0fa7af88652",
        "error",
        "A mistake in sensed stopped its part {part}; it starts again in {restart_in_s} s.",
    ),
}
"""Event name to its kind."""


def sentence(name: str, event: Mapping[str, object]) -> str:
    """Return the event as one line for a person."""
    kind = EVENTS.get(name)
    if kind is None:
        return " ".join([escaped(name), *remarks(name, event)])
    told = {key: _word(event.get(key, "?")) for key in kind.keys}
    return kind.sentence.format_map(told)


def remarks(name: str, event: Mapping[str, object]) -> list[str]:
    """Return "key=value" for each fact that the sentence does not tell."""
    told = EVENTS[name].keys if name in EVENTS else frozenset()
    return [
        f"{key}={_quoted(_word(value))}"
        for key, value in event.items()
        if key not in told and key not in _HIDDEN_KEYS and value is not None
    ]


def traces(event: Mapping[str, object]) -> list[str]:
    """Return what of the event takes several lines: a traceback, the stacks of tasks."""
    return [escaped(event[key], keep="\n").rstrip("\n") for key in _TRACE_KEYS if event.get(key)]


def escaped(value: object, *, keep: str = "") -> str:
    """Show a value, with each character that a terminal or a log could obey spelled out."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value.hex() if isinstance(value, bytes | bytearray) else str(value)
    if text.isprintable():
        return text
    return "".join(
        char
        if char.isprintable() or char in keep
        else char.encode("unicode_escape", "surrogatepass").decode("ascii")
        for char in text
    )


def _word(value: object) -> str:
    shown = escaped(value)
    return shown if len(shown) <= _LONGEST_WORD else shown[:_LONGEST_WORD] + "..."


def _quoted(shown: str) -> str:
    return f'"{shown}"' if " " in shown or not shown else shown
