"""Checks a setting's value must pass; each raises ValueError ending "must be ...".

A check takes what TOML delivers and returns the typed value.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final, TypeVar

from sensed.errors import ConfigError
from sensed.han.layouts.configured import layout_fault
from sensed.han.port_address import tcp_address
from sensed.han.port_settings import SerialSettings
from sensed.leds.night import NightHours
from sensed.secret import Secret

T = TypeVar("T")
Check = Callable[[object], T]

_BCM_LINES: Final = range(28)
_LINES_OF_A_LIGHT: Final = 3
_MAX_CT_RATIO: Final = 10_000
_LONGEST_CERTIFICATES: Final = 3072
_WEB_ADDRESS: Final = re.compile(
    r"(https://[^/?#\s]+|http://localhost(:\d{1,5})?)([/?][^#\s]*)?", re.ASCII
)
_AUTO: Final = "auto"


def text(what: str = "text", *, longest: int = 255) -> Check[str]:
    """Accept printable text of 1 to ``longest`` characters."""

    def check(value: object) -> str:
        if (
            not isinstance(value, str)
            or not value
            or len(value) > longest
            or not value.isprintable()
        ):
            raise ValueError(f"must be {what} of 1 to {longest} printable characters")
        return value

    return check


def optional(check: Check[T]) -> Check[T | None]:
    """Accept the empty string for "not set", else what ``check`` accepts."""

    def checked(value: object) -> T | None:
        return None if value == "" else check(value)

    return checked


def integer(lowest: int, highest: int) -> Check[int]:
    """Accept a whole number in the closed range."""

    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            raise ValueError(f"must be a whole number from {lowest} to {highest}")
        return value

    return check


def number(lowest: int, highest: int) -> Check[int | Decimal]:
    """Accept a number, whole or not, in the closed range; it stays exact."""

    def check(value: object) -> int | Decimal:
        exact = Decimal(str(value)) if _is_number(value) else Decimal("nan")
        if not exact.is_finite() or not lowest <= exact <= highest:
            raise ValueError(f"must be a number from {lowest} to {highest}")
        return int(exact) if exact == exact.to_integral_value() else exact

    return check


def boolean(value: object) -> bool:
    """Accept true or false."""
    if value is True or value is False:
        return value
    raise ValueError("must be true or false")


def one_of(choices: Sequence[str]) -> Check[str]:
    """Accept one of the given words."""

    def check(value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return value

    return check


def secret(value: object) -> Secret:
    """Accept text that must never be shown."""
    if not isinstance(value, str) or not value:
        raise ValueError("must be a text in quotes")
    return Secret(value)


def certificates(value: object) -> str:
    """Accept one certificate or several as PEM text."""
    if isinstance(value, str) and value.isascii() and len(value) <= _LONGEST_CERTIFICATES:
        import ssl

        with contextlib.suppress(ssl.SSLError):
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=value)
            return value
    raise ValueError(f"must be certificates as PEM text of at most {_LONGEST_CERTIFICATES} octets")


def web_address(value: object) -> str:
    """Accept the address of a page that browsers let use Bluetooth: https, or this machine."""
    if not isinstance(value, str) or not _WEB_ADDRESS.fullmatch(value):
        raise ValueError("must be an address that begins with https:// and has no fragment")
    return value


def key_hex(value: object) -> Secret:
    """Accept a 16-octet key as 32 hexadecimal digits."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9A-Fa-f]{32}", value):
        raise ValueError("must be 32 hexadecimal digits")
    return Secret(value)


def gpio_lines(value: object) -> tuple[int, int, int]:
    """Accept three different BCM line numbers: red, green, blue."""
    if (
        not isinstance(value, list)
        or len(value) != _LINES_OF_A_LIGHT
        or not all(isinstance(line, int) and not isinstance(line, bool) for line in value)
        or not all(line in _BCM_LINES for line in value)
        or len(set(value)) != _LINES_OF_A_LIGHT
    ):
        raise ValueError("must be three different BCM line numbers from 0 to 27, as [17, 27, 22]")
    red, green, blue = value
    return red, green, blue


def ratio(value: object) -> int | Decimal:
    """Accept the ratio of the meter's external current transformers."""
    try:
        exact = number(0, _MAX_CT_RATIO)(value)
    except ValueError:
        exact = 0
    if not exact:
        raise ValueError(f"must be a number above 0 and at most {_MAX_CT_RATIO}, as 40 for 200/5 A")
    return exact


def layout(value: object) -> tuple[str, ...]:
    """Accept reading keys in wire order, "-" for a value to pass over; none for no layout."""
    if not isinstance(value, list) or not all(isinstance(key, str) for key in value):
        raise ValueError('must be a list of reading keys, as ["meter_id", "-", "power_import_w"]')
    if value and (fault := layout_fault(value)):
        raise ValueError(fault)
    return tuple(value)


def meter_port(value: object) -> str:
    """Accept "auto", a device path, or the address of a serial server."""
    what = "a device path, socket://host:port or auto"
    port = text(what)(value)
    try:
        tcp_address(port)
    except ConfigError:
        raise ValueError(f"must be {what}") from None
    return port


def serial_format(value: object) -> str:
    """Accept "auto" or a line format such as "2400 8E1"."""
    if isinstance(value, str):
        if value == _AUTO:
            return value
        with contextlib.suppress(ConfigError):
            return str(SerialSettings.parse(value))
    raise ValueError('must be "auto" or a line format such as "2400 8E1"')


def night_hours(value: object) -> NightHours:
    """Accept two times of day, such as "22:00-06:30"."""
    return NightHours.parse(value if isinstance(value, str) else "")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
