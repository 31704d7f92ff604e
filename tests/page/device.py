"""The device's side of the page's tests: set-up as it is, on a D-Bus, with a real store."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from sensed.config import Config, SettingsStore, load_config
from sensed.daemon.keeper import NewestValues, SettingsKeeper
from sensed.provisioning import House, Provisioning, SetupSettings, SetupState, read_code
from sensed.provisioning.encrypted import SetupCode
from sensed.status import WORDS, Indicator
from sensed.uplink import MeterIdentity
from tests.provisioning.conftest import Daemon
from tests.provisioning.fake_bluez import FakeBluez
from tests.provisioning.fake_network_manager import EAP, WPA2, FakeNetworkManager
from tests.provisioning.fake_network_manager import House as Network
from tests.waiting import until

ETC = '[device]\nid = "pi-1"\n[fuse]\nnet = "TN"\n'


class Device:
    """Everything from the radio to the files, but no meter, uplink and light."""

    def __init__(self, daemon: Daemon, folder: Path) -> None:
        self.bluez = FakeBluez(daemon.address)
        self.nm = FakeNetworkManager(
            daemon.address,
            {
                "Hjemme": Network("grautfat", rsn=WPA2, strength=80),
                "Kafé åpen": Network("", strength=55),
                "Kontoret": Network("", rsn=EAP, strength=30),
            },
        )
        self.folder = folder
        self.etc = folder / "sensed.toml"
        self.etc.write_text(ETC)
        self.state_file = folder / "settings.toml"
        self.identified = 0
        self.state = Indicator.NOT_CONFIGURED
        self.facts: dict[str, Any] = {}
        self.last_list_age_s: float | None = None
        self.newest = NewestValues()
        self.config = self.load()
        self._store = SettingsStore(self.etc, self.state_file)
        self._setup_state: SetupState | None = None

    def load(self) -> Config:
        return load_config(self.etc, self.state_file)

    def make(self) -> Provisioning:
        """Return set-up with the set-up code of the folder."""
        state = SetupState(self.folder, asyncio.get_running_loop().time())
        keeper = SettingsKeeper(
            self._store,
            config=lambda: self.config,
            reload=self._reload,
            state=self._told,
            meter=MeterIdentity,
            newest=self.newest,
        )
        self.provisioning = Provisioning(
            SetupSettings(device_name=self.config.device.name),
            on_identify=self._identify,
            on_facts=lambda _facts: None,
            on_reset=lambda: self.state_file.unlink(missing_ok=True),
            uplink_set=lambda: self.config.mqtt.host is not None,
            house=House(state, keeper),
        )
        return self.provisioning

    async def start(self) -> None:
        await self.bluez.start()
        await self.nm.start()

    async def stop(self) -> None:
        await self.bluez.disconnect()
        await self.nm.disconnect()

    async def advertised(self) -> None:
        await until(lambda: self.bluez.advertisement)

    @property
    def code(self) -> SetupCode:
        return read_code(self.folder)

    async def _reload(self) -> None:
        self.config = self.load()
        self.provisioning.rename(self.config.device.name)
        self.provisioning.look()

    def _identify(self) -> None:
        self.identified += 1

    def _told(self) -> dict[str, Any]:
        unknown = {"holds": None, "cause": None, "detail": None, "age_s": 1.0}
        names = ("configured", "meter", "address", "cloud", "light", "bluetooth", "network_manager")
        return {
            "state": self.state.value,
            "words": WORDS[self.state],
            "facts": {name: {**unknown, **self.facts.get(name, {})} for name in names},
            "meter": {"last_list_age_s": self.last_list_age_s},
        }
