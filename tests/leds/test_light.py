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
from sensed.leds.light import Light, NoLinesError
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
from tests.leds.clock import AtOnce, FakeClockLoop, run_on_fake_clock


class RecordingDriver:
    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.seen: list[tuple[float, Colour]] = []
        self.closed = False
        self.opened_in: int | None = None
        self.opened_at_s: list[float] = []
        self.open_fails: LightError | None = None
        self.set_fails = False
        self.first_set = asyncio.Event()

    def open(self) -> None:
        self.opened_in = threading.get_ident()
        self.opened_at_s.append(self.loop.time())
        if self.open_fails is not None:
            raise self.open_fails

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


def test_lines_that_cannot_be_had_are_told_once_and_tried_again_ever_more_rarely() -> None:
    async def main() -> None:
        loop_of().set_default_executor(AtOnce())
        driver, told = RecordingDriver(), list[LightError | None]()
        driver.open_fails = LightError("another has them")
        light = Light(driver, on_health=told.append)
        task = asyncio.create_task(light.run())
        await asyncio.sleep(0)
        light.show(Indicator.ACTIVE)
        await asyncio.sleep(3600)
        assert [str(error) for error in told] == ["another has them"]
        assert driver.seen == []
        pauses_s = [later - earlier for earlier, later in pairwise(driver.opened_at_s)]
        assert all(2.5 <= pause_s <= 5 for pause_s in pauses_s[:1])
        assert all(150 <= pause_s <= 300 for pause_s in pauses_s[7:])
        assert len(pauses_s) > 12
        driver.open_fails = None
        await asyncio.sleep(301)
        assert told[1:] == [None]
        assert driver.seen[-1][1] == GREEN
        before = loop_of().timers_set
        await asyncio.sleep(3600)
        assert loop_of().timers_set == before + 1  # the sleep above
        task.cancel()
        await asyncio.wait([task])

    run_on_fake_clock(main())


def test_a_machine_without_lines_is_not_asked_again() -> None:
    async def main() -> None:
        loop_of().set_default_executor(AtOnce())
        driver, told = RecordingDriver(), list[LightError | None]()
        driver.open_fails = NoLinesError("no GPIO here")
        task = asyncio.create_task(Light(driver, on_health=told.append).run())
        await asyncio.sleep(24 * 3600)
        assert [str(error) for error in told] == ["no GPIO here"]
        assert len(driver.opened_at_s) == 1
        task.cancel()
        await asyncio.wait([task])

    run_on_fake_clock(main())


def test_lines_that_fail_later_are_told_once_and_show_the_state_once_they_serve_again() -> None:
    async def main() -> None:
        loop_of().set_default_executor(AtOnce())
        driver, told = RecordingDriver(), list[LightError | None]()
        async with running(driver, told.append) as light:
            assert told == [None]
            light.show(Indicator.NO_IP)
            await asyncio.sleep(100)
            driver.set_fails = True
            failed_s = driver.loop.time()
            await asyncio.sleep(100)
            assert [str(error) for error in told[1:]] == ["gone"]
            assert driver.closed
            assert driver.opened_at_s[1] - failed_s <= 2 + 5
            driver.seen.clear()
            driver.set_fails = False
            light.show(Indicator.ACTIVE)
            await asyncio.sleep(301)
            assert told[2:] == [None]
            assert [colour for _, colour in driver.seen] == [GREEN]

    run_on_fake_clock(main())


def test_lines_that_serve_for_a_moment_only_are_tried_ever_more_rarely() -> None:
    async def main() -> None:
        loop_of().set_default_executor(AtOnce())
        driver, told = FailingAtOnce(), list[LightError | None]()
        light = Light(driver, on_health=told.append)
        light.show(Indicator.NOT_CONFIGURED)
        task = asyncio.create_task(light.run())
        await asyncio.sleep(3600)
        assert 12 < len(driver.opened_at_s) < 40
        assert len(told) == 2 * len(driver.opened_at_s)  # each of them a change
        task.cancel()
        await asyncio.wait([task])

    class FailingAtOnce(RecordingDriver):
        def set(self, red: bool, green: bool, blue: bool) -> None:  # noqa: FBT001 - see Driver
            self.set_fails = (red, green, blue) == OFF
            super().set(red, green, blue)

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
