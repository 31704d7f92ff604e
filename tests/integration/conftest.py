from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gpiozero
import pytest
from gpiozero.pins.mock import MockFactory

from sensed.simulator.play import PtySink
from tests.mosquitto import mosquitto

__all__ = ["mosquitto"]


@pytest.fixture
def pty(tmp_path: Path) -> Iterator[PtySink]:
    """The meter's adapter, behind a stable path, to be pulled and given back."""
    sink = PtySink(tmp_path / "mbus")
    yield sink
    sink.unplug()


@pytest.fixture
def gpio(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockFactory]:
    """gpiozero's own mock pins, as the daemon's pin factory."""
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    factory = MockFactory()
    monkeypatch.setattr(gpiozero.Device, "pin_factory", factory)
    yield factory
    factory.reset()
