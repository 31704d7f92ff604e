"""Copies of what the port delivers, for those who record it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

from sensed.errors import SensedError
from sensed.han.port import BytesReceived, PortEvent, PortLost, PortOpened, SettingsTried

_MOST_TAPS: Final = 2
_MOST_WAITING: Final = 256
_LARGEST_PIECE: Final = 4096
_GATHER_S: Final = 0.1
_BEAT_S: Final = 1.0

Message = Mapping[str, Any]
"""What a tap yields: ``{"at_s"}`` alone as a sign of life, or with ``octets`` (hex digits),
``line`` (the format from now on, ``None`` for a network port), ``lost`` (a sentence) or
``missed`` (octets that a slow taker did not get). ``at_s`` counts from the tap's start; the
first message tells ``device`` and ``line``."""


class _Tap:
    """Messages that wait for one taker: bounded, the oldest dropped first."""

    def __init__(self, device: str, line: str | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self._waiting: deque[dict[str, Any]] = deque()
        self._more = asyncio.Event()
        self._missed = 0
        self.over = False
        self.add(self._began_s, device=device, line=line)

    def add(self, now_s: float, **message: Any) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            self._missed += len(self._waiting.popleft().get("octets", "")) // 2
        octets = message.get("octets", "")
        last = self._waiting[-1].get("octets", "") if self._waiting else ""
        if octets and last and len(last) + len(octets) <= 2 * _LARGEST_PIECE:
            self._waiting[-1]["octets"] = last + octets
        else:
            at_s = round(max(now_s - self._began_s, 0.0), 4)
            self._waiting.append({"at_s": at_s, **message})
        self._more.set()

    def close(self) -> None:
        self.over = True
        self._more.set()

    async def take(self) -> dict[str, Any]:
        """Return the next message, a sign of life if there is none for long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_BEAT_S):
                await self._more.wait()
                # A meter's line trickles: what comes within a tenth of a second goes together.
                await asyncio.sleep(0 if self.over else _GATHER_S)
        now = {"at_s": round(self._loop.time() - self._began_s, 4)}
        if self._missed:
            missed, self._missed = self._missed, 0
            return {**now, "missed": missed}
        message = self._waiting.popleft() if self._waiting else now
        if not self._waiting and not self.over:
            self._more.clear()
        return message

    @property
    def dry(self) -> bool:
        return self.over and not self._waiting


class Taps:
    """Gives each taker what the port delivers; none of them can hold the reader up."""

    def __init__(self) -> None:
        """Know nothing of the port yet."""
        self._taps: set[_Tap] = set()
        self._device = ""
        self._line: str | None = None
        self._open = False
        self._lost = ""

    def port(self) -> Mapping[str, object]:
        """Return the port, whether it is open, and its line format, ``None`` if not known."""
        return {"device": self._device, "open": self._open, "line": self._line}

    def put(self, event: PortEvent) -> None:
        """Take note of the port's event and hand it to each taker."""
        match event:
            case PortOpened(device, settings) | SettingsTried(device, settings):
                self._device, self._open = device, True
                self._line = None if settings is None else str(settings)
                self._tell(device=device, line=self._line)
            case PortLost(device, _):
                self._device, self._open, self._lost = device, False, str(event)
                self._tell(lost=self._lost)
            case BytesReceived(data, received_s):
                for start in range(0, len(data), _LARGEST_PIECE):
                    piece = data[start : start + _LARGEST_PIECE]
                    self._tell(received_s, octets=piece.hex())

    def close(self) -> None:
        """Let every stream end."""
        for tap in self._taps:
            tap.close()

    async def stream(self, _request: Mapping[str, object]) -> AsyncGenerator[Message, None]:
        """Yield messages until :meth:`close`. Raises SensedError when too many take already."""
        if len(self._taps) >= _MOST_TAPS:
            raise SensedError(f"{_MOST_TAPS} captures are under way; wait until one has ended.")
        tap = _Tap(self._device, self._line)
        if self._lost and not self._open:
            tap.add(asyncio.get_running_loop().time(), lost=self._lost)
        self._taps.add(tap)
        try:
            while not tap.dry:
                yield await tap.take()
        finally:
            self._taps.discard(tap)

    def _tell(self, now_s: float | None = None, **message: Any) -> None:
        if self._taps:
            at_s = asyncio.get_running_loop().time() if now_s is None else now_s
            for tap in self._taps:
                tap.add(at_s, **message)
