from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from sensed.errors import LightError
from sensed.leds.light import Light
from sensed.leds.night import NightHours
from sensed.leds.patterns import (
    BLUE,
    GREEN,
    OFF,
    PALETTES,
    RED,
    WHITE,
    YELLOW,
    Colour,
    Signal,
)
from sensed.status import Indicator
from tests.leds.clock import FakeClockLoop, run_on_fake_clock
from tests.waiting import until


class RecordingDriver:
    def __init__(self) -> None:
        self.seen: list[tuple[float, Colour]] = []
        self.closed = False
        self.opened_in: int | None = None
        self.set_fails = False
        self.first_set = asyncio.Event()

    def open(self) -> None:
        self.opened_in = threading.get_ident()

    def set(self, red: bool, green: bool, blue: bool) -> None:  # noqa: FBT001 - see Driver
        if self.set_fails:
            raise LightError("gone")
        self.first_set.set()
        self.seen.append((asyncio.get_running_loop().time(), Colour(red, green, blue)))

    def close(self) -> None:
        self.closed = True


def loop_of() -> FakeClockLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, FakeClockLoop)
    return loop


def never(error: LightError | None) -> None:
    assert error is None


@contextlib.asynccontextmanager
async def running(
    driver: RecordingDriver, on_health: Callable[[LightError | None], None] = never, **options: Any
) -> AsyncIterator[Light]:
    light = Light(driver, on_health=on_health, **options)
    task = asyncio.create_task(light.run())
    await driver.first_set.wait()  # the opening thread has answered
    yield light
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def test_flashes_come_at_exact_times_without_drift() -> None:
    async def main() -> None:
        driver = RecordingDriver()
        async with running(driver) as light:
            await asyncio.sleep(10)
            driver.seen.clear()
            light.show(Indicator.NO_METER_DATA)
            await asyncio.sleep(4)
            start = driver.seen[0][0]
            assert start == 10
            times_s, colours = zip(*driver.seen[:9], strict=True)
            assert colours == (RED, OFF) * 4 + (RED,)
            assert [at_s - start for at_s in times_s] == pytest.approx(
                [0.0, 0.17, 0.34, 0.51, 1.76, 1.93, 2.1, 2.27, 3.52], abs=1e-9
            )

    run_on_fake_clock(main())


def test_a_new_state_shows_in_the_same_call() -> None:
    async def main() -> None:
        driver = RecordingDriver()
        async with running(driver) as light:
            light.show(Indicator.NO_CLOUD)
            await asyncio.sleep(0.1)
            light.show(Indicator.ACTIVE)
            assert driver.seen[-1] == (loop_of().time(), GREEN)
            await asyncio.sleep(5)
            assert driver.seen[-1][1] == GREEN  # no timer of the old pattern is left

    run_on_fake_clock(main())


def test_a_steady_light_sets_no_timer() -> None:
    async def main() -> None:
        driver = RecordingDriver()
        async with running(driver) as light:
            light.show(Indicator.ACTIVE)
            await asyncio.sleep(0)
            before = loop_of().timers_set
            for _ in range(20):
                await asyncio.sleep(0)
            assert loop_of().timers_set == before
            assert [colour for _, colour in driver.seen] == [WHITE, GREEN]

    run_on_fake_clock(main())


def test_showing_the_same_state_again_does_not_restart_its_rhythm() -> None:
    async def main() -> None:
        driver = RecordingDriver()
        async with running(driver) as light:
            light.show(Indicator.NOT_CONFIGURED)
            start = loop_of().time()
            for _ in range(30):
                await asyncio.sleep(0.1)
                light.show(Indicator.NOT_CONFIGURED)
            lit = [at - start for at, colour in driver.seen if colour == YELLOW]
            assert lit == [0, 2]

    run_on_fake_clock(main())


def test_after_the_host_slept_the_pattern_starts_anew_instead_of_racing() -> None:
    async def main() -> None:
        driver = RecordingDriver()
        async with running(driver) as light:
            light.show(Indicator.NO_CLOUD)
            await asyncio.sleep(1)
            loop_of().sleep_host(3600)
            driver.seen.clear()
            await asyncio.sleep(3)
            lit = [at for at, colour in driver.seen if colour == BLUE]
            assert len(lit) <= 6
            assert all(later - earlier >= 1 / 3 for earlier, later in pairwise(lit))

    run_on_fake_clock(main())


def test_a_state_shown_before_the_lines_are_open_is_the_first_one_seen() -> None:
    async def main() -> None:
        driver = RecordingDriver()
        light = Light(driver, on_health=never)
        light.show(Signal.IDENTIFY)
        light.show(Indicator.ACTIVE)
        task = asyncio.create_task(light.run())
        await driver.first_set.wait()
        assert [colour for _, colour in driver.seen] == [GREEN]
        task.cancel()
        await asyncio.wait([task])
        assert driver.closed

    run_on_fake_clock(main())


async def test_opening_happens_off_the_loop() -> None:
    driver = RecordingDriver()
    async with running(driver):
        assert driver.opened_in not in (None, threading.get_ident())


async def test_lines_that_cannot_be_had_are_reported_once_and_the_light_stays_dark() -> None:
    class Absent(RecordingDriver):
        def open(self) -> None:
            raise LightError("no GPIO here")

    driver, faults = Absent(), list[LightError | None]()
    light = Light(driver, on_health=faults.append)
    task = asyncio.create_task(light.run())
    await until(lambda: faults)
    light.show(Indicator.ACTIVE)
    light.show(Indicator.NO_IP)
    await asyncio.sleep(0.01)
    assert [str(fault) for fault in faults] == ["no GPIO here"]
    assert not task.done()
    assert driver.seen == []
    task.cancel()
    await asyncio.wait([task])


def test_lines_that_are_taken_and_fail_later_are_told_once_each_and_no_timer_stays() -> None:
    async def main() -> None:
        driver, told = RecordingDriver(), list[LightError | None]()
        async with running(driver, told.append) as light:
            assert told == [None]
            light.show(Indicator.NO_IP)
            driver.set_fails = True
            await asyncio.sleep(1)
            before = loop_of().timers_set
            light.show(Indicator.ACTIVE)
            await asyncio.sleep(5)
            assert [str(error) for error in told[1:]] == ["gone"]
            assert loop_of().timers_set == before + 1  # the sleep above

    run_on_fake_clock(main())


async def test_cancelled_while_opening_the_lines_are_still_closed() -> None:
    class Slow(RecordingDriver):
        def open(self) -> None:
            time.sleep(0.05)
            super().open()

        def close(self) -> None:
            assert self.opened_in is not None
            super().close()

    driver = Slow()
    task = asyncio.create_task(Light(driver, on_health=never).run())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert driver.closed


def test_a_signal_stands_above_the_state_and_gives_it_back() -> None:
    async def main() -> None:
        driver = RecordingDriver()
        async with running(driver) as light:
            light.show(Indicator.ACTIVE)
            light.signal(Signal.IDENTIFY)
            driver.seen.clear()
            light.show(Indicator.NO_CLOUD)
            await asyncio.sleep(2)
            assert {colour for _, colour in driver.seen} == {WHITE, OFF}
            driver.seen.clear()
            light.signal(None)
            await asyncio.sleep(2)
            assert {colour for _, colour in driver.seen} == {BLUE, OFF}

    run_on_fake_clock(main())


def test_at_night_a_light_that_is_well_is_dark_and_a_fault_is_not() -> None:
    async def main() -> None:
        driver = RecordingDriver()
        loop = asyncio.get_running_loop()
        midday = datetime(2026, 1, 2, 12, tzinfo=UTC)
        options: dict[str, Any] = {
            "night": NightHours.parse("22:00-06:00"),
            "wall_clock": lambda: midday + timedelta(seconds=loop.time()),
        }
        async with running(driver, **options) as light:
            light.show(Indicator.ACTIVE)
            await asyncio.sleep(20 * 3600)
            changes = [(at / 3600, colour) for at, colour in driver.seen if colour != WHITE]
            assert changes == [(0, GREEN), (10, OFF), (18, GREEN)]
            await asyncio.sleep(4 * 3600)
            light.show(Indicator.ACTIVE)
            await asyncio.sleep(11 * 3600)
            driver.seen.clear()
            light.show(Indicator.NO_METER_DATA)
            assert driver.seen[0][1] == RED

    run_on_fake_clock(main())


@pytest.mark.parametrize("palette", PALETTES)
def test_every_palette_shows_every_state_and_counts_tell_faults_apart(palette: str) -> None:
    patterns = PALETTES[palette]
    assert set(patterns) == {*Indicator, Signal.IDENTIFY}
    lit = {
        state: sum(step.colour != OFF for step in patterns[state])
        for state in (
            Indicator.NOT_CONFIGURED,
            Indicator.NO_METER_DATA,
            Indicator.NO_IP,
            Indicator.NO_CLOUD,
        )
    }
    assert list(lit.values()) == [1, 2, 3, 4]
    well = patterns[Indicator.ACTIVE][0].colour
    assert all(well not in {step.colour for step in patterns[state]} for state in lit)
