from __future__ import annotations

import itertools

import pytest

from sensed.status import PRECEDENCE, WORDS, Fact, Facts, Indicator, indicator

NAMES = [name for name, _ in PRECEDENCE]


def expected(truths: dict[str, bool | None]) -> Indicator:
    """The manual's table, told a second time as plain conditions."""
    if truths["configured"] is False:
        return Indicator.NOT_CONFIGURED
    if truths["meter"] is False:
        return Indicator.NO_METER_DATA
    if truths["address"] is False:
        return Indicator.NO_IP
    if truths["cloud"] is False:
        return Indicator.NO_CLOUD
    return Indicator.ACTIVE if all(truths.values()) else Indicator.STARTING


@pytest.mark.parametrize("values", list(itertools.product([True, False, None], repeat=len(NAMES))))
def test_every_combination_of_facts_shows_the_state_of_the_manual(
    values: tuple[bool | None, ...],
) -> None:
    truths = dict(zip(NAMES, values, strict=True))
    facts = Facts(**{name: Fact(holds=value) for name, value in truths.items()})
    assert indicator(facts) is expected(truths)


def test_every_state_has_its_own_words() -> None:
    assert set(WORDS) == set(Indicator)
    assert len(set(WORDS.values())) == len(Indicator)
