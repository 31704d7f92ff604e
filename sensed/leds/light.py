"""Shows a state's pattern on a driver, from the event loop, without ever blocking it."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, NoReturn, Protocol

from sensed.backoff import Backoff
from sensed.errors import LightError
from sensed.leds.night import NightHours
from sensed.leds.patterns import DARK, PATTERNS, Colour, Pattern, Signal
from sensed.status import Indicator
from sensed.watchdog import GRACE_S

_BACKOFF: Final = Backoff(5.0, 300.0)
_STEADY_AFTER_S: Final = 60.0
"""Lines that served this long are tried again after the shortest back-off."""


class NoLinesError(LightError):
    """There are no lines at all on this machine: to try again is in vain."""


class Driver(Protocol):
    """Three lines that give light. Every method may raise LightError."""

    def open(self) -> None:
        """Take the lines; may block, runs in a thread. Called again after each failure."""

    def set(self, red: bool, green: bool, blue: bool) -> None:  # noqa: FBT001 - the lines' natural order
        """Switch the lines; cheap enough for the event loop."""

    def close(self) -> None:
        """Switch the lines off and give them back."""


class Light:
    """The light as one task: ``run()`` it, and ``show()`` states at any time.

    Steps end at absolute deadlines on the loop's clock, so that rhythms do not drift;
    a steady pattern sets no timer at all. A driver that fails darkens the light, which
    nothing else depends on, and is tried again with back-off. ``on_health`` gets ``None``
    when the lines begin to serve and the error when they do not, once for each change. In
    ``night`` hours, by the ``wall_clock`` in local time, ``active`` is dark.
    """

    def __init__(
        self,
        driver: Driver,
        *,
        on_health: Callable[[LightError | None], None],
        patterns: Mapping[str, Pattern] = PATTERNS,
        night: NightHours | None = None,
        wall_clock: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ) -> None:
        """Show ``starting`` until told otherwise."""
        self._driver = driver
        self._on_health = on_health
        self._patterns = patterns
        self._night = night
        self._wall_clock = wall_clock
        self._look: asyncio.TimerHandle | None = None
        self._signal: str | None = None
        self._state: str = Indicator.STARTING
        self._ready = False
        self._healthy: bool | None = None
        self._failure: asyncio.Future[LightError] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pattern: Pattern = patterns[self._state]
        self._position = 0
        self._step_ends_s = 0.0
        self._shown: Colour | None = None

    def show(self, state: str) -> None:
        """Switch at once to the pattern of an Indicator."""
        if state == self._state:
            return
        self._state = state
        if self._ready and self._signal is None:
            self._begin()

    def signal(self, signal: Signal | None) -> None:
        """Show ``signal`` above the state, until ``None`` gives the state back."""
        if signal == self._signal:
            return
        self._signal = signal
        if self._ready:
            self._begin()

    async def run(self) -> None:
        """Show states until cancelled; the lines are off afterwards."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            began_s = loop.time()
            try:
                await self._use_lines()
            except NoLinesError as error:
                self._tell(error)
                await loop.create_future()
            except LightError as error:
                self._tell(error)
            if loop.time() - began_s >= _STEADY_AFTER_S:
                failures = 0
            await asyncio.sleep(_BACKOFF.delay_s(failures))
            failures += 1

    def stuck(self, now_s: float) -> bool:
        """Tell whether a step should have ended long ago."""
        return self._timer is not None and now_s - self._step_ends_s > GRACE_S

    async def _use_lines(self) -> NoReturn:
        """Open the driver and show states until it fails. Raises LightError."""
        failure = self._failure = asyncio.get_running_loop().create_future()
        try:
            await self._open()
            self._ready = True
            self._begin()
            if not failure.done():
                self._tell(None)
            raise await failure
        finally:
            self._ready = False
            self._failure = None
            self._shown = None
            self._stop_timer()
            with contextlib.suppress(LightError):  # whoever wants the lines next is told
                self._driver.close()

    async def _open(self) -> None:
        opening = asyncio.ensure_future(asyncio.to_thread(self._driver.open))
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            # The thread cannot be stopped: lines it still takes must be closed after it.
            await asyncio.wait([opening])
            opening.exception()
            raise

    def _tell(self, error: LightError | None) -> None:
        healthy = error is None
        if healthy is not self._healthy:
            self._healthy = healthy
            self._on_health(error)

    def _begin(self) -> None:
        self._stop_timer()
        self._pattern = self._wanted()
        self._position = 0
        self._step_ends_s = asyncio.get_running_loop().time()
        self._show_step()

    def _wanted(self) -> Pattern:
        """Return the pattern to show now; at night, ask again when that may have changed."""
        if self._signal is not None:
            return self._patterns[self._signal]
        if self._night is None or self._state != Indicator.ACTIVE:
            return self._patterns[self._state]
        now = self._wall_clock()
        delay_s = self._night.look_again_s(now)
        self._look = asyncio.get_running_loop().call_later(delay_s, self._begin)
        return DARK if self._night.include(now) else self._patterns[self._state]

    def _advance(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        if loop.time() - self._step_ends_s > sum(step.seconds for step in self._pattern):
            self._begin()  # the host slept: catching up would flash too fast
            return
        self._position = (self._position + 1) % len(self._pattern)
        self._show_step()

    def _show_step(self) -> None:
        step = self._pattern[self._position]
        if not self._set(step.colour) or math.isinf(step.seconds):
            return
        self._step_ends_s += step.seconds
        self._timer = asyncio.get_running_loop().call_at(self._step_ends_s, self._advance)

    def _set(self, colour: Colour) -> bool:
        if colour == self._shown:
            return True
        try:
            self._driver.set(*colour)
        except LightError as error:
            self._ready = False
            self._stop_timer()
            if self._failure is not None:
                self._failure.set_result(error)
            return False
        self._shown = colour
        return True

    def _stop_timer(self) -> None:
        for timer in (self._timer, self._look):
            if timer is not None:
                timer.cancel()
        self._timer = self._look = None
