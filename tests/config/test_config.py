from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from dataclasses import fields
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensed.config import Config, checks, load_config
from sensed.config.schema import SECTIONS
from sensed.errors import ConfigError
from sensed.han.port import MeterPort
from sensed.han.port_settings import SerialSettings


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    return tmp_path / "sensed.toml"


def load(etc: Path, text: str, state: Path | None = None) -> Config:
    etc.write_text(text)
    return load_config(etc, state)


def test_an_empty_file_gives_the_defaults(etc: Path) -> None:
    assert load(etc, "") == Config()


def test_values_arrive_typed(etc: Path) -> None:
    config = load(
        etc,
        """
        [device]
        id = "cabin"
        [meter]
        port = "socket://127.0.0.1:2000"
        serial = "2400 8N1"
        key = "00112233445566778899AABBCCDDEEFF"
        ct_ratio = 40
        [mqtt]
        host = "broker.example"
        port = 8883
        username = "u"
        password = "p"
        tls = true
        [light]
        pins = [5, 6, 13]
        active_low = true
        """,
    )
    assert config.meter.ct_ratio == 40
    assert config.mqtt.port == 8883
    assert config.mqtt.tls is True
    assert config.light.pins == (5, 6, 13)
    assert config.mqtt.password is not None
    assert config.mqtt.password.reveal() == "p"


def test_what_is_kept_has_its_place_where_systemd_says() -> None:
    places = "from sensed.config import *; print(STATE_PATH, Config().history.file)"
    environment = {key: value for key, value in os.environ.items() if key != "STATE_DIRECTORY"}
    for more, folder in (({}, "/var/lib/sensed"), ({"STATE_DIRECTORY": "/srv/s"}, "/srv/s")):
        told = subprocess.check_output(
            [sys.executable, "-c", places], env=environment | more, text=True, timeout=20
        )
        assert told.split() == [f"{folder}/settings.toml", f"{folder}/history.sqlite"]


LINES = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from((300, 2400, 9600, 14400, 115200, "auto", "²400", "9" * 5000)),
    st.sampled_from((" ", "/", ",", "")),
    st.integers(5, 9),
    st.sampled_from("NEOMneo"),
    st.integers(1, 2),
)
PORTS = st.builds(
    "{}{}{}".format,
    st.sampled_from(("socket://", "tcp://", "/dev/", "")),
    st.sampled_from(("host", "[::1]", "[::1", "ttyUSB0", "℀", "a@b", "")),
    st.sampled_from((":1", ":0", ":99999", ":x", "")),
)


@given(LINES | st.just("auto"), PORTS | st.just("auto"))
def test_what_passes_the_checks_can_be_opened(serial: str, port: str) -> None:
    try:
        serial, port = checks.serial_format(serial), checks.meter_port(port)
    except ValueError:
        return
    MeterPort(port, settings=None if serial == "auto" else SerialSettings.parse(serial))


def test_secrets_do_not_show(etc: Path) -> None:
    config = load(
        etc, '[meter]\nkey = "00112233445566778899aabbccddeeff"\n[mqtt]\npassword = "hunter2"\n'
    )
    assert "hunter2" not in repr(config)
    assert "00112233" not in repr(config)


def test_a_ratio_is_exact(etc: Path) -> None:
    assert load(etc, "[meter]\nct_ratio = 0.1\n").meter.ct_ratio == Decimal("0.1")


def test_the_administrators_file_stands_above_the_phones(etc: Path, tmp_path: Path) -> None:
    state = tmp_path / "settings.toml"
    state.write_text('[mqtt]\nhost = "from-phone"\nport = 1884\n')
    config = load(etc, '[mqtt]\nhost = "from-etc"\n', state)
    assert (config.mqtt.host, config.mqtt.port) == ("from-etc", 1884)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[mqtt]\nhots = "x"\n', "unknown key mqtt.hots; write host"),
        ("[mttq]\n", "unknown section [mttq]; write mqtt"),
        ("mqtt = 1\n", "mqtt must be a section, written as [mqtt]"),
        ("[mqtt]\nport = 0\n", "mqtt.port must be a whole number from 1 to 65535"),
        ("[mqtt]\nport = true\n", "mqtt.port must be a whole number"),
        ('[mqtt]\nport = "1883"\n', "mqtt.port must be a whole number"),
        ('[mqtt]\ntls = "yes"\n', "mqtt.tls must be true or false"),
        ('[mqtt]\nhost = "a\\nb"\n', "mqtt.host must be a host name or address"),
        ("[mqtt]\npassword = 1\n", "mqtt.password must be a text in quotes"),
        ('[meter]\nserial = "2400"\n', "meter.serial must be"),
        ('[meter]\nserial = "14400 8N1"\n', "meter.serial must be"),
        ('[meter]\nserial = "2400 5E1"\n', "meter.serial must be"),
        ("[meter]\nserial = 2400\n", "meter.serial must be"),
        ('[meter]\nport = "socket://host"\n', "meter.port must be a device path"),
        ('[meter]\nport = "tcp://h:1"\n', "meter.port must be a device path"),
        ('[meter]\nport = "socket://[::1:2"\n', "meter.port must be a device path"),
        ('[meter]\nport = ""\n', "meter.port must be a device path"),
        ('[meter]\nkey = "xyz"\n', "meter.key must be 32 hexadecimal digits"),
        ("[meter]\nct_ratio = 0\n", "meter.ct_ratio must be"),
        ("[meter]\nct_ratio = nan\n", "meter.ct_ratio must be"),
        ("[meter]\nct_ratio = true\n", "meter.ct_ratio must be"),
        ("[light]\npins = [1, 1, 2]\n", "light.pins must be three different"),
        ("[light]\npins = [1, 2, 28]\n", "light.pins must be three different"),
        ('[meter]\nlayout = "power_import_w"\n', "meter.layout must be a list of reading keys"),
        ('[meter]\nlayout = ["power_imort_w"]\n', "did you mean power_import_w"),
        ('[light]\nnight = "22-06"\n', "light.night must be two different times of day"),
        ("[fuse]\nmain_a = 0\n", "fuse.main_a must be a number from 1 to 10000"),
        ('[fuse]\nnet = "IN"\n', "fuse.net must be one of TN, IT, TT"),
        ("[setup]\nbutton = 40\n", "setup.button must be a whole number from 0 to 27"),
        ('[log]\nlevel = "loud"\n', "log.level must be one of debug"),
        ("[mqtt\n", "not valid TOML"),
        ("a = " + "[" * 20000, "not valid TOML"),
        ("a = " + "1" * 5000, "not valid TOML"),
    ],
)
def test_a_wrong_file_is_told_in_one_sentence(etc: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(etc, text)
    message = str(caught.value)
    assert says in message
    assert message.startswith(str(etc))
    assert "\n" not in message
    assert message.endswith(".")


def test_a_named_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path / "absent.toml", None)


def test_a_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape("cannot be read (Is a directory)")):
        load_config(tmp_path, None)


def test_a_file_that_is_not_text_or_too_large_is_told(etc: Path) -> None:
    etc.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(etc, None)
    etc.write_bytes(b"#" * 100_000)
    with pytest.raises(ConfigError, match="larger than"):
        load_config(etc, None)
    os.truncate(etc, 0)
    assert load_config(etc, None) == Config()


def test_every_setting_has_a_sentence_of_help() -> None:
    for section in SECTIONS.values():
        for item in fields(section):
            assert item.metadata["help"].endswith("."), item.name


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None
)
@given(text=st.text(max_size=80))
def test_any_text_gives_a_configuration_or_the_packages_own_error(etc: Path, text: str) -> None:
    etc.write_bytes(text.encode(errors="surrogatepass"))
    with contextlib.suppress(ConfigError):
        assert isinstance(load_config(etc, None), Config)
