"""How soon the service is ready on a Pi that has nothing else to do."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.pi import Pi
    from harness.product import Product

pytestmark = [pytest.mark.pi, pytest.mark.usefixtures("green")]

_READY_DEADLINE_S = 15.0
_FORGET = "sync; echo 3 >/proc/sys/vm/drop_caches"


def test_the_service_is_ready_soon_after_its_start(
    pi: Pi, product: Product, record_property: Callable[[str, str], None]
) -> None:
    took_s: dict[str, list[float]] = {"all from the card": [], "in memory from before": []}
    for _ in range(2):
        for whence, forget in zip(took_s, (_FORGET, "true"), strict=True):
            pi.run(f"systemctl stop sensed; {forget}; systemctl start sensed")
            took_s[whence].append(product.start_took_s)

    for whence, seconds in took_s.items():
        told = ", ".join(f"{one:.1f}" for one in seconds)
        record_property(f"from the service's start to READY, {whence}, s", told)
    assert max(itertools.chain(*took_s.values())) < _READY_DEADLINE_S
