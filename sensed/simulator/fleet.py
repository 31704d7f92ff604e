"""Many simulated devices on one broker: each a meter, a decoder and a whole uplink.

What ``sensed simulate --devices N`` runs, for load on brokers and their access rules.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sensed.errors import ConfigError
from sensed.simulator.meter import MeterSimulator, Telegram
from sensed.simulator.model import MeterModel

if TYPE_CHECKING:
    from sensed.uplink import BrokerSettings, LinkFact, Uplink

_MOST_DEVICES: Final = 5000
_LONGEST_START_S: Final = 10.0
_SETTLE_S: Final = 2.0


@dataclass(slots=True)
class FleetReport:
    """What a fleet has done; ``connected`` and ``failures`` are as of now."""

    devices: int
    connected: int = 0
    lists: int = 0
    undecoded: int = 0
    waiting: int = 0
    failures: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """``devices`` of one model, named ``<prefix>-1`` and so on, for ``seconds``.

    Each device has its own meter and starts at its own moment. Raises ConfigError.
    """

    broker: BrokerSettings
    devices: int
    seconds: float
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not 0 < self.devices <= _MOST_DEVICES:
            raise ConfigError(f"--devices: give 1 to {_MOST_DEVICES}.")
        if not self.seconds > 0:
            raise ConfigError("--seconds: give a number above 0.")


async def run_fleet(
    settings: FleetSettings,
    model: MeterModel,
    *,
    on_report: Callable[[FleetReport], None] = lambda _report: None,
    every_s: float = 10.0,
) -> FleetReport:
    """Run every device for the given time and return what became of them.

    ``settings.broker.device_id`` is the prefix of the devices' names. ``on_report`` is
    called every ``every_s`` seconds.
    """
    report = FleetReport(settings.devices)
    devices = [_Device(settings, model, number, report) for number in range(settings.devices)]
    tasks = [asyncio.create_task(device.run(), name="device") for device in devices]
    try:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + settings.seconds
        while (left_s := end_s - loop.time()) > 0:
            done, _ = await asyncio.wait(
                tasks, timeout=min(left_s, every_s), return_when=asyncio.FIRST_EXCEPTION
            )
            for task in done:
                task.result()
            on_report(_counted(report, devices))
    finally:
        for device in devices:
            device.mute()
        await asyncio.sleep(_SETTLE_S)
        _counted(report, devices)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return report


def _counted(report: FleetReport, devices: list[_Device]) -> FleetReport:
    report.waiting = sum(device.waiting for device in devices)
    report.connected = sum(device.connected for device in devices)
    return report


class _Device:
    """One of the fleet."""

    def __init__(
        self, settings: FleetSettings, model: MeterModel, number: int, report: FleetReport
    ) -> None:
        from sensed.han import HanDecoder
        from sensed.uplink import SafetySettings, Uplink

        seed = settings.seed + number
        self._rng = random.Random(f"device/{seed}")  # noqa: S311 - a model, not a secret
        self._report = report
        self._decoder = HanDecoder()
        self._telegrams = MeterSimulator(model, seed=seed).telegrams()
        self._boot_id = f"{self._rng.getrandbits(128):032x}"
        self._seq = 0
        self._muted = False
        self.connected = False
        name = f"{settings.broker.device_id}-{number + 1}"
        self._uplink: Uplink = Uplink(
            replace(settings.broker, device_id=name),
            on_link=self._link,
            safety=SafetySettings(main_fuse_a=25),
            boot_id=self._boot_id,
            rng=self._rng,
        )

    @property
    def waiting(self) -> int:
        """How many readings wait for the broker."""
        return self._uplink.history_counts.waiting

    def mute(self) -> None:
        """Send no more lists."""
        self._muted = True

    async def run(self) -> None:
        """Send lists at the meter's pace until cancelled."""
        await asyncio.sleep(self._rng.uniform(0, _LONGEST_START_S))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._uplink.run(), name="uplink")
            loop = asyncio.get_running_loop()
            began_s = loop.time()
            for telegram in self._telegrams:
                await asyncio.sleep(began_s + telegram.at_s - loop.time())
                if not self._muted:
                    self._hear(telegram, loop.time())

    def _hear(self, telegram: Telegram, now_s: float) -> None:
        from sensed.han import ListDecoded
        from sensed.uplink import Sample, Stamp

        lists = [
            event
            for event in self._decoder.receive(telegram.wire)
            if isinstance(event, ListDecoded)
        ]
        self._report.undecoded += not lists
        for event in lists:
            self._seq += 1
            stamp = Stamp(datetime.now(UTC), now_s, self._seq, self._boot_id)
            self._uplink.publish(Sample(event.reading, stamp))
            self._report.lists += 1

    def _link(self, fact: LinkFact) -> None:
        self.connected = bool(fact.holds)
        if fact.cause is not None:
            failures: Mapping[str, int] = self._report.failures
            self._report.failures[fact.cause] = failures.get(fact.cause, 0) + 1
