"""A push button on a GPIO line, between the line and ground: a press opens set-up."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any, Final

import structlog

from sensed.backoff import Backoff
from sensed.errors import SensedError

_log = structlog.get_logger(__name__)

_BOUNCE_S: Final = 0.05


class _ButtonError(SensedError):
    """The button's line cannot be had."""


class SetupButton:
    """The part to be supervised; a line that cannot be had is told once and tried again."""

    def __init__(self, line: int, on_press: Callable[[], None]) -> None:
        """Call ``on_press``, in the loop, whenever the button on this BCM line is pressed."""
        self._line = line
        self._on_press = on_press

    def stuck(self, now_s: float) -> bool:  # noqa: ARG002 - a press is never due
        """Tell that nothing is overdue."""
        return False

    async def run(self) -> None:
        """Listen until cancelled."""
        backoff = Backoff(5.0, 300.0)
        failures = 0
        while True:
            try:
                button = await asyncio.to_thread(self._open, asyncio.get_running_loop())
            except _ButtonError as error:
                if failures == 0:
                    _log.warning("button_unavailable", detail=str(error))
                await asyncio.sleep(backoff.delay_s(failures))
                failures += 1
                continue
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                button.close()

    def _open(self, loop: asyncio.AbstractEventLoop) -> Any:
        try:
            import gpiozero

            button = gpiozero.Button(
                self._line, pull_up=True, bounce_time=_BOUNCE_S, pin_factory=_pin_factory()
            )
        # gpiozero and the libraries beneath it raise plain Exception subclasses of many kinds.
        except Exception as error:
            cause = str(error) or type(error).__name__
            raise _ButtonError(f"The button's GPIO line cannot be had: {cause}.") from error
        button.when_pressed = lambda: loop.call_soon_threadsafe(self._on_press)
        return button


def _pin_factory() -> Any:
    if os.environ.get("GPIOZERO_PIN_FACTORY"):
        return None  # gpiozero itself reads the variable
    from gpiozero.pins.lgpio import LGPIOFactory

    return LGPIOFactory()
