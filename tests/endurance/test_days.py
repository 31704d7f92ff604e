"""A week on a fast clock, with every fault each day: what the daemon holds stays the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.endurance

DAYS = int(os.environ.get("SENSED_ENDURANCE_DAYS", "7"))
ROOT = Path(__file__).parents[2]
OWN_WORLD = ["unshare", *([] if os.getuid() == 0 else ["--map-root-user"]), "--net", "--mount"]
MOST_RSS_OCTETS = 1024 * 1024
MOST_PYTHON_OCTETS = 64 * 1024


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Live through the days once; return each evening and the end."""
    folder = tmp_path_factory.mktemp("days")
    command = [*OWN_WORLD, sys.executable, "-m", "tests.endurance.days", str(DAYS), str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=3000, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    *evenings, end = map(json.loads, done.stdout.splitlines())
    assert len(evenings) == DAYS
    return evenings, end


def test_what_is_held_is_the_same_every_evening(
    lived: tuple[list[dict[str, Any]], dict[str, Any]], figures: list[str]
) -> None:
    evenings, _ = lived
    figures += [
        ", ".join(f"{name} {value}" for name, value in evening.items()) for evening in evenings
    ]
    settled = evenings[1:]
    for what in ("descriptors", "tasks", "threads"):
        assert len({evening[what] for evening in settled}) == 1, what
    for what, most in (("rss_octets", MOST_RSS_OCTETS), ("python_octets", MOST_PYTHON_OCTETS)):
        assert settled[-1][what] - settled[0][what] <= most, what


def test_the_daemon_recovers_from_every_fault(
    lived: tuple[list[dict[str, Any]], dict[str, Any]],
) -> None:
    evenings, end = lived
    assert end["crashes"] == []
    assert end["late"] == []
    assert {evening["words"] for evening in evenings} == {"configured and active"}


def test_no_reading_is_lost_and_a_bad_disk_is_told_once(
    lived: tuple[list[dict[str, Any]], dict[str, Any]],
) -> None:
    _, end = lived
    assert end["missing"] == 0
    # What was sent into a port that was not there, or as it came back, was heard by nobody.
    unheard_a_day = 5 * 60 / 10 + 60
    assert 0 <= end["good"] - end["newest"] <= unheard_a_day * DAYS
    trouble = end["history_trouble"]
    assert trouble.pop("disk_full") == 1
    assert trouble.pop("disk_read_only") == 1
    assert set(trouble.values()) == {0}
