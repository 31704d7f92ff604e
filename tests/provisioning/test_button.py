from __future__ import annotations

import asyncio
from collections.abc import Iterator

import gpiozero
import pytest
from gpiozero.pins.mock import MockFactory

from sensed.provisioning.button import SetupButton
from tests.provisioning.conftest import running
from tests.waiting import until


@pytest.fixture
def gpio(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockFactory]:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    factory = MockFactory()
    monkeypatch.setattr(gpiozero.Device, "pin_factory", factory)
    yield factory
    factory.reset()


async def test_a_press_is_told_once(gpio: MockFactory) -> None:
    presses: list[int] = []
    pin = gpio.pin(5)
    async with running(SetupButton(5, lambda: presses.append(1)).run()):
        await until(lambda: pin.pull == "up")
        await asyncio.sleep(0.05)
        pin.drive_low()
        await until(lambda: presses)
        pin.drive_high()
        await asyncio.sleep(0.1)
        assert presses == [1]


async def test_a_line_that_is_taken_is_told_and_tried_again(
    gpio: MockFactory, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Soon:
        def delay_s(self, _failures: int) -> float:
            return 0.01

    monkeypatch.setattr("sensed.provisioning.button.Backoff", lambda *_: Soon())
    other = gpiozero.LED(5)
    presses: list[int] = []
    pin = gpio.pin(5)
    async with running(SetupButton(5, lambda: presses.append(1)).run()):
        await asyncio.sleep(0.1)
        assert capsys.readouterr().out.count("button_unavailable") == 1
        other.close()
        await until(lambda: pin.pull == "up")
        await asyncio.sleep(0.05)
        pin.drive_low()
        await until(lambda: presses)
