"""The package on a machine: one story, in the order in which it happens to a user."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.package.conftest import LATER, REPOSITORY
from tests.package.machine import Machine, MachineError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CONFIGURATION = "/etc/sensed/sensed.toml"
METER = "/run/meter/tty"
SETTINGS = f"""\
[meter]
port = "{METER}"

[mqtt]
host = "127.0.0.1"
username = "reader"
password = "correct horse"
"""
LOCALES = {"en": "C.UTF-8", "nb": "nb_NO.UTF-8", "sv": "sv_SE.UTF-8"}


KEEP_SETTINGS = "--option Dpkg::Options::=--force-confold"


def install(machine: Machine, path: str = "/srv/sensed.deb", options: str = "") -> str:
    return machine.run(f"apt-get --yes {options} install {path}", within_s=400)


def shows(machine: Machine, *names: str) -> list[str]:
    wanted = ",".join(names)
    shown = machine.run(f"systemctl show sensed --property={wanted}")
    values = dict(line.split("=", 1) for line in shown.splitlines())
    return [values[name] for name in names]


@contextlib.contextmanager
def configured(machine: Machine, text: str) -> Iterator[None]:
    """Have another configuration in the file for a while; the daemon is not told."""
    machine.write(CONFIGURATION, text)
    try:
        yield
    finally:
        machine.write(CONFIGURATION, SETTINGS)


@contextlib.contextmanager
def able_to_hang(machine: Machine) -> Iterator[None]:
    """Run a daemon that can be made to hang."""
    ours = REPOSITORY / "tests" / "package"
    drop_in = "/etc/systemd/system/sensed.service.d"
    machine.put(ours / "hang.py", "/usr/local/lib/hang.py")
    machine.put(ours / "hang.conf", f"{drop_in}/hang.conf")
    machine.run("systemctl daemon-reload && systemctl restart sensed")
    try:
        yield
    finally:
        machine.run(f"rm -r {drop_in} && systemctl daemon-reload && systemctl restart sensed")


def is_active(machine: Machine) -> bool:
    return shows(machine, "ActiveState", "SubState") == ["active", "running"]


def journal(machine: Machine, options: str = "") -> str:
    return machine.run(f"journalctl --unit=sensed --no-pager {options}")


def entries(machine: Machine, match: str) -> list[dict[str, str]]:
    shown = machine.run(f"journalctl --unit=sensed --output=json --no-pager {match}", check=False)
    return [json.loads(line) for line in shown.splitlines() if line.startswith("{")]


def power(machine: Machine) -> dict[str, object]:
    heard = machine.run("mosquitto_sub -t 'sensed/+/power' -C 1 -W 40", within_s=60)
    reading: dict[str, object] = json.loads(heard)
    return reading


def paths_of_ours(machine: Machine) -> list[str]:
    found = machine.run(
        "find / -xdev -iname '*sensed*' -not -path '/proc/*' -not -path '/srv/*'"
        " -not -path '/var/cache/apt/*' ; find /run /dev -iname '*sensed*'"
    )
    return sorted(found.splitlines())


def test_a_pristine_machine_takes_the_package_and_runs_it(machine: Machine) -> None:
    assert paths_of_ours(machine) == []

    install(machine)

    machine.until(lambda: is_active(machine), within_s=30, what="an active service")
    assert shows(machine, "NRestarts", "UnitFileState") == ["0", "enabled"]
    assert machine.run("systemctl --failed --no-legend") == ""
    (state,) = [entry["SENSED_STATE"] for entry in entries(machine, "SENSED_EVENT=state_changed")]
    assert state == "not_configured"
    assert "not configured" in shows(machine, "StatusText")[0]


def test_who_may_read_what(machine: Machine) -> None:
    modes = machine.run(f"stat --format='%n %a %U %G' {CONFIGURATION} /var/lib/sensed /run/sensed")

    assert modes.splitlines() == [
        f"{CONFIGURATION} 640 root sensed",
        "/var/lib/sensed 700 sensed sensed",
        "/run/sensed 755 sensed sensed",
    ]
    assert set(machine.run("id --name --groups sensed").split()) >= {"dialout", "gpio"}
    machine.run("sensed run --check-config", user="sensed")


def test_the_unit_is_sound_and_hardened(machine: Machine) -> None:
    unit = "/usr/lib/systemd/system/sensed.service"

    assert machine.run(f"systemd-analyze verify --man=no {unit}") == ""
    scored = machine.run("systemd-analyze security --threshold=20 --no-pager sensed.service")
    assert "Overall exposure level for sensed.service" in scored


def test_the_rules_are_sound(machine: Machine) -> None:
    machine.run("udevadm verify /usr/lib/udev/rules.d/61-sensed.rules")
    refused = re.compile("sensed.rules.*(error|fail)", re.IGNORECASE)
    assert not refused.search(machine.run("journalctl --unit=polkit --no-pager"))


def test_the_manual_and_the_completion_are_there(machine: Machine) -> None:
    listed = machine.run("dpkg --listfiles sensed").splitlines()

    for path in (
        "/usr/share/man/man1/sensed.1.gz",
        "/usr/share/man/man5/sensed.toml.5.gz",
        "/usr/share/bash-completion/completions/sensed",
        "/usr/share/zsh/vendor-completions/_sensed",
        "/usr/share/fish/vendor_completions.d/sensed.fish",
    ):
        assert path in listed
    assert "run" in machine.run("sensed --help")


def test_the_adapters_bytes_become_readings(machine: Machine) -> None:
    machine.run(f"apt-get --yes install {LATER}", within_s=400)
    machine.write(CONFIGURATION, SETTINGS)
    machine.run(
        "systemd-run --unit=meter --uid=sensed --property=RuntimeDirectory=meter"
        f" sensed simulate --meter kaifa-3ph --to pty:{METER}"
    )

    machine.run("systemctl restart sensed")

    reading = power(machine)
    assert isinstance(reading["power_import_w"], int | float)
    machine.until(
        lambda: bool(entries(machine, "SENSED_EVENT=state_changed SENSED_STATE=active")),
        within_s=60,
        what="the state active in the journal",
    )
    assert "active" in shows(machine, "StatusText")[0]


def test_the_journal_has_facts_in_fields_and_no_secrets(machine: Machine) -> None:
    machine.until(
        lambda: bool(entries(machine, "SENSED_EVENT=meter_found")),
        within_s=30,
        what="a list that names the meter",
    )
    (found, *_) = entries(machine, "SENSED_EVENT=meter_found")

    assert found["PRIORITY"] == "6"
    assert found["SENSED_METER_ID"] in found["MESSAGE"]
    assert re.fullmatch("[0-9a-f]{32}", found["MESSAGE_ID"])
    assert found["_SYSTEMD_UNIT"] == "sensed.service"
    assert "correct horse" not in journal(machine, "--output=export")


def test_the_journal_explains_itself_in_three_languages(machine: Machine) -> None:
    for locale in ("nb_NO", "sv_SE"):
        machine.run(f"localedef --inputfile={locale} --charmap=UTF-8 {locale}.UTF-8")
    subjects = {
        "en": "A meter was found",
        "nb": "En måler er funnet",
        "sv": "En mätare har hittats",
    }

    for language, subject in subjects.items():
        told = machine.run(
            f"LC_ALL={LOCALES[language]} journalctl -u sensed -x SENSED_EVENT=meter_found"
        )
        assert subject in told
        assert "man:sensed(1)" in told
        assert "@SENSED" not in told


def test_every_message_of_the_daemon_is_in_the_catalog(machine: Machine) -> None:
    known = machine.run("journalctl --list-catalog --no-pager")

    for entry in entries(machine, "_COMM=sensed"):
        if "SENSED_EVENT" in entry:
            assert entry["MESSAGE_ID"] in known, entry["SENSED_EVENT"]


def test_reload_takes_a_setting_up_without_a_restart(machine: Machine) -> None:
    before = shows(machine, "MainPID")

    with configured(machine, SETTINGS + '\n[log]\nlevel = "debug"\n'):
        machine.run("systemctl reload sensed")

    machine.until(
        lambda: bool(entries(machine, "SENSED_EVENT=list")),
        within_s=30,
        what="a list in the journal, at level debug",
    )
    machine.run("systemctl reload sensed")
    assert shows(machine, "MainPID") == before


def test_a_reload_with_a_mistake_keeps_what_works(machine: Machine) -> None:
    before = shows(machine, "MainPID", "NRestarts")

    with configured(machine, "[mqtt]\nhots = 1\n"), contextlib.suppress(MachineError):
        machine.run("systemctl reload sensed")

    (refused,) = entries(machine, "SENSED_EVENT=reload_refused")
    assert "write host" in refused["MESSAGE"]
    assert is_active(machine)
    assert shows(machine, "MainPID", "NRestarts") == before
    assert power(machine)


def test_stop_is_quick_and_restart_comes_back(machine: Machine) -> None:
    machine.run("systemctl stop sensed", within_s=15)
    assert shows(machine, "ActiveState", "Result") == ["inactive", "success"]
    assert entries(machine, "SENSED_EVENT=stopping")

    machine.run("systemctl start sensed")
    machine.run("systemctl restart sensed")

    assert is_active(machine)
    assert power(machine)


def test_a_wrong_configuration_is_told_and_a_mended_one_taken_up(machine: Machine) -> None:
    with configured(machine, "[mqtt]\nhots = 1\n"):
        with contextlib.suppress(MachineError):
            machine.run("systemctl restart sensed")
        machine.until(
            lambda: int(shows(machine, "NRestarts")[0]) >= 2, within_s=30, what="two more tries"
        )
    assert "write host" in journal(machine, "--since=-1min")

    machine.until(lambda: is_active(machine), within_s=60, what="a service that came back")


def test_a_daemon_that_hangs_is_restarted_within_30_s_and_shows_where(machine: Machine) -> None:
    with able_to_hang(machine):
        (hanging,) = shows(machine, "MainPID")
        # It runs well past the deadline before it is made to hang.
        machine.until(
            lambda: int(machine.run(f"ps -o etimes= -p {hanging}")) > 25,
            within_s=60,
            what="a daemon that outlives its watchdog",
        )

        machine.run("systemctl kill --signal=USR1 sensed")

        machine.until(
            lambda: is_active(machine) and shows(machine, "MainPID") != [hanging],
            within_s=30,
            what="a new daemon",
        )
        told = journal(machine, f"_PID={hanging} + _PID=1")
        assert "Watchdog timeout" in told
        assert "hang_for_good" in told
        assert power(machine)


def test_it_starts_without_gpio_group_bluetooth_and_networkmanager(machine: Machine) -> None:
    machine.run("apt-get --yes purge bluez network-manager polkitd", within_s=300)
    machine.run("groupdel gpio")

    machine.run("systemctl restart sensed")

    assert is_active(machine)
    assert power(machine)
    machine.run("systemd-sysusers")


def put_source(machine: Machine) -> None:
    """Put the project's files there, as an unpacked source package has them."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    for name in sorted({path.split("/")[0] for path in listed.split("\0") if path}):
        if (REPOSITORY / name).exists():
            machine.put(REPOSITORY / name, f"/srv/source/{name}")


def put_frames(machine: Machine) -> None:
    """Put the conformance frames there, where this machine has them."""
    frames = Path(os.environ.get("SENSED_FRAMES", REPOSITORY.parent / "shared" / "frames"))
    if frames.exists():
        machine.put(frames, "/srv/frames")


def put_gpiozero(machine: Machine) -> None:
    """Put gpiozero 2 there, which Raspberry Pi OS has and Debian has not."""
    for name in ("gpiozero", "colorzero"):
        found = importlib.util.find_spec(name)
        assert found is not None
        assert found.origin is not None
        package = Path(found.origin).parent
        for folder in (package, *package.parent.glob(f"{name}-*.dist-info")):
            machine.put(folder, f"/srv/raspberry/{folder.name}")


def test_the_suite_passes_on_debians_own_versions(machine: Machine) -> None:
    put_source(machine)
    put_frames(machine)
    put_gpiozero(machine)
    machine.run("mkdir /srv/suite")

    output = machine.run(
        "cd /srv/source && export AUTOPKGTEST_TMP=/srv/suite PYTHONPATH=/srv/raspberry"
        " SENSED_FRAMES=/srv/frames && nice sh debian/tests/suite",
        within_s=500,
    )

    assert re.search(r"\d+ passed", output)


@pytest.mark.parametrize("name", ["service", "readings"])
def test_the_packages_own_tests_pass(name: str, machine: Machine) -> None:
    with configured(machine, SETTINGS):
        machine.run(f"cd /srv/source && sh debian/tests/{name}", within_s=120)


def changed(machine: Machine, version: str) -> str:
    """Make the package anew with another version; return its path in the machine."""
    folder = f"/srv/{version}"
    machine.run(
        f"dpkg-deb --raw-extract /srv/sensed.deb {folder}"
        f" && sed -i 's/^Version: .*/Version: {version}/' {folder}/DEBIAN/control"
        f" && echo '# A new comment.' >>{folder}{CONFIGURATION}"
        f" && dpkg-deb --build {folder} {folder}.deb"
    )
    return f"{folder}.deb"


def test_an_upgrade_keeps_the_administrators_file_and_restarts_once(machine: Machine) -> None:
    (before,) = shows(machine, "MainPID")

    install(machine, changed(machine, "99.0"), KEEP_SETTINGS)

    assert "99.0" in machine.run("dpkg-query --show sensed")
    machine.until(lambda: is_active(machine), within_s=30, what="an active service")
    assert shows(machine, "MainPID") != [before]
    assert machine.run(f"cat {CONFIGURATION}") == SETTINGS
    assert machine.run(f"stat --format='%a %U %G' {CONFIGURATION}").split() == [
        "640",
        "root",
        "sensed",
    ]


def test_a_reinstallation_and_a_downgrade_work(machine: Machine) -> None:
    install(machine, "/srv/99.0.deb", f"--reinstall {KEEP_SETTINGS}")
    install(machine, "/srv/sensed.deb", f"--allow-downgrades {KEEP_SETTINGS}")

    machine.until(lambda: is_active(machine), within_s=30, what="an active service")
    assert machine.run(f"cat {CONFIGURATION}") == SETTINGS


def test_removal_stops_the_service_and_keeps_what_is_the_users(machine: Machine) -> None:
    machine.run("touch /var/lib/sensed/settings.toml")

    machine.run("apt-get --yes remove sensed")

    assert (
        machine.run("pgrep --count --euid=sensed --full 'sensed run'", check=False).strip() == "0"
    )
    assert machine.run(f"cat {CONFIGURATION}") == SETTINGS
    machine.run("test -e /var/lib/sensed/settings.toml")


def test_a_purge_leaves_no_file(machine: Machine) -> None:
    machine.run("apt-get --yes purge sensed")

    assert paths_of_ours(machine) == []
    left = machine.run("grep --recursive --files-with-matches sensed /etc").split()
    # The user stays, so that its number is not given to somebody else.
    accounts = {"/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"}
    assert {path.rstrip("-") for path in left} <= accounts
    assert "sensed" not in machine.run("journalctl --list-catalog --no-pager")
    assert "sensed" not in machine.run("systemctl list-unit-files --no-legend")


def test_it_installs_again_after_a_purge(machine: Machine) -> None:
    install(machine)

    machine.until(lambda: is_active(machine), within_s=30, what="an active service")
