from __future__ import annotations

import re
from pathlib import Path

from sensed import __version__


def test_the_package_has_the_programs_version() -> None:
    changelog = Path(__file__).parent.parent / "debian/changelog"
    released = re.match(r"sensed \(([^)]+)\)", changelog.read_text())
    assert released
    assert released[1] == __version__
