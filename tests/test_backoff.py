from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sensed.backoff import Backoff


@given(failures=st.integers(0, 10**9), draw=st.floats(0, 1, exclude_max=True))
def test_backoff_stays_between_half_and_whole_of_its_ceiling(failures: int, draw: float) -> None:
    backoff = Backoff(first_s=1.0, longest_s=60.0)
    delay_s = backoff.delay_s(failures, draw=lambda: draw)
    ceiling_s = min(60.0, 2.0 ** min(failures, 6))
    assert ceiling_s / 2 <= delay_s <= ceiling_s
