"""Facts in, finding out: every row of every table."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sensed.cli.doctor import render
from sensed.doctor import Finding, Level, device_checks, port_checks, way, wireless_checks, worst
from sensed.doctor.device_checks import (
    ClockFacts,
    ConfigurationFacts,
    Contact,
    DaemonFacts,
    LightFacts,
)
from sensed.doctor.findings import Rule, always, judge, parted
from sensed.doctor.machine import Switch
from sensed.doctor.port_checks import AdapterFacts, MeterFacts, ModemManagerFacts
from sensed.doctor.way import AddressFacts, WayFacts
from sensed.doctor.wireless_checks import BluetoothFacts, PolkitFacts, WifiFacts
from sensed.errors import BugError
from sensed.han.port import PortCause
from sensed.provisioning import NetworkFacts, Trouble
from sensed.uplink import Cause, LinkError
from sensed.uplink.link import Endpoint

OK, WARN, FAIL = Level.OK, Level.WARN, Level.FAIL
TABLES: dict[str, tuple[Rule[Any], ...]] = {
    name: table
    for module in (device_checks, port_checks, wireless_checks, way)
    for name, table in vars(module).items()
    if isinstance(table, tuple) and table and isinstance(table[0], Rule)
}
MADE = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
OPEN, SOFT, HARD = (
    Switch("wlan", soft=False, hard=False),
    Switch("wlan", soft=True, hard=False),
    Switch("wlan", soft=False, hard=True),
)


def adapter(**facts: Any) -> AdapterFacts:
    return AdapterFacts("/dev/x", **facts)


CASES: list[tuple[str, Any, Level, str, str]] = [
    ("CONFIGURATION", ConfigurationFacts(broker=True, fuse=True), OK, "right", ""),
    ("CONFIGURATION", ConfigurationFacts(error="x.toml: bad."), FAIL, "bad", "check-config"),
    ("CONFIGURATION", ConfigurationFacts(hidden=True, error="x"), WARN, "cannot see", "sudo"),
    ("CONFIGURATION", ConfigurationFacts(fuse=True), FAIL, "No broker", "mqtt.host"),
    ("CONFIGURATION", ConfigurationFacts(broker=True), WARN, "No main fuse", "fuse.main_a"),
    ("DAEMON", DaemonFacts(Contact.ANSWERS, "active"), OK, "active", ""),
    ("DAEMON", DaemonFacts(Contact.FORBIDDEN), WARN, "may not ask", "group sensed"),
    ("DAEMON", DaemonFacts(Contact.SILENT), FAIL, "does not answer", "journalctl"),
    ("DAEMON", DaemonFacts(Contact.ABSENT), FAIL, "not running", "systemctl start"),
    ("ADAPTER", adapter(allowed=True), OK, "/dev/x can be used", ""),
    ("ADAPTER", adapter(cause=PortCause.NO_DEVICE), FAIL, "no adapter", "Plug"),
    ("ADAPTER", adapter(allowed=False), FAIL, "user sensed may not", "usermod -aG dialout"),
    (
        "ADAPTER",
        adapter(cause=PortCause.PERMISSION, allowed=True),
        WARN,
        "This user may not",
        "sudo",
    ),
    ("ADAPTER", adapter(cause=PortCause.PERMISSION), FAIL, "denied", "usermod"),
    ("ADAPTER", adapter(cause=PortCause.BUSY), FAIL, "by another program", "End"),
    ("ADAPTER", adapter(names=("minicom (process 7)",)), FAIL, "by minicom (process 7)", "End"),
    ("ADAPTER", adapter(cause=PortCause.NOT_A_TTY), FAIL, "not a serial", "by-id"),
    ("ADAPTER", adapter(cause=PortCause.SETTINGS), FAIL, "format", "auto"),
    ("ADAPTER", adapter(cause=PortCause.UNREACHABLE), FAIL, "serial server", "address"),
    ("ADAPTER", adapter(cause=PortCause.CLOSED), FAIL, "serial server", "address"),
    ("ADAPTER", adapter(cause=PortCause.UNPLUGGED), FAIL, "failed", "Unplug"),
    ("ADAPTER", adapter(tried=False), WARN, "not tried", "root"),
    ("METER", MeterFacts(told=True, holds=True, age_s=2.4, line="2400 8E1"), OK, "2400 8E1", ""),
    ("METER", MeterFacts(told=True, holds=True), OK, "Lists come.", ""),
    ("METER", MeterFacts(told=True, holds=False, text="A.", remedy="B."), FAIL, "A.", "B."),
    ("METER", MeterFacts(told=True), WARN, "waits", "half a minute"),
    ("METER", MeterFacts(told=False, line="2400 8N1"), WARN, "2400 8N1", "capture"),
    ("METER", MeterFacts(told=False), WARN, "no line format", "capture"),
    ("MODEM_MANAGER", ModemManagerFacts("/dev/x", True, False, None), OK, "not run", ""),
    ("MODEM_MANAGER", ModemManagerFacts("/dev/x", False, True, None), OK, "no adapter", ""),
    ("MODEM_MANAGER", ModemManagerFacts("/dev/x", True, True, True), OK, "alone", ""),
    ("MODEM_MANAGER", ModemManagerFacts("/dev/x", True, True, False), WARN, "may write", "mask"),
    ("MODEM_MANAGER", ModemManagerFacts("/dev/x", True, None, False), WARN, "not be seen", "mask"),
    ("LIGHT", LightFacts(holds=True), OK, "has the light", ""),
    ("LIGHT", LightFacts(), WARN, "no GPIO", "readings do not need it"),
    ("LIGHT", LightFacts(chips=("c",), allowed=False), WARN, "sensed may not", "usermod"),
    ("LIGHT", LightFacts(chips=("c",), library="No gpiozero."), WARN, "No gpio", "apt install"),
    ("LIGHT", LightFacts(False, "Busy.", ("c",), allowed=True), WARN, "Busy.", "light.pins"),
    ("LIGHT", LightFacts(chips=("c",), allowed=True), OK, "can be used", ""),
    ("BLUETOOTH", BluetoothFacts(Trouble.NONE), OK, "can be used", ""),
    ("BLUETOOTH", BluetoothFacts(Trouble.NONE, soft=True), WARN, "blocked", "rfkill unblock"),
    ("BLUETOOTH", BluetoothFacts(Trouble.NONE, hard=True), WARN, "hardware", "disable-bt"),
    ("BLUETOOTH", BluetoothFacts(Trouble.NO_BUS), WARN, "D-Bus", "dbus"),
    ("BLUETOOTH", BluetoothFacts(Trouble.NO_BLUEZ, "Off."), WARN, "Off.", "enable --now"),
    ("BLUETOOTH", BluetoothFacts(Trouble.NO_ADAPTER, "None."), WARN, "None.", "disable-bt"),
    ("BLUETOOTH", BluetoothFacts(Trouble.REFUSED, "No."), WARN, "No.", "restart bluetooth"),
    ("BLUETOOTH", BluetoothFacts(None), WARN, "not answer", "restart bluetooth"),
    ("NETWORK_MANAGER", None, WARN, "not answer", "restart"),
    ("NETWORK_MANAGER", NetworkFacts(), WARN, "does not run", "enable --now"),
    ("NETWORK_MANAGER", NetworkFacts(available=True), OK, "runs", ""),
    ("POLKIT", PolkitFacts(True, True, True), WARN, "does not let", "reinstall"),
    ("POLKIT", PolkitFacts(True, False, False), OK, "may join", ""),
    ("POLKIT", PolkitFacts(False, None, False), OK, "Not needed", ""),
    ("POLKIT", PolkitFacts(True, None, True), OK, "is a rule", ""),
    ("POLKIT", PolkitFacts(True, None, False), WARN, "no rule", "reinstall"),
    ("POLKIT", PolkitFacts(True, None, None), WARN, "cannot see", "sudo"),
    ("WIFI", WifiFacts((), ""), OK, "no Wi-Fi", ""),
    ("WIFI", WifiFacts((HARD,), "NO"), WARN, "hardware", "disable-wifi"),
    ("WIFI", WifiFacts((SOFT,), ""), WARN, "no country", "do_wifi_country"),
    ("WIFI", WifiFacts((SOFT, HARD), "NO"), WARN, "although the country is NO", "unblock wifi"),
    ("WIFI", WifiFacts((SOFT, OPEN), ""), OK, "access point", ""),
    ("WIFI", WifiFacts((OPEN,), "NO"), OK, "country is NO", ""),
    ("CLOCK", ClockFacts(datetime(1970, 1, 1, tzinfo=UTC), MADE, True), FAIL, "1970", "set-ntp"),
    ("CLOCK", ClockFacts(NOW, MADE, False), WARN, "not been set", "set-ntp"),
    ("CLOCK", ClockFacts(NOW, MADE, True), OK, "from the network", ""),
    ("CLOCK", ClockFacts(NOW, MADE, None), WARN, "2026-11-22 12:00:00 UTC", "watch"),
    ("ADDRESS", AddressFacts(("192.0.2.7",)), OK, "192.0.2.7", ""),
    ("ADDRESS", AddressFacts((), broker_is_here=True), WARN, "on this device", "DHCP"),
    ("ADDRESS", AddressFacts(()), FAIL, "No link", "DHCP"),
]


@pytest.mark.parametrize(("table", "facts", "level", "text", "remedy"), CASES)
def test_each_row(table: str, facts: Any, level: Level, text: str, remedy: str) -> None:
    finding = judge("it", facts, TABLES[table])
    assert finding.level is level
    assert text in finding.text
    assert remedy in finding.remedy
    assert bool(finding.remedy) == (level is not OK)


@pytest.mark.parametrize("table", TABLES)
def test_no_row_is_in_vain_and_something_is_always_found(table: str) -> None:
    rules = TABLES[table]
    spoken = {
        next(at for at, rule in enumerate(rules) if rule.when(facts))
        for name, facts, *_ in CASES
        if name == table
    }
    assert spoken == set(range(len(rules)))
    assert rules[-1].when is always


def test_every_remedy_is_one_line() -> None:
    assert len(TABLES) == 12
    for rules in TABLES.values():
        for rule in rules:
            assert "\n" not in rule.text + rule.remedy
            assert len(rule.remedy) <= 100
            assert bool(rule.remedy) == (rule.level is not OK)


def test_a_table_with_a_gap_is_a_bug() -> None:
    with pytest.raises(BugError):
        judge("it", 1, [Rule(lambda f: f == 2, OK, "two")])


def test_words_from_outside_are_not_obeyed() -> None:
    finding = judge("adapter", AdapterFacts("/dev/{f.user}\x1b[2J", tried=False), TABLES["ADAPTER"])
    assert "{f.user}" in finding.text
    assert "\x1b" not in render([finding])


STEPS = {
    Cause.DNS: ["dns"],
    Cause.TLS: ["dns", "tls"],
    Cause.CLOCK: ["dns", "tls"],
    Cause.REFUSED: ["dns", "broker"],
}


@pytest.mark.parametrize("cause", Cause)
def test_the_way_ends_where_it_fails(cause: Cause) -> None:
    sentence = str(LinkError(cause, Endpoint("mqtt.example", 8883), "why"))
    found = list(way.way(WayFacts("mqtt.example", tls=True, cause=cause, sentence=sentence)))
    assert [finding.check for finding in found] == STEPS.get(cause, ["dns", "broker"])
    assert [finding.level for finding in found[:-1]] == [OK] * (len(found) - 1)
    assert found[-1].level is FAIL
    assert found[-1].remedy


def test_a_way_that_works_or_was_not_gone_to_its_end() -> None:
    found = list(way.way(WayFacts("h", tls=True)))
    assert [(finding.check, finding.level) for finding in found] == [
        ("dns", OK),
        ("tls", OK),
        ("broker", OK),
    ]
    found = list(way.way(WayFacts("h", tls=False, asked=False)))
    assert [finding.level for finding in found] == [OK, OK, WARN]
    assert "unencrypted" in found[1].text


@pytest.mark.parametrize(
    ("sentence", "text", "remedy"),
    [
        ("No link: check it.", "No link.", "Check it."),
        ("[::1] refuses port 1: look (a: b).", "[::1] refuses port 1.", "Look (a: b)."),
        ("All gone.", "All gone.", "The journal tells more: journalctl -x -u sensed."),
    ],
)
def test_sentences_are_parted(sentence: str, text: str, remedy: str) -> None:
    assert parted(sentence) == (text, remedy)


def test_the_worst_counts() -> None:
    assert worst([]) is OK
    assert worst([Finding("a", FAIL, ""), Finding("b", WARN, ""), Finding("c", OK, "")]) is FAIL
    assert worst([Finding("b", WARN, ""), Finding("c", OK, "")]) is WARN
