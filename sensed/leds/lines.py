"""Plain output lines for gpiozero, straight from the kernel: no thread, no wake-up, no library.

lgpio keeps a thread that wakes a hundred times a second for as long as a line is held,
whether or not anything is to be done; a light that is steady is to cost nothing.
Source: the Linux kernel's GPIO character device, version 2 (include/uapi/linux/gpio.h).
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

from gpiozero.exc import PinInvalidFunction, PinSetInput
from gpiozero.pins.local import LocalPiFactory, LocalPiPin

_DEVICES: Final = Path("/dev")
_CONSUMER: Final = b"sensed"
_HEADERS: Final = ("pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1")
"""Labels of the chips behind a Raspberry Pi's header: up to the 3, the 4, the 5."""

_CHIP_INFO: Final = struct.Struct("=32s32sI")
_LINE_REQUEST: Final = struct.Struct("=256s32s272sII20xi")
_LINE_CONFIG: Final = struct.Struct("=QI20x240s")
_LINE_ATTRIBUTE: Final = struct.Struct("=I4xQQ")
_LINE_VALUES: Final = struct.Struct("=QQ")

_GET_CHIP_INFO: Final = 0x8044B401
_GET_LINE: Final = 0xC250B407
_GET_VALUES: Final = 0xC010B40E
_SET_VALUES: Final = 0xC010B40F

_OUTPUT: Final = 1 << 3
_OUTPUT_VALUES: Final = 2
_THIS_LINE: Final = 1
"""A request here has one line, which is bit 0 of its values."""


class LineFactory(LocalPiFactory):  # type: ignore[misc]  # gpiozero has no types
    """gpiozero's pins on the chip behind the header."""

    def __init__(self) -> None:
        """Find the chip by its label. Raises OSError when there is none that may be opened."""
        super().__init__()
        # The kernel knows who holds which line; gpiozero's own book outlives a failure.
        self.pins: dict[Any, LinePin] = {}
        self._reservations: defaultdict[Any, list[Any]] = defaultdict(list)
        self.chip = _header_chip()
        self.pin_class = LinePin


class LinePin(LocalPiPin):  # type: ignore[misc]  # gpiozero has no types
    """One line, held from its first use as an output until it is closed."""

    def __init__(self, factory: LineFactory, info: Any) -> None:
        super().__init__(factory, info)
        self._held = -1

    def close(self) -> None:
        """Give the line back to the kernel."""
        held, self._held = self._held, -1
        if held >= 0:
            os.close(held)

    def output_with_state(self, state: object) -> None:
        """Make the line an output that begins with this level."""
        self._hold(level=bool(state))

    def _get_function(self) -> str:
        return "input" if self._held < 0 else "output"

    def _set_function(self, value: str) -> None:
        if value == "input":
            self.close()
        elif value == "output":
            self._hold(level=False)
        else:
            raise PinInvalidFunction(f"{self!r} cannot be {value}")

    def _get_state(self) -> int:
        if self._held < 0:
            return 0
        values = fcntl.ioctl(self._held, _GET_VALUES, _LINE_VALUES.pack(0, _THIS_LINE))
        bits: int = _LINE_VALUES.unpack(values)[0]
        return bits & _THIS_LINE

    def _set_state(self, value: object) -> None:
        if self._held < 0:
            raise PinSetInput(f"{self!r} is no output")
        fcntl.ioctl(self._held, _SET_VALUES, _LINE_VALUES.pack(bool(value), _THIS_LINE))

    def _hold(self, *, level: bool) -> None:
        self.close()
        chip = os.open(self.factory.chip, os.O_RDWR | os.O_CLOEXEC)
        try:
            answer = fcntl.ioctl(chip, _GET_LINE, _request(self._number, level=level))
        finally:
            os.close(chip)
        self._held = _LINE_REQUEST.unpack(answer)[-1]


def _request(line: int, *, level: bool) -> bytes:
    value = _LINE_ATTRIBUTE.pack(_OUTPUT_VALUES, level, _THIS_LINE)
    config = _LINE_CONFIG.pack(_OUTPUT, 1, value)
    return _LINE_REQUEST.pack(struct.pack("=I", line), _CONSUMER, config, 1, 0, 0)


def _header_chip() -> Path:
    chips = sorted(_DEVICES.glob("gpiochip*"))
    refusal: OSError = FileNotFoundError("there is no GPIO chip")
    for chip in chips:
        try:
            if _label(chip) in _HEADERS:
                return chip
        except OSError as error:
            refusal = error
    if chips and isinstance(refusal, FileNotFoundError):
        raise FileNotFoundError("no GPIO chip is that of a Raspberry Pi's header")
    raise refusal


def _label(chip: Path) -> str:
    descriptor = os.open(chip, os.O_RDWR | os.O_CLOEXEC)
    try:
        answer = fcntl.ioctl(descriptor, _GET_CHIP_INFO, bytes(_CHIP_INFO.size))
    finally:
        os.close(descriptor)
    label: bytes = _CHIP_INFO.unpack(answer)[1]
    return label.rstrip(b"\0").decode(errors="replace")
