"""Settings from a set-up client, with a real broker."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sensed.config import Config, SettingsStore, load_config
from sensed.daemon import keeper as keepers
from sensed.daemon.keeper import NewestValues, SettingsKeeper
from sensed.han.reading import Reading
from sensed.provisioning import RefusedError
from sensed.uplink import MeterIdentity
from tests.mosquitto import Mosquitto, free_port
from tests.uplink.tools import settings, up

FACT = {"holds": False, "cause": "x", "detail": "y" * 500, "age_s": 1.0}


class Desk:
    """A keeper, its files, and what is in force."""

    def __init__(self, folder: Path) -> None:
        self.etc = folder / "sensed.toml"
        self.etc.write_text('[device]\nid = "pi-1"\n')
        self.state = folder / "settings.toml"
        self.reloads = 0
        self.config = self.load()
        self.last_list_age_s: float | None = None
        self.identity = MeterIdentity()
        self.newest = NewestValues()
        self.keeper = SettingsKeeper(
            SettingsStore(self.etc, self.state),
            config=lambda: self.config,
            reload=self._reload,
            state=self._state,
            meter=lambda: self.identity,
            newest=self.newest,
        )

    def load(self) -> Config:
        return load_config(self.etc, self.state)

    async def _reload(self) -> None:
        self.reloads += 1
        self.config = self.load()

    def _state(self) -> dict[str, Any]:
        return {
            "state": "no_cloud",
            "words": "w",
            "facts": {"cloud": FACT},
            "meter": {"last_list_age_s": self.last_list_age_s, "list_interval_s": 2.5},
        }

    async def refused(self, values: dict[str, object]) -> RefusedError:
        before = self.state.read_bytes() if self.state.exists() else None
        reloads = self.reloads
        with pytest.raises(RefusedError) as refused:
            await self.keeper.change(values)
        assert self.reloads == reloads
        assert (self.state.read_bytes() if self.state.exists() else None) == before
        return refused.value


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_settings_are_in_force_when_the_answer_goes_out(desk: Desk) -> None:
    await desk.keeper.change({"fuse.main_a": 25, "fuse.net": "IT", "device.name": "Hytta"})
    assert desk.reloads == 1
    assert (desk.config.fuse.main_a, desk.config.fuse.net) == (25, "IT")
    assert desk.keeper.settings()["device.name"] == {"value": "Hytta", "locked": False}


async def test_a_broker_is_taken_only_after_it_has_let_us_in(desk: Desk, tmp_path: Path) -> None:
    with Mosquitto(tmp_path, passwords={"u": "right"}) as broker:
        good = {
            "mqtt.host": "127.0.0.1",
            "mqtt.port": broker.port,
            "mqtt.username": "u",
            "mqtt.password": "right",
        }
        await desk.keeper.change(good)
        assert desk.config.mqtt.host == "127.0.0.1"
        refused = await desk.refused({"mqtt.password": "wrong"})
        assert refused.code == "broker-not-authorised"
        assert "wrong" not in str(refused)
        refused = await desk.refused({"mqtt.port": free_port()})
        assert refused.code == "broker-refused"
        assert desk.config.mqtt.password is not None
        assert desk.config.mqtt.password.reveal() == "right"
        # What does not concern the broker does not ask it either.
        broker.stop()
        await desk.keeper.change({"fuse.main_a": 20})
        refused = await desk.refused({"mqtt.tls": False})
        assert refused.code == "broker-refused"
    # Nobody has to be reachable to be forgotten.
    await desk.keeper.change(dict.fromkeys(good))
    assert desk.config.mqtt.host is None


async def test_the_link_in_use_is_not_disturbed_by_a_trial(
    desk: Desk, mosquitto: Mosquitto
) -> None:
    there = {"mqtt.host": "127.0.0.1", "mqtt.port": mosquitto.port}
    await desk.keeper.change(there)
    async with up(settings(mosquitto.port)) as running:
        await running.linked()
        await desk.keeper.change(there)
        await asyncio.sleep(0.1)
        assert [fact.holds for fact in running.facts] == [True]


@pytest.mark.parametrize(
    ("values", "code", "key"),
    [
        ({"device.id": "x"}, "unknown-setting", "device.id"),
        ({"fuse.main_a": "25"}, "invalid", "fuse.main_a"),
        ({"fuse.main_a": 16, "fuse.margin_a": 16}, "contradiction", ""),
        ({"fuse.main_a": 16, "fuse.failsafe_a": 20}, "contradiction", ""),
        ({"mqtt.host": "x", "mqtt.password": "p"}, "contradiction", ""),
        ({"mqtt.host": "does-not-exist.invalid"}, "broker-dns", ""),
    ],
)
async def test_what_cannot_be_is_refused_with_its_cause(
    desk: Desk, values: dict[str, object], code: str, key: str
) -> None:
    refused = await desk.refused(values)
    assert (refused.code, refused.key) == (code, key)
    assert str(refused).endswith(".")


async def test_what_the_administrator_fixed_stays(desk: Desk) -> None:
    desk.etc.write_text("[fuse]\nmain_a = 16\n")
    refused = await desk.refused({"fuse.main_a": 63})
    assert (refused.code, refused.key) == ("locked", "fuse.main_a")
    desk.etc.write_text("[fuse")
    refused = await desk.refused({"fuse.main_a": 63})
    assert refused.code == "contradiction"
    with pytest.raises(RefusedError):
        desk.keeper.settings()


async def test_brokers_that_answer_are_suggested(
    desk: Desk, mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded_files = tmp_path / "guarded"
    guarded_files.mkdir()
    with Mosquitto(guarded_files, passwords={"u": "p"}) as guarded:
        places = (
            ("127.0.0.1", mosquitto.port),
            ("127.0.0.1", free_port()),
            ("127.0.0.1", guarded.port),
        )
        monkeypatch.setattr(keepers, "_LIKELY_BROKERS", places)
        assert await desk.keeper.brokers() == [
            {"host": "127.0.0.1", "port": mosquitto.port, "tls": False, "login": False},
            {"host": "127.0.0.1", "port": guarded.port, "tls": False, "login": True},
        ]


def test_the_status_is_whole_bounded_and_fit_for_json(desk: Desk) -> None:
    status: Any = desk.keeper.status()
    assert (status["reading"], status["meter"]) == (None, None)
    assert len(status["facts"]["cloud"]["detail"]) == 200
    desk.newest.received(Reading(power_import_w=100, current_l1_a=Decimal("2.3")))
    desk.newest.received(Reading(power_import_w=200, meter_id="7"))
    desk.last_list_age_s = 1.5
    desk.identity = MeterIdentity(meter_id="7", maker="Kaifa")
    status = desk.keeper.status()
    assert status["reading"] == {"age_s": 1.5, "power_import_w": 200, "current_l1_a": 2.3}
    assert status["meter"] == {"meter_id": "7", "meter_type": None, "maker": "Kaifa"}
    assert desk.keeper.about() == {"device_id": "pi-1"}


async def test_a_reload_is_done_outside_of_who_asked_for_it() -> None:
    from sensed.daemon.reloads import Reloads
    from sensed.errors import ConfigError
    from sensed.notify import Notifier

    applied: list[Config] = []
    told: list[str] = []
    asking: list[asyncio.Task[None]] = []

    async def apply(config: Config) -> None:
        if asking:
            asking[0].cancel()
        await asyncio.sleep(0.01)
        applied.append(config)

    def load() -> Config:
        if told:
            raise ConfigError(told[0])
        return Config()

    reloads = Reloads(load)
    worker = asyncio.create_task(reloads.run(apply, Notifier()))
    asking.append(asyncio.create_task(reloads.done()))
    await asyncio.wait(asking)
    assert asking[0].cancelled()
    asking.clear()
    await reloads.done()
    assert len(applied) == 2
    told.append("The file is broken.")
    await reloads.done()
    assert len(applied) == 2
    worker.cancel()
