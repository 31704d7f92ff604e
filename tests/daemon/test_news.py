from __future__ import annotations

import pytest

from sensed.daemon.facts import FactBoard
from sensed.daemon.news import News
from sensed.errors import LightError


@pytest.fixture
def board() -> FactBoard:
    return FactBoard(lambda: 0.0)


@pytest.fixture
def news(board: FactBoard) -> News:
    return News(board)


def test_the_light_is_unknown_until_its_lines_are_taken_or_refused(
    board: FactBoard, news: News
) -> None:
    told = [board.facts.light]
    for error in (LightError("no GPIO here"), None):
        news.light_health(error)
        told.append(board.facts.light)

    assert [fact.holds for fact in told] == [None, False, True]
    assert [fact.detail for fact in told] == ["", "no GPIO here", ""]
