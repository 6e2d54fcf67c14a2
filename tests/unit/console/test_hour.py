"""The chart of one destination's last hour."""

from datetime import UTC, datetime, timedelta

import pytest

from service.console.chart import HEIGHT, WIDTH
from service.console.hour import MINUTES, hour
from service.ledger.destination_store import DestinationMinute

NOW = datetime(2026, 11, 26, 12, 0, 30, tzinfo=UTC)


def minute(ago, sends, failures=0):
    """Make a minute that began so many minutes before the one that runs."""
    return DestinationMinute(NOW.replace(second=0) - timedelta(minutes=ago), sends, failures)


def test_an_hour_has_sixty_minutes_that_are_over_the_oldest_first():
    made = hour([minute(1, 5), minute(60, 7, 7)], NOW)
    assert len(made.minutes) == MINUTES
    assert (made.minutes[0].sends, made.minutes[-1].sends) == (7, 5)
    assert made.minutes[-1].minute == datetime(2026, 11, 26, 11, 59, tzinfo=UTC)
    assert (made.sends, made.failures) == (12, 7)


def test_what_runs_and_what_is_older_is_left_out():
    assert hour([minute(0, 5), minute(61, 7)], NOW).sends == 0


def test_no_sends_draw_no_bars():
    made = hour([], NOW)
    assert made.bars == []
    assert made.most == 1


def test_failures_stand_on_the_others_and_fill_the_height_together():
    made = hour([minute(1, 10, 4)], NOW)
    taken, failed = made.bars
    assert (taken.kind, failed.kind) == ("out", "failed")
    assert taken.x == failed.x
    assert WIDTH * (1 - 1 / MINUTES) < taken.x < taken.x + taken.width < WIDTH
    assert failed.y + failed.height == pytest.approx(taken.y)
    assert taken.y + taken.height == HEIGHT
    assert failed.y == 0


def test_one_failure_among_many_is_seen_and_nothing_leaves_the_drawing():
    made = hour([minute(1, 1_000_000, 1), minute(2, 1_000_000, 999_999)], NOW)
    assert len(made.bars) == 4
    assert all(b.height >= 2 and b.y >= -2 and b.y + b.height <= HEIGHT for b in made.bars)
