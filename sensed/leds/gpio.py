"""An RGB LED on three plain GPIO lines, through gpiozero."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sensed.errors import ConfigError, LightError
from sensed.leds.light import NoLinesError

_LINES: Final = 3
_HIGHEST_LINE: Final = 27
_OLDEST_MAJOR: Final = 2
_FULL_PERCENT: Final = 100
_DEVICES: Final = Path("/dev")


@dataclass(frozen=True, slots=True)
class LightSettings:
    """BCM numbers of the red, green and blue line; active low for a common anode.

    ``brightness_percent`` below 100 dims by pulse width, which costs some CPU time.
    Raises ConfigError unless the lines are three different ones of 0 to 27.
    """

    pins: tuple[int, int, int] = (17, 27, 22)
    active_low: bool = False
    brightness_percent: int = 100

    def __post_init__(self) -> None:
        """Refuse lines that a Raspberry Pi's header does not have."""
        known = all(0 <= pin <= _HIGHEST_LINE for pin in self.pins)
        if not known or len(set(self.pins)) != _LINES:
            raise ConfigError(
                f"The light's pins {list(self.pins)} must be three different BCM lines of 0 to 27."
            )


class GpioDriver:
    """Driver of the light on GPIO; any failure is a LightError, so readings go on."""

    def __init__(self, settings: LightSettings) -> None:
        """Remember the lines; nothing is touched before ``open``."""
        self._settings = settings
        self._dimmed = settings.brightness_percent < _FULL_PERCENT
        self._led: Any = None
        self._pulses: Any = None

    def open(self) -> None:
        """Import gpiozero and take the lines. Blocks: call it in a thread."""
        with _failures("The light's GPIO lines cannot be had"):
            _check_chip()
            check_library()
            import gpiozero

            factory = self._pulses or _pin_factory(dimmed=self._dimmed)
            if self._dimmed:
                # It holds the chip until the process ends: one serves every attempt.
                self._pulses = factory
            try:
                self._led = gpiozero.RGBLED(
                    *self._settings.pins,
                    active_high=not self._settings.active_low,
                    pwm=self._dimmed,
                    pin_factory=factory,
                )
            except BaseException:
                # Else the lines that could be had would be in the next attempt's way.
                if factory is not None and not self._dimmed:
                    factory.close()
                raise

    def set(self, red: bool, green: bool, blue: bool) -> None:  # noqa: FBT001 - see Driver
        """Switch the three lines."""
        with _failures("The light's GPIO lines cannot be switched"):
            level = self._settings.brightness_percent / 100 if self._dimmed else 1
            self._led.value = (red * level, green * level, blue * level)

    def close(self) -> None:
        """Switch the lines off and give them back."""
        led, self._led = self._led, None
        if led is None:
            return
        with _failures("The light's GPIO lines cannot be given back"):
            try:
                led.off()
            finally:
                led.close()


@contextlib.contextmanager
def _failures(what: str) -> Iterator[None]:
    try:
        yield
    except LightError:
        raise
    # gpiozero and the libraries beneath it raise plain Exception subclasses of many kinds.
    except Exception as error:
        cause = str(error) or type(error).__name__
        raise LightError(f"{what}: {cause}.".replace("..", ".")) from error


def check_library() -> None:
    """Raise LightError unless gpiozero is there in a version that serves; nothing is imported."""
    from importlib import metadata

    try:
        version = metadata.version("gpiozero")
    except metadata.PackageNotFoundError:
        raise LightError("The light needs gpiozero 2.0 or later; it is not installed.") from None
    if int(version.split(".")[0]) < _OLDEST_MAJOR:
        raise LightError(f"The light needs gpiozero 2.0 or later; {version} is installed.")


def _check_chip() -> None:
    """Raise NoLinesError where there are no lines at all: their library is not needed then."""
    chosen = "GPIOZERO_PIN_FACTORY" in os.environ
    if not chosen and next(_DEVICES.glob("gpiochip*"), None) is None:
        raise NoLinesError("The light needs GPIO lines; this machine has none.")


def _pin_factory(*, dimmed: bool) -> Any:
    if os.environ.get("GPIOZERO_PIN_FACTORY"):
        return None  # gpiozero itself reads the variable
    if dimmed:
        from gpiozero.pins.lgpio import LGPIOFactory  # pulses need its thread

        return LGPIOFactory()
    from sensed.leds.lines import LineFactory

    return LineFactory()
