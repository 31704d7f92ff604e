"""How many examples hypothesis draws: few in every run, many with HYPOTHESIS_PROFILE=slow."""

from __future__ import annotations

import os

from hypothesis import settings

_TIMES = 50 if os.environ.get("HYPOTHESIS_PROFILE") == "slow" else 1


def examples(few: int) -> settings:
    return settings(max_examples=few * _TIMES, deadline=None)
