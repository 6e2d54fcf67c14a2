"""The chart: where its bars stand."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from service.console.chart import HEIGHT, HEIGHT_MIN, WIDTH, chart, round_up
from service.model.figures import Minute

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def minutes(*counts):
    return [Minute(NOON + timedelta(minutes=n), *c) for n, c in enumerate(counts)]


def drawn(*counts):
    return {(b.kind, b.x): b for b in chart(minutes(*counts)).bars}


@pytest.mark.parametrize(
    ("number", "expected"), [(0, 1), (1, 1), (2, 2), (3, 5), (6, 10), (11, 20), (999_999, 10**6)]
)
def test_its_height_stands_for_a_number_that_reads_well(number, expected):
    assert round_up(number) == expected


def test_without_minutes_or_counts_it_is_empty():
    assert chart([]).is_empty
    assert chart(minutes((0, 0, 0), (None, 0, 0))).is_empty
    assert chart(minutes((0, 0, 0))).bars == []
    assert not chart(minutes((0, 1, 1))).is_empty


def test_the_highest_bar_fits():
    made = chart(minutes((10, 4, 0), (3, 10, 4)))
    assert made.most == 10
    assert {b.height for b in made.bars if b.kind == "in"} == {HEIGHT, 0.3 * HEIGHT}
    assert all(b.y >= 0 and b.y + b.height <= HEIGHT for b in made.bars)


def test_what_failed_stands_on_what_went_out():
    out, failed = chart(minutes((0, 10, 4))).bars
    assert (out.kind, failed.kind) == ("out", "failed")
    assert failed.x == out.x
    assert failed.y + failed.height == pytest.approx(out.y)
    assert failed.y == 0


def test_bars_stand_beside_each_other_within_the_drawing():
    made = chart(minutes(*[(5, 5, 0)] * 15))
    lefts = sorted(b.x for b in made.bars)
    assert len(lefts) == 30
    assert all(b - a >= made.bars[0].width - 0.2 for a, b in pairwise(lefts))
    assert lefts[0] > 0
    assert lefts[-1] + made.bars[0].width < WIDTH


def test_one_among_a_million_is_seen():
    [_, small] = [b for b in chart(minutes((1_000_000, 0, 0), (1, 0, 0))).bars if b.kind == "in"]
    assert small.height == HEIGHT_MIN


def test_what_is_not_known_has_no_bar():
    assert {kind for kind, _ in drawn((None, 3, 0))} == {"out"}


def test_it_sums_what_it_shows():
    made = chart(minutes((1, 2, 3), (None, 20, 30)))
    assert (made.came_in, made.unknown, made.went_out, made.failed) == (1, 1, 22, 33)
