from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensed.config import Config, SettingError, SettingsStore, load_config
from sensed.config.store import SETTABLE
from sensed.config.toml import toml_tables
from sensed.errors import ConfigError

ETC = "[mqtt]\nport = 8883\n[fuse]\nmain_a = 25\n"


class Files:
    def __init__(self, folder: Path) -> None:
        self.etc = folder / "sensed.toml"
        self.state = folder / "settings.toml"
        self.etc.write_text(ETC)
        self.store = SettingsStore(self.etc, self.state)

    def load(self) -> Config:
        return load_config(self.etc, self.state)

    def set(self, **values: object) -> Config:
        proposal = self.store.propose({name.replace("__", "."): it for name, it in values.items()})
        self.store.keep(proposal)
        assert self.load() == proposal.config
        return proposal.config


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_what_is_kept_is_in_force_after_a_restart(files: Files) -> None:
    files.set(device__name='Kåre "K" \\ sin', mqtt__host="homeassistant.local", fuse__margin_a=2.5)
    config = files.set(mqtt__password="hem lig\x7f\n", light__night="22:00-06:30", mqtt__tls=True)
    assert config.device.name == 'Kåre "K" \\ sin'
    assert str(config.fuse.margin_a) == "2.5"
    assert config.mqtt.password is not None
    assert config.mqtt.password.reveal() == "hem lig\x7f\n"
    shown = files.store.shown(config)
    assert shown["mqtt.host"] == {"value": "homeassistant.local", "locked": False}
    assert shown["light.night"] == {"value": "22:00-06:30", "locked": False}
    assert shown["mqtt.password"] == {"set": True, "locked": False}
    assert shown["fuse.main_a"] == {"value": 25, "locked": True}
    assert "hem lig" not in repr(shown)


def test_only_this_user_may_read_what_was_set(files: Files) -> None:
    files.state.write_text("")
    files.state.chmod(0o644)
    files.set(mqtt__password="hemmelig")
    assert files.state.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in files.state.parent.iterdir()) == [
        "sensed.toml",
        "settings.toml",
    ]


def test_null_takes_back_what_was_set(files: Files) -> None:
    files.set(mqtt__host="old", mqtt__username="u")
    config = files.set(mqtt__host=None, mqtt__username=None, mqtt__tls=None)
    assert config == load_config(files.etc, None)
    assert files.state.read_text() == ""


def test_what_else_was_stored_stays(files: Files) -> None:
    files.state.write_text('[history]\nfile = ""\n[mqtt]\nbase_topic = "house"\n')
    config = files.set(mqtt__host="broker")
    assert (config.history.file, config.mqtt.base_topic) == (None, "house")


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("mqtt.port", 1883, "locked"),
        ("mqtt.port", None, "locked"),
        ("mqtt.base_topic", "x", "unknown-setting"),
        ("meter.port", "/dev/ttyS0", "unknown-setting"),
        ("setup.improv", "off", "unknown-setting"),
        ("mqtt", "x", "unknown-setting"),
        ("", "x", "unknown-setting"),
        ("mqtt.host", "", "invalid"),
        ("mqtt.host", 5, "invalid"),
        ("mqtt.host", "a\nb", "invalid"),
        ("mqtt.host", "x" * 256, "invalid"),
        ("mqtt.host", "\ud800", "invalid"),
        ("mqtt.password", "\udfff", "invalid"),
        ("mqtt.tls", 1, "invalid"),
        ("mqtt.tls", "true", "invalid"),
        ("mqtt.protocol", "4", "invalid"),
        ("mqtt.ca_pem", "-----BEGIN CERTIFICATE-----", "invalid"),
        ("mqtt.ca_pem", "é", "invalid"),
        ("meter.key", "00", "invalid"),
        ("fuse.margin_a", float("inf"), "invalid"),
        ("fuse.margin_a", -1, "invalid"),
        ("fuse.margin_a", True, "invalid"),
        ("fuse.net", "XX", "invalid"),
        ("light.brightness", 50.5, "invalid"),
        ("light.night", "22:00", "invalid"),
        ("device.name", [], "invalid"),
        ("device.name", {}, "invalid"),
    ],
)
def test_what_cannot_be_set_is_told_and_nothing_changes(
    files: Files, name: str, value: object, code: str
) -> None:
    with pytest.raises(SettingError) as refused:
        files.store.propose({"device.name": "new", name: value})
    assert (refused.value.code, refused.value.name) == (code, name)
    assert str(refused.value).endswith(".")
    assert not files.state.exists()


def test_a_proposal_touches_nothing_and_shows_no_value(files: Files) -> None:
    proposal = files.store.propose({"mqtt.password": "hemmelig"})
    assert not files.state.exists()
    assert repr(proposal) == "Proposal(mqtt.password)"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    store = SettingsStore(None, tmp_path / "absent" / "settings.toml")
    with pytest.raises(SettingError, match="could not be stored") as refused:
        store.keep(store.propose({"device.name": "new"}))
    assert refused.value.code == "not-stored"


def test_a_link_in_the_place_of_the_file_is_not_followed(files: Files, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    files.state.with_name("settings.toml.new").symlink_to(victim)
    files.set(device__name="new")
    assert victim.read_text() == "mine"


def test_every_setting_is_shown_or_write_only(files: Files) -> None:
    shown = files.store.shown(files.load())
    assert set(shown) == set(SETTABLE)
    hidden = {name for name, what in shown.items() if "set" in what}
    assert hidden == {"mqtt.password", "mqtt.ca_pem", "meter.key", "meter.auth_key"}


VALUES = st.one_of(
    st.text().filter(lambda text: text.isascii() or text.isprintable()),
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.integers(0, 27)),
)


@given(st.dictionaries(st.sampled_from(["a", "b-c", "d_1"]), VALUES))
def test_what_is_written_is_read_as_it_was(table: dict[str, object]) -> None:
    assert tomllib.loads(toml_tables({"x": table, "y": table})) == {"x": table, "y": table}


def test_a_broken_file_of_the_administrator_is_told(files: Files) -> None:
    files.etc.write_text("[mqtt")
    with pytest.raises(ConfigError, match="not valid TOML"):
        files.store.propose({"device.name": "new"})
