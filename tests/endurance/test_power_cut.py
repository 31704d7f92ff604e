"""Power cuts and failing disks at every step of every write to the state directory."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.endurance.disk import Disk, Image, lay_out, records
from tests.endurance.writers import HISTORY, SMALL, HistoryFile, may_be_there

pytestmark = pytest.mark.endurance

ROOT = Path(__file__).parents[2]


def beneath(shim: Path, folder: Path, *arguments: str) -> str:
    """Run the writers with the shim preloaded; return what they say."""
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "tests.endurance.steps", str(shim), str(folder), *arguments],
        cwd=ROOT,
        env={**os.environ, "LD_PRELOAD": str(shim)},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def recorded(shim: Path, folder: Path, name: str) -> bytes:
    log = folder / "log"
    beneath(shim, folder / "life", "record", name, str(log))
    return log.read_bytes()


@pytest.mark.parametrize("name", SMALL)
def test_a_power_cut_at_any_step_leaves_the_old_or_the_new(
    shim: Path, tmp_path: Path, name: str, figures: list[str]
) -> None:
    writer, disk, images, steps = SMALL[name], Disk(), 0, 0
    for record in records(recorded(shim, tmp_path, name)):
        disk.take(record)
        steps += 1
        allowed = writer.values[disk.turns : disk.turns + 2]
        for image in disk.images():
            images += 1
            lay_out(image, tmp_path / "after")
            found = writer.read(tmp_path / "after")
            assert found in allowed, f"step {steps}: {found!r}, not one of {allowed!r}"
    assert disk.turns == len(writer.turns)
    figures.append(f"{name}: {steps} steps, {images} states of the disk")


def test_a_power_cut_at_any_step_tears_no_history(
    shim: Path, tmp_path: Path, figures: list[str]
) -> None:
    disk, images, steps = Disk(), 0, 0
    known: dict[int, list[int]] = {}
    for record in records(recorded(shim, tmp_path, "history")):
        if record.name.endswith("-shm"):
            continue  # SQLite makes this index anew at every start (sqlite.org/walformat.html)
        disk.take(record)
        steps += 1
        under_way = HISTORY[disk.turns] if disk.turns < len(HISTORY) else None
        must, may, batch = may_be_there(HISTORY[: disk.turns], under_way)
        for image in disk.images():
            key = hash(tuple(sorted(image.items())))
            if key not in known:
                images += 1
                known[key] = rows_of(image, tmp_path / "after")
            found = known[key]
            assert found == sorted(found)
            assert must <= set(found) <= may | batch, f"step {steps}: {found}, not {sorted(must)}"
            assert set(found) & batch in (set(), batch), f"step {steps}: half a batch"
    assert disk.turns == len(HISTORY)
    figures.append(f"history: {steps} steps, {images} states of the disk")


def rows_of(image: Image, folder: Path) -> list[int]:
    lay_out(image, folder)
    file = HistoryFile(folder)
    try:
        return file.read()
    finally:
        file.close()


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("name", [*SMALL, "history"])
def test_a_disk_that_fails_at_any_step_loses_nothing(
    shim: Path, tmp_path: Path, name: str, error: int, figures: list[str]
) -> None:
    steps = int(beneath(shim, tmp_path / "lives", "fail", name, str(error)))
    assert steps > 0
    figures.append(f"{name}: {errno.errorcode[error]} at each of {steps} steps")
