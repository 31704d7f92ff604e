"""A few megabytes of mutated streams; ``benchmarks.soak`` goes on for as long as asked."""

from __future__ import annotations

import pytest

from benchmarks.soak import soak


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_soak() -> None:
    found = soak(5_000_000, seed=3)
    assert found.octets >= 5_000_000
    assert found.readings > 10_000
    assert found.false == []
    assert found.counters["frames_mended"] > 0


def test_a_short_soak_finds_readings_and_damage() -> None:
    found = soak(150_000, seed=5)
    assert found.readings > 150
    assert found.false == []
    assert found.counters["bad_fcs"] + found.counters["bad_checksum"] > 0
