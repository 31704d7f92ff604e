"""``sensed decode``: a capture of a meter's port to readings."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from sensed.errors import ConfigError

if TYPE_CHECKING:
    from sensed.han import Event, HanDecoder, ListDecoded, MeterKeys, Quantity

SUMMARY: Final = "decode a capture: hex text or raw octets to readings"

_CHUNK: Final = 16384
_HEX_TEXT: Final = re.compile(rb"(?:[0-9A-Fa-f\s:]++|#[^\n]*+)*+")
_HEX_LINE: Final = re.compile(rb"[0-9A-Fa-f]*")
_IGNORED: Final = b" \t\r\v\f:"
_MOST_NOTES: Final = 100
_PROGRESS_S: Final = 1.0
_UNITS: Final = {"w": "W", "var": "var", "a": "A", "v": "V", "wh": "Wh", "varh": "varh"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--input",
        choices=("auto", "hex", "bin"),
        default="auto",
        help="hex text (white space, ':' and remarks after '#' ignored) or raw octets "
        "(default: auto)",
    )
    parser.add_argument(
        "--format",
        choices=("json", "table"),
        default="json",
        help="one JSON object per reading and line, or a table (default: json)",
    )
    parser.add_argument("--key", metavar="HEX", help="the meter's encryption key, 32 hex digits")
    parser.add_argument("--auth-key", metavar="HEX", help="its authentication key, 32 hex digits")
    parser.add_argument(
        "--layout",
        metavar="KEYS",
        default="",
        help='order of a list that does not tell it: reading keys with commas between, "-" '
        "for a value to pass over",
    )
    parser.add_argument(
        "file", nargs="?", default="-", metavar="FILE", help="capture; - is standard input"
    )


def main(args: argparse.Namespace) -> int:
    """Decode a capture; return 0 if at least one reading came out, else 1.

    Raises:
        ConfigError: a key or the layout is wrong or the file cannot be read.

    """
    from sensed.han import HanDecoder, ListDecoded

    layout = [key.strip() for key in args.layout.split(",")] if args.layout else []
    decoder = HanDecoder(keys=_keys(args.key, args.auth_key), layout=layout)
    show = _show_json if args.format == "json" else _show_table
    notes = _Notes()
    readings = 0
    with _opened(args.file) as stream:
        chunks = _with_progress(_chunks(stream), args.file)
        for events in _events(decoder, _octets(chunks, args.input, notes)):
            for event in events:
                if isinstance(event, ListDecoded):
                    readings += 1
                    show(event)
                else:
                    notes.add(_sentence(event))
            sys.stdout.flush()
    notes.close(decoder, readings)
    return 0 if readings else 1


def _keys(encryption: str | None, authentication: str | None) -> MeterKeys | None:
    from sensed.han import MeterKeys

    if encryption:
        return MeterKeys.from_hex(encryption, authentication)
    if authentication:
        raise ConfigError("--auth-key alone opens nothing; give the encryption key with --key.")
    return None


# -- input ----------------------------------------------------------------------


@contextlib.contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        with Path(name).open("rb", buffering=0) as stream:
            yield stream
    except OSError as error:
        if error.filename is None:
            raise
        raise ConfigError(
            f"{name} cannot be read: {error.strerror}; give a readable file, or - for stdin."
        ) from None


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield octets as soon as they come."""
    read: Callable[[int], bytes] = getattr(stream, "read1", stream.read)
    while chunk := read(_CHUNK):
        yield chunk


def _octets(chunks: Iterable[bytes], form: str, notes: _Notes) -> Iterator[bytes]:
    """Yield octets from raw or hex input; the first that says anything decide an auto ``form``."""
    stream = iter(chunks)
    first = b""
    while not first.translate(None, _IGNORED + b"\n") and (chunk := next(stream, b"")):
        first += chunk
    is_hex = form == "hex" or (form == "auto" and _HEX_TEXT.fullmatch(first) is not None)
    rejoined = _chain(first, stream)
    return _from_hex(rejoined, notes) if is_hex else rejoined


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _from_hex(chunks: Iterable[bytes], notes: _Notes) -> Iterator[bytes]:
    """Yield the octets that hex text names; a line with anything else in it counts up to there.

    ``#`` begins a remark, as captures have them.
    """
    odd, spoilt, number = b"", False, 1
    for chunk in chunks:
        octets = bytearray()
        for place, line in enumerate(chunk.translate(None, _IGNORED).split(b"\n")):
            if place:
                number += 1
                spoilt, odd = False, b"" if spoilt else odd
            if spoilt:
                continue
            good = _HEX_LINE.match(line)
            digits = odd + (good[0] if good else b"")
            if good and good.end() < len(line):
                spoilt = True
                wrong = line[good.end() : good.end() + 1].decode("latin-1")
                if wrong != "#":
                    notes.add(f"line {number}: {wrong!a} is no hex digit; rest of the line ignored")
            even = len(digits) & ~1
            octets += bytes.fromhex(digits[:even].decode("ascii"))
            odd = digits[even:]
        yield bytes(octets)
    if odd:
        notes.add("a single hex digit is left over at the end")


def _events(decoder: HanDecoder, octets: Iterable[bytes]) -> Iterator[list[Event]]:
    for chunk in octets:
        yield decoder.receive(chunk)
    yield decoder.silence()


# -- output ---------------------------------------------------------------------


def _show_json(event: ListDecoded) -> None:
    fields = (
        f"{json.dumps(key)}: {json.dumps(value) if isinstance(value, str) else _number(value)}"
        for key, value in event.reading.present().items()
    )
    print("{" + ", ".join(fields) + "}")


def _number(value: Quantity) -> str:
    """Return exact digits, without an exponent, as JSON and people read them."""
    return str(value) if isinstance(value, int) else format(value, "f")


def _show_table(event: ListDecoded) -> None:
    print(f"{event.maker}, {event.layout}{' (repeated)' if event.repeated else ''}")
    for key, value in event.reading.present().items():
        name, _, suffix = key.rpartition("_")
        unit = _UNITS.get(suffix, "")
        label = (name if unit else key).replace("_", " ")
        text = value if isinstance(value, str) else _number(value)
        shown = text if text.isprintable() else ascii(text)
        print(f"  {label:<28}{shown:>20} {unit}".rstrip())
    print()


class _Notes:
    """Diagnostics on standard error: the first hundred in full, all of them in sum."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, text: str) -> None:
        self._count += 1
        if self._count <= _MOST_NOTES:
            print(f"sensed: {text}", file=sys.stderr)

    def close(self, decoder: HanDecoder, readings: int) -> None:
        if self._count > _MOST_NOTES:
            print(f"sensed: {self._count - _MOST_NOTES} more not shown", file=sys.stderr)
        if self._count or not readings:
            totals = asdict(decoder.counters)
            told = ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in totals.items() if n)
            print(f"sensed: {told or 'no input'}", file=sys.stderr)
        if not readings:
            print("sensed: no reading found", file=sys.stderr)


_REMEDIES: Final = {
    "no key": "give its key with --key",
    "wrong key": "the key is probably wrong, ask the grid company for the current one",
    "damaged": "damaged on the way",
    "unsupported security": "this kind of security is not supported",
}


def _sentence(event: Event) -> str:
    """Return one line of diagnosis for an event that is no reading."""
    from sensed import han

    match event:
        case han.FrameRejected(framing, fault):
            text = f"{framing} frame rejected: {fault}"
        case han.OctetsDiscarded(count):
            text = f"{count} octets discarded"
        case han.ListUnknown(structure, _):
            text = f"unknown list: {structure}"
        case han.ListMalformed(detail, frame):
            text = f"frame of {len(frame)} octets holds no list: {detail}"
        case han.ListEncrypted(cause, title, security, _):
            text = f"list of meter {title} is encrypted ({security:#04x}): {_REMEDIES[cause]}"
        case han.ReadUnverified(title):
            text = f"lists of meter {title} are read unverified; --auth-key would verify them"
        case han.InvocationRepeated(_, counter, previous):
            text = f"invocation counter {counter} follows {previous}: repeated telegram"
        case _:
            text = "carriage returns were inserted before line feeds on the way; set the port raw"
    return text


def _with_progress(chunks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Pass chunks on; say once a second how far they are, if anyone is watching."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        yield from chunks
        return
    size = Path(name).stat().st_size if name != "-" else 0
    done, shown = 0, time.monotonic()
    for chunk in chunks:
        yield chunk
        done += len(chunk)
        if time.monotonic() - shown >= _PROGRESS_S:
            shown = time.monotonic()
            part = f" of {size / 1e6:.1f}" if size else ""
            print(f"\r{done / 1e6:.1f}{part} MB", end="", file=sys.stderr, flush=True)
    if done and os.environ.get("TERM") != "dumb":
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
