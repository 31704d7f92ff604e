"""Output lines against the kernel's interface, laid out as its header has it."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from gpiozero.pins.local import LocalPiFactory

from sensed.errors import LightError
from sensed.leds import gpio, lines
from sensed.leds.gpio import GpioDriver, LightSettings

PI_3B = 0xA02082
OUTPUT_FLAG, OUTPUT_VALUES = 1 << 3, 2


class ChipInfo(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char * 32),
        ("label", ctypes.c_char * 32),
        ("lines", ctypes.c_uint32),
    )


class Attribute(ctypes.Structure):
    _fields_ = (
        ("id", ctypes.c_uint32),
        ("padding", ctypes.c_uint32),
        ("values", ctypes.c_uint64),
        ("mask", ctypes.c_uint64),
    )


class LineConfig(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("num_attrs", ctypes.c_uint32),
        ("padding", ctypes.c_uint32 * 5),
        ("attrs", Attribute * 10),
    )


class LineRequest(ctypes.Structure):
    _fields_ = (
        ("offsets", ctypes.c_uint32 * 64),
        ("consumer", ctypes.c_char * 32),
        ("config", LineConfig),
        ("num_lines", ctypes.c_uint32),
        ("event_buffer_size", ctypes.c_uint32),
        ("padding", ctypes.c_uint32 * 5),
        ("fd", ctypes.c_int32),
    )


class LineValues(ctypes.Structure):
    _fields_ = (("bits", ctypes.c_uint64), ("mask", ctypes.c_uint64))


def number(direction: int, function: int, kind: type[ctypes.Structure]) -> int:
    """Return an ioctl's number (asm-generic/ioctl.h)."""
    return direction << 30 | ctypes.sizeof(kind) << 16 | 0xB4 << 8 | function


class Kernel:
    """The kernel's end of the chips beneath a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.labels: dict[str, bytes] = {}
        self.levels: dict[int, bool] = {}
        self.requests: list[LineRequest] = []
        self.taken: set[int] = set()
        self._lines: dict[int, int] = {}

    def add_chip(self, name: str, label: bytes) -> None:
        (self.folder / name).touch()
        self.labels[name] = label

    def ioctl(self, descriptor: int, request: int, data: bytes) -> bytes:
        if request == number(2, 0x01, ChipInfo):
            assert len(data) == ctypes.sizeof(ChipInfo)
            name = Path(f"/proc/self/fd/{descriptor}").readlink().name
            return bytes(ChipInfo(name.encode(), self.labels[name], 54))
        if request == number(3, 0x07, LineRequest):
            return self._give(LineRequest.from_buffer_copy(data))
        line = self._lines[descriptor]
        values = LineValues.from_buffer_copy(data)
        assert (len(data), values.mask) == (ctypes.sizeof(LineValues), 1)
        if request == number(3, 0x0F, LineValues):
            self.levels[line] = bool(values.bits)
            return data
        assert request == number(3, 0x0E, LineValues)
        return bytes(LineValues(self.levels[line], values.mask))

    def close(self, descriptor: int) -> None:
        line = self._lines.pop(descriptor, None)
        if line is not None:
            del self.levels[line]

    def _give(self, request: LineRequest) -> bytes:
        line = request.offsets[0]
        if line in self.taken or line in self.levels:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        attribute = request.config.attrs[0]
        self.requests.append(request)
        self.levels[line] = bool(attribute.values & attribute.mask)
        request.fd = os.open(os.devnull, os.O_RDONLY)
        self._lines[request.fd] = line
        return bytes(request)


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    kernel = Kernel(tmp_path)
    close = os.close

    def close_both(descriptor: int) -> None:
        kernel.close(descriptor)
        close(descriptor)

    monkeypatch.setattr(lines, "_DEVICES", tmp_path)
    monkeypatch.setattr(gpio, "_DEVICES", tmp_path)
    monkeypatch.setattr(lines.fcntl, "ioctl", kernel.ioctl)
    monkeypatch.setattr(lines.os, "close", close_both)
    monkeypatch.setattr(LocalPiFactory, "_get_revision", lambda _: PI_3B)
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)
    yield kernel
    assert kernel.levels == {}, "a line was not given back"


def test_the_light_switches_three_lines_of_the_header_s_chip(kernel: Kernel) -> None:
    kernel.add_chip("gpiochip0", b"raspberrypi-exp-gpio")
    kernel.add_chip("gpiochip1", b"pinctrl-bcm2835")
    driver = GpioDriver(LightSettings(pins=(17, 27, 22)))
    driver.open()
    assert kernel.levels == {17: False, 27: False, 22: False}
    driver.set(True, False, True)
    assert kernel.levels == {17: True, 27: False, 22: True}
    driver.set(False, True, False)
    assert kernel.levels == {17: False, 27: True, 22: False}
    driver.close()
    for request in kernel.requests:
        assert (request.consumer, request.num_lines) == (b"sensed", 1)
        assert (request.config.flags, request.config.num_attrs) == (OUTPUT_FLAG, 1)
        assert request.config.attrs[0].id == OUTPUT_VALUES


def test_a_common_anode_begins_dark(kernel: Kernel) -> None:
    kernel.add_chip("gpiochip0", b"pinctrl-rp1")
    driver = GpioDriver(LightSettings(active_low=True))
    driver.open()
    assert set(kernel.levels.values()) == {True}
    assert all(request.config.attrs[0].values == 1 for request in kernel.requests)
    driver.set(True, True, True)
    assert set(kernel.levels.values()) == {False}
    driver.close()


def test_it_may_be_opened_again(kernel: Kernel) -> None:
    kernel.add_chip("gpiochip0", b"pinctrl-bcm2711")
    driver = GpioDriver(LightSettings())
    for _ in range(3):
        driver.open()
        driver.set(True, True, True)
        driver.close()


def test_a_line_that_somebody_else_holds_is_told(kernel: Kernel) -> None:
    kernel.add_chip("gpiochip0", b"pinctrl-bcm2835")
    kernel.taken = {27}
    driver = GpioDriver(LightSettings())
    with pytest.raises(LightError, match="busy"):
        driver.open()
    driver.close()
    kernel.taken = set()
    driver.open()
    driver.close()


@pytest.mark.parametrize(
    ("labels", "said"),
    [((), "this machine has none"), ((b"gpio-aggregator",), "no GPIO chip is that of a Rasp")],
)
def test_without_a_header_s_chip_it_says_so(
    kernel: Kernel, labels: tuple[bytes, ...], said: str
) -> None:
    for count, label in enumerate(labels):
        kernel.add_chip(f"gpiochip{count}", label)
    with pytest.raises(LightError, match=said):
        GpioDriver(LightSettings()).open()


def test_a_chip_that_may_not_be_opened_is_told(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.add_chip("gpiochip0", b"pinctrl-bcm2835")

    def refuse(path: str | Path, _flags: int) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(lines.os, "open", refuse)
    with pytest.raises(LightError, match="Permission denied"):
        GpioDriver(LightSettings()).open()
