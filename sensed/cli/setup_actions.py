"""What ``sensed setup wifi``, ``mqtt`` and so on ask a device, and how its answers are shown."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sensed.errors import ConfigError

_LONGEST_FILE: Final = 8192

Ask = Callable[..., Awaitable[Mapping[str, Any]]]
"""Asks the device one thing: the request's name and its arguments."""


Question = Callable[[Ask], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Action:
    """One action: ``prepare`` asks the person what is missing and returns what to ask then."""

    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    prepare: Callable[[argparse.Namespace], Question]
    render: Callable[[Any], str]


def secret_from(file: Path | None, question: str) -> str:
    """Return a secret from a file, or typed where nobody sees it; never from the arguments."""
    if file is None:
        try:
            return getpass.getpass(question)
        except EOFError:
            raise ConfigError("Nothing was typed; name a file instead.") from None
    return text_from(file).strip("\r\n")


def text_from(file: Path) -> str:
    """Return a small file's text. Raises ConfigError."""
    try:
        with file.open("rb") as opened:
            return opened.read(_LONGEST_FILE).decode()
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: not UTF-8 text.") from None


# -- the actions -------------------------------------------------------------------------


def _no_arguments(_parser: argparse.ArgumentParser) -> None:
    """Nothing of its own."""


def _wifi_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ssid", nargs="?", metavar="NETWORK", help="name; none: list what is seen")
    parser.add_argument("--open", action="store_true", help="the network has no password")
    parser.add_argument(
        "--password-file", type=Path, metavar="FILE", help="file with the password (default: ask)"
    )


def _wifi(args: argparse.Namespace) -> Question:
    if args.ssid is None:
        return lambda ask: ask("wifi.scan")
    password = "" if args.open else secret_from(args.password_file, f"Password of {args.ssid}: ")
    return lambda ask: ask("wifi.join", ssid=args.ssid, password=password)


def _wifi_told(answer: Mapping[str, Any]) -> str:
    if "networks" in answer:
        return "\n".join(
            f"{one['ssid']:<32} {one['rssi_dbm']:>4} dBm  {one['auth']}"
            for one in answer["networks"]
        )
    return f"The device is on the network: {', '.join(answer['addresses'])}"


def _mqtt_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("host", nargs="?", metavar="HOST", help="broker; none: list what answers")
    parser.add_argument("--port", type=int, help="TCP port (default: 1883, with --tls 8883)")
    parser.add_argument("--tls", action="store_true", help="encrypt, and verify the broker")
    parser.add_argument("--username", metavar="NAME", help="user name; its password is asked for")
    parser.add_argument(
        "--password-file", type=Path, metavar="FILE", help="file with the password (default: ask)"
    )
    parser.add_argument(
        "--ca-file", type=Path, metavar="FILE", help="PEM file of certificates to trust instead"
    )
    parser.add_argument("--protocol", choices=("3.1.1", "5"), help="version of MQTT")


def _mqtt(args: argparse.Namespace) -> Question:
    if args.host is None:
        return lambda ask: ask("broker.suggest")
    account = args.username is not None
    values = {
        "mqtt.host": args.host,
        "mqtt.port": args.port or (8883 if args.tls else 1883),
        "mqtt.tls": args.tls,
        "mqtt.protocol": args.protocol,
        # All of these belonged to the broker of before.
        "mqtt.username": args.username,
        "mqtt.password": secret_from(args.password_file, "Its password: ") if account else None,
        "mqtt.ca_pem": text_from(args.ca_file) if args.ca_file else None,
    }
    return lambda ask: ask("settings.set", values=values)


def _mqtt_told(answer: Mapping[str, Any]) -> str:
    if "brokers" in answer:
        return "\n".join(
            f"{one['host']}:{one['port']}{' (wants an account)' if one['login'] else ''}"
            for one in answer["brokers"]
        )
    host = answer["settings"]["mqtt.host"]["value"]
    return f"The broker {host} has accepted the device; its settings are in force."


def _meter_arguments(parser: argparse.ArgumentParser) -> None:
    for name, what in (("key", "encryption key"), ("auth-key", "authentication key")):
        parser.add_argument(
            f"--{name}-file", type=Path, metavar="FILE", help=f"file with the {what}"
        )
    parser.add_argument("--forget", action="store_true", help="take both keys back")


def _meter(args: argparse.Namespace) -> Question:
    if args.forget:
        values: dict[str, str | None] = {"meter.key": None, "meter.auth_key": None}
    else:
        values = {"meter.key": secret_from(args.key_file, "Encryption key, 32 digits: ").strip()}
        if args.auth_key_file:
            values["meter.auth_key"] = text_from(args.auth_key_file).strip()
    return lambda ask: ask("settings.set", values=values)


def _set_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "values",
        nargs="*",
        metavar="SETTING=VALUE",
        help="such as fuse.main_a=25; nothing after = takes it back; none: list all settings",
    )


def _set(args: argparse.Namespace) -> Question:
    if not args.values:
        return lambda ask: ask("settings.get")
    values = dict(map(_setting, args.values))
    return lambda ask: ask("settings.set", values=values)


def _setting(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"{text}: write it as SETTING=VALUE.")
    if not value:
        return name, None
    if value in ("true", "false"):
        return name, value == "true"
    for kind in (int, float):
        try:
            number = kind(value)
        except ValueError:
            continue
        # What is a number for us may be text for the device, such as a version.
        return name, value if name in _TEXTS else number
    return name, value


_TEXTS: Final = frozenset({"device.name", "mqtt.host", "mqtt.username", "mqtt.protocol"})


def _settings_told(answer: Mapping[str, Any]) -> str:
    lines = []
    for name, what in answer["settings"].items():
        shown = ("set" if what["set"] else "not set") if "set" in what else what["value"]
        fixed = "  (fixed on the device)" if what["locked"] else ""
        lines.append(f"{name:<18} {'-' if shown is None else shown}{fixed}")
    return "\n".join(lines)


def _status(_args: argparse.Namespace) -> Question:
    return lambda ask: ask("status")


def _status_told(answer: Mapping[str, Any]) -> str:
    lines = [str(answer["words"])]
    marks = {True: "ok", False: "no", None: "?"}
    for name, fact in answer["facts"].items():
        words = fact["detail"] or fact["cause"] or ""
        lines.append(f"  {name.replace('_', ' '):<15} {marks[fact['holds']]:<3} {words}".rstrip())
    reading = answer["reading"] or {}
    for name, value in reading.items():
        lines.append(f"  {name:<18} {value}")
    if answer["wifi"]:
        lines.append(f"  Wi-Fi {answer['wifi']['ssid']}, {answer['wifi']['rssi_dbm']} dBm")
    return "\n".join(lines)


def _identify(_args: argparse.Namespace) -> Question:
    return lambda ask: ask("identify")


ACTIONS: Final[Mapping[str, Action]] = {
    "wifi": Action(
        "list the networks the device sees, or put it on one", _wifi_arguments, _wifi, _wifi_told
    ),
    "mqtt": Action(
        "list the brokers the device finds, or set one", _mqtt_arguments, _mqtt, _mqtt_told
    ),
    "meter": Action(
        "set the keys of a meter that encrypts",
        _meter_arguments,
        _meter,
        lambda _answer: "The meter's keys are in force.",
    ),
    "set": Action(
        "list the device's settings, or change some", _set_arguments, _set, _settings_told
    ),
    "status": Action(
        "show the device's state, as its light does", _no_arguments, _status, _status_told
    ),
    "identify": Action(
        "make the device's light flash white",
        _no_arguments,
        _identify,
        lambda _answer: "The device's light flashes white for ten seconds.",
    ),
}
