"""From the port, or from the daemon that reads it, into a capture's file."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sensed.capture import text
from sensed.capture.recording import Recording
from sensed.config import STATE_PATH, Config
from sensed.control import NotRunningError, follow
from sensed.daemon.facts import FactBoard, MeterWatch
from sensed.daemon.memory import LineMemory
from sensed.daemon.meter import MeterReader
from sensed.daemon.taps import Message, Taps
from sensed.errors import PortError
from sensed.han.port_settings import SerialSettings


@dataclass(slots=True)
class Tally:
    """What has been recorded, or ``missed``, so far, and from which port."""

    at_s: float = 0.0
    octets: int = 0
    missed: int = 0
    device: str = ""
    line: str = ""


async def capture(
    recording: Recording,
    source: AsyncGenerator[Message, None],
    tally: Tally,
    *,
    seconds: float,
    most_octets: int,
    on_tally: Callable[[], None],
) -> None:
    """Record, and count in ``tally``, until ``seconds`` or ``most_octets`` or the source's end.

    Raises PortError when the port is lost before anything has come.
    """
    recording.write(text.header(datetime.now(UTC)))
    async with contextlib.aclosing(source) as messages:
        async for message in messages:
            recording.write(_line(message, tally, most_octets))
            on_tally()
            if tally.at_s >= seconds or tally.octets >= most_octets:
                break


def _line(message: Message, tally: Tally, most_octets: int) -> str:
    """Return a message's lines, and count it."""
    at_s = tally.at_s = float(message["at_s"])
    octets = str(message.get("octets", ""))
    if octets:
        octets = octets[: 2 * (most_octets - tally.octets)]
        tally.octets += len(octets) // 2
        return text.piece(at_s, octets)
    if "missed" in message:
        tally.missed += int(message["missed"])
        return text.remark(at_s, f"missed {message['missed']} octets")
    if "lost" in message:
        if not tally.octets:
            raise PortError(str(message["lost"]))
        return text.remark(at_s, str(message["lost"]))
    return "".join(_settings(at_s, message, tally))


def _settings(at_s: float, message: Message, tally: Tally) -> list[str]:
    lines = []
    if message.get("device"):
        tally.device = str(message["device"])
        lines.append(text.remark(at_s, f"device {tally.device}"))
    if message.get("line"):
        tally.line = str(message["line"])
        lines.append(text.remark(at_s, f"line {tally.line}"))
    return lines


async def source(load_config: Callable[[], Config], socket: Path) -> AsyncGenerator[Message, None]:
    """Yield what the port delivers: from the daemon if it runs, else from the port itself."""
    try:
        async with contextlib.aclosing(follow(socket, "capture")) as told:
            async for copied in told:
                yield copied
    except NotRunningError:
        async with contextlib.aclosing(_own_port(load_config())) as messages:
            async for message in messages:
                yield message


async def _own_port(config: Config) -> AsyncGenerator[Message, None]:
    taps = Taps()
    now_s = asyncio.get_running_loop().time
    reader = MeterReader(
        config.meter,
        MeterWatch(now_s()),
        FactBoard(now_s),
        on_sample=lambda _sample: None,
        on_meter=lambda _meter: None,
        boot_id="",
        memory=_ReadOnlyMemory(STATE_PATH.with_name("line")),
        on_port=taps.put,
    )
    async with contextlib.aclosing(taps.stream({})) as messages:
        reading = asyncio.create_task(reader.run())
        reading.add_done_callback(lambda _done: taps.close())
        try:
            async for message in messages:
                yield message
            await reading  # It has ended by itself: raises why.
        finally:
            reading.cancel()
            await asyncio.wait([reading])


class _ReadOnlyMemory(LineMemory):
    """The daemon's memory of the line format, which is its own to write."""

    def keep(self, settings: SerialSettings) -> None:
        """Write nothing."""
