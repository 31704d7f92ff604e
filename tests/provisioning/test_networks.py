from __future__ import annotations

import pytest

from sensed.provisioning import networks
from sensed.provisioning.networks import AccessPoint, Cause, Security
from sensed.secret import Secret


def point(ssid: bytes = b"ap", *, strength: int = 50, **flags: int) -> AccessPoint:
    bits = {"flags": 0, "wpa_flags": 0, "rsn_flags": 0, **flags}
    return AccessPoint("/ap", ssid, strength, bits["flags"], bits["wpa_flags"], bits["rsn_flags"])


@pytest.mark.parametrize(
    ("seen", "security", "auth"),
    [
        (point(), Security.OPEN, "NO"),
        (point(flags=1), Security.UNSUPPORTED, "WEP"),
        (point(flags=1, wpa_flags=0x104), Security.PSK, "WPA"),
        (point(flags=1, rsn_flags=0x188), Security.PSK, "WPA2"),
        (point(flags=1, wpa_flags=0x100, rsn_flags=0x100), Security.PSK, "WPA/WPA2"),
        (point(flags=1, rsn_flags=0x588), Security.PSK, "WPA2/WPA3"),
        (point(flags=1, rsn_flags=0x400), Security.SAE, "WPA3"),
        (point(flags=1, rsn_flags=0x200), Security.UNSUPPORTED, "WPA2 EAP"),
        (point(flags=1, rsn_flags=0x2000), Security.UNSUPPORTED, "WPA3"),
        (point(flags=1, rsn_flags=0x800), Security.OWE, "NO"),
        (point(rsn_flags=0x1000), Security.OPEN, "NO"),
    ],
)
def test_security_and_its_word(seen: AccessPoint, security: Security, auth: str) -> None:
    assert (seen.security, seen.auth) == (security, auth)


def test_best_first_without_doubles_or_names_nobody_can_read() -> None:
    found = networks.best_first(
        [
            point(b"far", strength=10),
            point(b"near", strength=40),
            point(b"near", strength=90),
            point(b"", strength=99),
            point(b"\xff\xfe", strength=99),
            point(b"\x00\x00", strength=99),
            point(b"n" * 33, strength=99),
        ]
    )
    assert [(n.ssid, n.rssi_dbm) for n in found] == [("near", -55), ("far", -95)]


@pytest.mark.parametrize(
    ("security", "password", "cause"),
    [
        (Security.PSK, "12345678", None),
        (Security.PSK, "x" * 63, None),
        (Security.PSK, "x" * 64, Cause.WRONG_PASSWORD),
        (Security.PSK, "a" * 64, None),
        (Security.PSK, "1234567", Cause.WRONG_PASSWORD),
        (Security.PSK, "", Cause.WRONG_PASSWORD),
        (Security.SAE, "x", None),
        (Security.OPEN, "", None),
        (Security.OPEN, "12345678", Cause.WRONG_PASSWORD),
        (Security.OWE, "", None),
        (Security.UNSUPPORTED, "12345678", Cause.SECURITY),
    ],
)
def test_passwords_that_cannot_be_right(
    security: Security, password: str, cause: Cause | None
) -> None:
    fault = networks.fault_of_password(security, password)
    assert (fault[0] if fault else None) is cause


@pytest.mark.parametrize(
    ("reason", "reached", "cause"),
    [
        (7, 60, Cause.WRONG_PASSWORD),
        (53, 50, Cause.SSID_NOT_FOUND),
        (5, 70, Cause.NO_DHCP),
        (17, 70, Cause.NO_DHCP),
        (11, 50, Cause.SUPPLICANT),
        (3, 50, Cause.NETWORK_MANAGER),
        (35, 40, Cause.HARDWARE),
        (0, 70, Cause.NO_DHCP),
        (0, 50, Cause.NETWORK_MANAGER),
    ],
)
def test_causes(reason: int, reached: int, cause: Cause) -> None:
    assert networks.cause_of(reason, reached) is cause


@pytest.mark.parametrize(
    ("reached", "cause"), [(80, Cause.NO_DHCP), (50, Cause.SUPPLICANT), (0, Cause.TIMEOUT)]
)
def test_causes_of_a_time_out(reached: int, cause: Cause) -> None:
    assert networks.cause_of_time_out(reached) is cause


def test_every_cause_is_one_sentence() -> None:
    for cause in Cause:
        assert networks.DETAILS[cause].endswith(".")


def test_hints_only_where_they_are_true() -> None:
    def told(cause: Cause, *, bands: int = 0x700, driver: str = "", rsn: int = 0) -> str:
        return networks.explained(cause, bands=bands, driver=driver, point=point(rsn_flags=rsn))

    assert "2.4 GHz" in told(Cause.SSID_NOT_FOUND, bands=0x300)
    assert "2.4 GHz" not in told(Cause.SSID_NOT_FOUND)
    assert "2.4 GHz" not in told(Cause.SSID_NOT_FOUND, bands=0)
    assert "WPA3" in told(Cause.SUPPLICANT, driver="brcmfmac", rsn=0x500)
    assert "WPA3" not in told(Cause.SUPPLICANT, driver="brcmfmac", rsn=0x100)
    assert "WPA3" not in told(Cause.SUPPLICANT, driver="ath9k", rsn=0x500)


def test_a_profile_is_for_everybody_and_hides_nothing_it_need_not() -> None:
    made = networks.profile(b"\xff", Security.PSK, Secret("12345678"), hidden=True)
    assert made["connection"]["id"].value == "sensed-\\xff"
    assert "permissions" not in made["connection"]
    assert made["802-11-wireless"]["ssid"].value == b"\xff"
    assert made["802-11-wireless-security"]["psk-flags"].value == 0
    bare = networks.profile(b"x", Security.OPEN, Secret(""), hidden=False)
    assert "802-11-wireless-security" not in bare
