from __future__ import annotations

import asyncio

import pytest

from sensed.errors import ConfigError
from sensed.simulator import METERS
from sensed.simulator.fleet import FleetReport, FleetSettings, run_fleet
from tests.mosquitto import Mosquitto, free_port
from tests.uplink.tools import listening, settings

MODEL = METERS["aidon-3ph-tn"]


@pytest.mark.slow
async def test_every_list_of_a_fleet_arrives(mosquitto: Mosquitto) -> None:
    reports: list[int] = []
    fleet = FleetSettings(broker=settings(mosquitto.port), devices=3, seconds=13)
    async with listening(mosquitto.port, "sensed/+/power") as listener:
        report = await run_fleet(
            fleet, MODEL, on_report=lambda found: reports.append(found.connected), every_s=4
        )
        await asyncio.sleep(0.1)
        marks = {(heard.json["boot_id"], heard.json["seq"]) for heard in listener.heard}
    assert reports[-1] == 3
    assert len(marks) == report.lists > 3
    assert (report.undecoded, report.waiting, report.failures) == (0, 0, {})
    devices = {heard.topic for heard in listener.heard}
    assert devices == {f"sensed/pi-1-{number}/power" for number in (1, 2, 3)}


async def test_a_broker_that_is_away_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sensed.simulator.fleet._LONGEST_START_S", 0)
    monkeypatch.setattr("sensed.simulator.fleet._SETTLE_S", 0)
    fleet = FleetSettings(broker=settings(free_port()), devices=2, seconds=0.5)
    report: FleetReport = await run_fleet(fleet, MODEL)
    assert report.connected == 0
    assert report.failures == {"refused": 2}


@pytest.mark.parametrize(("devices", "seconds"), [(0, 1), (10_000, 1), (1, 0)])
def test_a_fleet_without_sense_is_refused(devices: int, seconds: float) -> None:
    with pytest.raises(ConfigError):
        FleetSettings(broker=settings(1883), devices=devices, seconds=seconds)
