"""Hundreds of the same small accident: it is over as soon the last time as the first.

Takes hours on an emulated Pi, so it is asked for by name: scripts/test-pi --endurance
"""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.house import AccessPoint
    from harness.light import Light
    from harness.meter import Meter
    from harness.product import Product

pytestmark = [pytest.mark.pi, pytest.mark.usefixtures("green"), pytest.mark.timeout(4 * 3600)]

_log = logging.getLogger(__name__)

_CYCLES = 200
_WARM_UP = 20
_QUICK_MODEL = "kaifa-3ph"
"""A list every 2 s, which takes half a second: what takes longer than that is not the meter."""

_REPLUGGED_DEADLINE_S = 5.0
_REJOINED_DEADLINE_S = 15.0
_MOST_MORE_RSS_KIB = 1024


@dataclass(frozen=True, slots=True)
class Result:
    """How long each cycle took to be over, in seconds."""

    seconds: tuple[float, ...]

    def __str__(self) -> str:
        """Say it in words."""
        return (
            f"{len(self.seconds)} times, median {statistics.median(self.seconds):.1f} s,"
            f" longest {max(self.seconds):.1f} s"
        )


def endure(
    product: Product,
    light: Light,
    *,
    begin: Callable[[], None],
    off: str,
    end: Callable[[], None],
) -> Result:
    """Have the accident again and again; the daemon stays the same and does not grow."""
    pid, seconds = product.pid, []
    before = product.holds()
    for cycle in range(_CYCLES):
        begin()
        light.when_it_has_told(off)
        end()
        ended_s = time.monotonic()
        seconds.append(light.when_it_has_told("active")[0] - ended_s)
        _log.info("%s, time %d of %d: %.1f s", off, cycle + 1, _CYCLES, seconds[-1])
        if cycle == _WARM_UP:
            before = product.holds()
    after = product.holds()
    assert product.pid == pid
    assert (after.descriptors, after.threads) == (before.descriptors, before.threads)
    assert after.rss_kib <= before.rss_kib + _MOST_MORE_RSS_KIB
    return Result(tuple(seconds))


@pytest.fixture
def quick_meter(whole_meter: Meter, light: Light) -> Iterator[Meter]:
    whole_meter.is_silent()
    whole_meter.sends(_QUICK_MODEL)
    light.shows("active")
    yield whole_meter
    whole_meter.is_silent()
    whole_meter.sends()


def test_adapter_is_pulled_and_plugged(
    product: Product,
    quick_meter: Meter,
    light: Light,
    record_property: Callable[[str, str], None],
) -> None:
    result = endure(
        product, light, begin=quick_meter.unplug, off="no_meter_data", end=quick_meter.plug_in
    )

    record_property("from the adapter's return to the green light", str(result))
    assert max(result.seconds) < _REPLUGGED_DEADLINE_S


def test_access_point_drops_everyone(
    product: Product,
    access_point: AccessPoint,
    light: Light,
    record_property: Callable[[str, str], None],
) -> None:
    result = endure(product, light, begin=access_point.off, off="no_ip", end=access_point.on)

    record_property("from the access point's return to the green light", str(result))
    assert max(result.seconds) < _REJOINED_DEADLINE_S
