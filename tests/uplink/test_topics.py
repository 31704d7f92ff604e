from __future__ import annotations

import pytest

from sensed.errors import ConfigError
from sensed.secret import Secret
from sensed.uplink.settings import BrokerSettings
from sensed.uplink.topics import Topics


def test_topics_stand_below_base_and_device() -> None:
    topics = Topics("home/meters", "pi_1-A")
    assert topics.power == "home/meters/pi_1-A/power"
    assert topics.headroom == "home/meters/pi_1-A/headroom"


@pytest.mark.parametrize(
    "base", ["", "/", "a//b", "/a", "a/", "a+b", "a/#", "a\0b", "a\nb", "$SYS", "x" * 300]
)
def test_a_base_that_mqtt_forbids_is_refused(base: str) -> None:
    with pytest.raises(ConfigError, match="base topic"):
        Topics(base, "pi")


@pytest.mark.parametrize("device", ["", "a/b", "a+b", "#", "a b", "å", "a\0", "x" * 65, "pi\n"])
def test_a_device_id_that_is_not_one_plain_level_is_refused(device: str) -> None:
    with pytest.raises(ConfigError, match="device id"):
        Topics("sensed", device)


@pytest.mark.parametrize(
    "changes",
    [
        {"host": ""},
        {"host": " broker"},
        {"host": "a\0"},
        {"port": 0},
        {"port": 65536},
        {"keepalive_s": 0},
        {"keepalive_s": 65536},
        {"password": Secret("x")},
        {"username": "a\0"},
        {"username": "\ud800"},
        {"username": "u", "password": Secret("x" * 65536)},
        {"base_topic": "+"},
    ],
)
def test_settings_that_no_connection_could_use_are_refused(changes: dict[str, object]) -> None:
    values = {"host": "broker", "device_id": "pi", **changes}
    with pytest.raises(ConfigError) as caught:
        BrokerSettings(**values)  # type: ignore[arg-type]  # any value, that is the point
    assert "xxx" not in str(caught.value)


def test_a_password_is_not_shown() -> None:
    settings = BrokerSettings(
        host="h", device_id="d", username="u", password=Secret("correct horse")
    )
    assert "correct" not in f"{settings} {settings!r} {settings.password} {settings.password!r}"
    assert settings.password is not None
    assert settings.password.reveal() == "correct horse"
    assert settings == BrokerSettings(
        host="h", device_id="d", username="u", password=Secret("correct horse")
    )


def test_the_client_id_follows_the_device_unless_set() -> None:
    assert BrokerSettings(host="h", device_id="d").identifier == "sensed-d"
    assert BrokerSettings(host="h", device_id="d", client_id="c").identifier == "c"
