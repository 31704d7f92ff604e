"""Runs on the Pi: the product's light alone on its lines; prints its share of a core per state."""

# ruff: noqa: T201 - what it prints is its answer

import asyncio
import json
import time

from sensed.leds.gpio import GpioDriver, LightSettings
from sensed.leds.light import Light

_SECONDS = 30.0


async def main() -> None:
    works: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    light = Light(
        GpioDriver(LightSettings()),
        on_health=lambda error: works.set_exception(error) if error else works.set_result(None),
    )
    task = asyncio.create_task(light.run())
    await works
    shares = {}
    for state in ("not_configured", "no_meter_data", "no_ip", "no_cloud", "active"):
        light.show(state)
        await asyncio.sleep(1.0)
        cpu_s, wall_s = time.process_time(), time.monotonic()
        await asyncio.sleep(_SECONDS)
        shares[state] = (time.process_time() - cpu_s) / (time.monotonic() - wall_s)
    task.cancel()
    await asyncio.wait([task])
    print(json.dumps(shares))


asyncio.run(main())
