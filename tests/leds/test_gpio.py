from __future__ import annotations

import asyncio
import errno
import importlib.metadata
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import gpiozero
import gpiozero.pins.mock
import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory, MockPWMPin

from sensed.errors import ConfigError, LightError
from sensed.leds.gpio import GpioDriver, LightSettings
from sensed.leds.light import Light, NoLinesError
from sensed.status import Indicator
from tests.leds.clock import run_on_fake_clock
from tests.waiting import until


@pytest.fixture
def mock_factory(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockFactory]:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    factory = MockFactory()
    monkeypatch.setattr(Device, "pin_factory", factory)
    yield factory
    factory.reset()


def test_each_line_is_switched_on_its_own(mock_factory: MockFactory) -> None:
    red, green, blue = (mock_factory.pin(number) for number in (5, 6, 13))
    driver = GpioDriver(LightSettings(pins=(5, 6, 13)))
    driver.open()
    driver.set(True, False, False)
    driver.set(False, True, True)
    driver.close()
    red.assert_states([False, True, False])
    green.assert_states([False, True, False])
    blue.assert_states([False, True, False])
    assert [pin.function for pin in (red, green, blue)] == ["input"] * 3


def test_a_common_anode_is_dark_when_its_lines_are_high(mock_factory: MockFactory) -> None:
    red = mock_factory.pin(17)
    driver = GpioDriver(LightSettings(active_low=True))
    driver.open()
    assert red.state
    driver.set(True, False, False)
    assert not red.state
    driver.close()
    red.assert_states([False, True, False, True])


def test_a_dimmed_light_is_driven_by_pulse_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    factory = MockFactory(pin_class=MockPWMPin)
    monkeypatch.setattr(Device, "pin_factory", factory)
    driver = GpioDriver(LightSettings(brightness_percent=20))
    driver.open()
    driver.set(True, False, True)
    assert [factory.pin(line).state for line in (17, 27, 22)] == pytest.approx([0.2, 0, 0.2])
    driver.close()


RHYTHMS = {
    Indicator.NOT_CONFIGURED: ((17, 27), [0.17, 1.83]),
    Indicator.NO_METER_DATA: ((17,), [0.17, 0.17, 0.17, 1.25]),
    Indicator.NO_IP: ((17, 22), [*[0.17] * 5, 1.25]),
    Indicator.NO_CLOUD: ((22,), [*[0.17] * 7, 1.25]),
}


@pytest.mark.parametrize(("state", "lines", "times_s"), [(s, *r) for s, r in RHYTHMS.items()])
def test_a_state_reaches_the_pins_at_the_right_times(
    mock_factory: MockFactory,
    monkeypatch: pytest.MonkeyPatch,
    state: Indicator,
    lines: tuple[int, ...],
    times_s: list[float],
) -> None:
    async def main() -> None:
        monkeypatch.setattr(gpiozero.pins.mock, "monotonic", asyncio.get_running_loop().time)
        pins = {line: mock_factory.pin(line) for line in (17, 27, 22)}
        told = list[LightError | None]()
        light = Light(GpioDriver(LightSettings()), on_health=told.append)
        task = asyncio.create_task(light.run())
        await until(lambda: all(pin.function == "output" and pin.state for pin in pins.values()))
        light.show(Indicator.ACTIVE)
        assert [bool(pin.state) for pin in pins.values()] == [False, True, False]
        light.show(state)
        for pin in pins.values():
            pin.clear_states()
        await asyncio.sleep(2 * sum(times_s) + 0.1)
        for line, pin in pins.items():
            seen = [(step.timestamp, bool(step.state)) for step in pin.states[1:]]
            if line not in lines:
                assert seen == []
                continue
            assert [lit for _, lit in seen] == [False, True] * len(times_s)
            assert [took_s for took_s, _ in seen] == pytest.approx(times_s * 2, abs=1e-9)
        task.cancel()
        await asyncio.wait([task])
        assert {pin.function for pin in pins.values()} == {"input"}
        assert told == [None]

    run_on_fake_clock(main())


def test_where_there_are_no_lines_gpiozero_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)
    monkeypatch.setattr("sensed.leds.gpio._DEVICES", tmp_path)
    monkeypatch.setitem(sys.modules, "gpiozero", None)
    with pytest.raises(
        NoLinesError, match=r"^The light needs GPIO lines; this machine has none\.$"
    ):
        GpioDriver(LightSettings()).open()


def test_without_a_gpio_library_the_error_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("GPIOZERO_PIN_FACTORY", raising=False)
    monkeypatch.setattr("sensed.leds.gpio._DEVICES", tmp_path)
    (tmp_path / "gpiochip0").touch()
    monkeypatch.setitem(sys.modules, "lgpio", None)
    with pytest.raises(LightError, match=r"^The light's GPIO lines cannot be had: .*lgpio.*\.$"):
        GpioDriver(LightSettings(brightness_percent=50)).open()


def test_an_old_gpiozero_is_named_in_words(
    monkeypatch: pytest.MonkeyPatch, mock_factory: MockFactory
) -> None:
    assert mock_factory
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "1.6.2")
    with pytest.raises(LightError, match=r"needs gpiozero 2\.0 or later; 1\.6\.2 is installed"):
        GpioDriver(LightSettings()).open()


def test_lines_taken_by_another_are_a_light_error(mock_factory: MockFactory) -> None:
    first, second = GpioDriver(LightSettings()), GpioDriver(LightSettings())
    first.open()
    with pytest.raises(LightError, match="cannot be had"):
        second.open()
    second.close()
    first.close()
    assert mock_factory.pin(17).function == "input"


def test_lines_that_fail_are_given_back_all_the_same(
    mock_factory: MockFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_self: gpiozero.RGBLED) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    driver = GpioDriver(LightSettings())
    driver.open()
    with monkeypatch.context() as failing:
        failing.setattr(gpiozero.RGBLED, "off", fail)
        with pytest.raises(LightError, match="cannot be given back"):
            driver.close()
    assert mock_factory.pin(17).function == "input"
    driver.open()
    driver.close()


@pytest.mark.parametrize("pins", [(17, 17, 22), (1, 2, 28), (-1, 2, 3)])
def test_impossible_pins_are_refused(pins: tuple[int, int, int]) -> None:
    with pytest.raises(ConfigError, match="three different BCM lines"):
        LightSettings(pins=pins)
