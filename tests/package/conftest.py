from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.package.machine import Machine

REPOSITORY = Path(__file__).parents[2]
PACKAGE = os.environ.get("SENSED_DEB", "")

LATER = (
    "fish groff-base iproute2 mosquitto mosquitto-clients python3-bleak python3-hypothesis"
    " python3-jinja2 python3-pytest python3-pytest-asyncio python3-pytest-timeout python3-segno"
    " python3-yaml zsh"
)
"""What the tests install beside the package: a broker, and what the test suite needs."""


@pytest.fixture(scope="session")
def package() -> Path:
    """The package under test."""
    if not PACKAGE:
        pytest.skip("needs a built package: run scripts/test-deb")
    return Path(PACKAGE).resolve()


@pytest.fixture(scope="session")
def machine(package: Path) -> Iterator[Machine]:
    """A running trixie machine with nothing of sensed on it but the package's file."""
    pristine = subprocess.run(
        [
            *(REPOSITORY / "scripts" / "trixie-root", "machine"),
            *("systemd-sysv", "dbus", "udev", "locales", "ca-certificates"),
        ],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout.strip()
    work = Path(tempfile.mkdtemp(prefix="sensed-machine-"))
    with Machine(Path(pristine), work, Path(pristine).parent / "archives") as running:
        running.put(package, "/srv/sensed.deb")
        running.start(["/srv/sensed.deb", *LATER.split()])
        yield running
