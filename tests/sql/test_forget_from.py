"""forget_from(): history waits for a day after the clock was wrong, and never for longer."""

from datetime import timedelta

import psycopg
import pytest

from tests.owner import force, owning
from tests.sql.test_note_figures import fill, note


def forget_from(db):
    """Return how long forgetting waits; None: it does not."""
    query = "select notify.forget_from() - clock_timestamp() as wait"
    return db.execute(query).fetchone().wait


def waits_a_day(db):
    return timedelta(hours=23, minutes=55) < forget_from(db) <= timedelta(hours=24)


def set_wait(db, interval):
    db.execute(
        "update notify.settings set forget_from = clock_timestamp() + %s::interval", [interval]
    )


def test_a_new_ledger_knows_of_no_doubt(db):
    assert forget_from(db) is None
    note(db)
    assert forget_from(db) is None


@pytest.mark.parametrize("ago", ["23 hours", "-23 hours", "0 s"])
def test_figures_of_less_than_a_day_ago_or_ahead_are_no_proof(db, ago):
    fill(db, 3, ago)
    assert forget_from(db) is None


@pytest.mark.parametrize("ago", ["25 hours", "400 days", "-25 hours", "-70 years"])
def test_figures_that_are_more_than_a_day_from_now_begin_a_wait(db, ago):
    fill(db, 1, ago)
    assert waits_a_day(db)


@pytest.mark.parametrize("ago", ["400 days", "-40 days"])
@pytest.mark.parametrize("rows", [1, 150])
def test_the_next_figures_take_the_proof_away_and_the_wait_stays(db, ago, rows):
    fill(db, rows, ago)
    note(db)
    note(db)
    assert forget_from(db) is not None
    set_wait(db, "-1 s")
    assert forget_from(db) is None


def test_one_row_of_a_wrong_time_among_right_ones_is_enough(db):
    fill(db, 10, "2 minutes")
    fill(db, 1, "400 days")
    assert waits_a_day(db)


@pytest.mark.parametrize("ahead", ["25 hours", "40 days", "70 years"])
def test_a_wait_of_a_clock_that_was_ahead_is_a_day_from_now(db, ahead):
    set_wait(db, ahead)
    assert waits_a_day(db)


def test_a_wait_goes_on_as_it_was_and_ends(db):
    set_wait(db, "3 hours")
    assert timedelta(hours=2) < forget_from(db) <= timedelta(hours=3)
    set_wait(db, "-1 s")
    assert forget_from(db) is None


def test_without_the_row_of_settings_nothing_fails(db):
    db.execute("delete from notify.settings")
    fill(db, 1, "25 hours")
    assert forget_from(db) is None


def test_a_wait_that_is_hidden_is_not_taken_for_none(db, dsn):
    set_wait(db, "1 hour")
    with owning(db, dsn) as owner:
        force(db, "settings")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            forget_from(owner)
