"""A few megabytes of mutated streams; ``benchmarks.soak`` goes on for as long as asked."""

from __future__ import annotations

import pytest

from benchmarks.soak import soak
from sensed.han.doubt import Doubt
from sensed.simulator import METERS


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_soak() -> None:
    found = soak(5_000_000, seed=3)
    assert found.octets >= 5_000_000
    assert found.readings > 10_000
    assert found.false == []
    assert found.floor.total() < found.readings / 100
    assert found.counters["frames_mended"] > 0


def test_a_short_soak_finds_readings_and_damage() -> None:
    found = soak(150_000, seed=5)
    assert found.readings > 150
    assert found.false == []
    assert found.counters["bad_fcs"] + found.counters["bad_checksum"] > 0


@pytest.mark.parametrize("name", ["p1-nocrc", "kaifa-ma309"])
def test_of_what_nothing_protects_only_values_may_be_false(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.soak.METERS", {name: METERS[name]})
    found = soak(400_000, seed=6)
    assert found.readings > 500
    assert found.false == []
    assert found.floor.total() < found.readings / 100


def test_a_soak_tells_a_false_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """The measure itself can fail: without doubt, damage to unprotected readouts comes through."""
    monkeypatch.setattr("benchmarks.soak.METERS", {"p1-nocrc": METERS["p1-nocrc"]})
    monkeypatch.setattr(Doubt, "believes", lambda *_: True)
    assert soak(400_000, seed=6).false
