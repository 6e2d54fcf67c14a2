"""The chart of one destination's last hour."""

from datetime import UTC, datetime, timedelta

import pytest

from service.console.chart import HEIGHT, WIDTH
from service.console.hour import MINUTES, hour
from service.model.figures import DestinationMinute

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


def made(**sends):
    """Draw 60 minutes, oldest first; `m1=(5, 2)`: a minute ago there were 5 sends, 2 failed."""
    return hour(
        [
            minute(NOW - timedelta(minutes=ago), *sends.get(f"m{ago}", (0, 0)))
            for ago in range(MINUTES, -1, -1)
        ]
    )


def minute(at, sends, failures):
    return DestinationMinute(
        minute=at, sends=sends, failures=failures, p50_ms=None, p99_ms=None, last_code=None
    )


def test_an_hour_has_the_minutes_that_are_over_the_oldest_first():
    drawn = made(m1=(5, 0), m59=(7, 7), m0=(9, 0))
    assert len(drawn.minutes) == MINUTES == 59
    assert (drawn.minutes[0].sends, drawn.minutes[-1].sends) == (7, 5)
    assert (drawn.sends, drawn.failures) == (12, 7)


def test_no_sends_draw_no_bars():
    assert (made().bars, made().most) == ([], 1)


def test_failures_stand_on_the_others_and_fill_the_height_together():
    taken, failed = made(m1=(10, 4)).bars
    assert (taken.kind, failed.kind) == ("out", "failed")
    assert taken.x == failed.x
    assert WIDTH * (1 - 1 / MINUTES) < taken.x < taken.x + taken.width < WIDTH
    assert failed.y + failed.height == pytest.approx(taken.y)
    assert taken.y + taken.height == HEIGHT
    assert failed.y == 0


def test_one_failure_among_many_is_seen_and_nothing_leaves_the_drawing():
    drawn = made(m1=(1_000_000, 1), m2=(1_000_000, 999_999))
    assert len(drawn.bars) == 4
    assert all(b.height >= 2 and b.y >= -2 and b.y + b.height <= HEIGHT for b in drawn.bars)
