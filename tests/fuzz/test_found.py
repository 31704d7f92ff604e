"""What fuzzing has found once stays mended; targets and their first inputs stay whole."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from fuzz.__main__ import load, targets

FOUND = sorted((Path(__file__).parent / "found").glob("*.hex"))


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_was_found_stays_mended(path: Path) -> None:
    load(path.name.partition("-")[0]).one_input(bytes.fromhex(path.read_text()))


@pytest.mark.parametrize("name", targets())
def test_a_target_says_what_must_hold_and_runs(name: str) -> None:
    target = load(name)
    assert target.__doc__
    inputs = list(islice(target.corpus(), 32))
    assert inputs
    for octets in (*inputs, b""):
        target.one_input(octets)
