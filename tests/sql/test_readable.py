"""Readable: a time that no client can read, brought within what all can."""

import psycopg
import pytest


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        ("-infinity", "1970-01-01 00:00:00+00"),
        ("4713-01-01 BC", "1970-01-01 00:00:00+00"),
        ("infinity", "9999-12-30 00:00:00+00"),
        ("294276-01-01", "9999-12-30 00:00:00+00"),
        ("2030-01-31 12:00:00.000001+00", "2030-01-31 12:00:00.000001+00"),
        (None, None),
    ],
)
def test_times_are_kept_within_1970_and_9999(shared_db, time, shown):
    with shared_db.transaction():
        shared_db.execute("set local time zone 'UTC'")
        query = "select notify.readable(%s::timestamptz)::text as t"
        assert shared_db.execute(query, [time]).fetchone().t == shown


COLUMNS = ("due_at", "created_at", "send_at", "expires_at", "lease_until", "settled_at")


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("time", ["infinity", "-infinity", "20000-01-01", "0044-03-15 BC"])
def test_no_row_can_have_such_a_time_whoever_writes_it(shared_db, column, time):
    """Neither an UPDATE by hand, nor a restore that no trigger looks at."""
    row = {"id": None, "channel": "log", "recipient": "r", "payload": "{}"} | {column: time}
    del row["id"]
    with (
        pytest.raises(psycopg.errors.CheckViolation),
        shared_db.transaction(),
    ):
        shared_db.execute("set local session_replication_role = replica")
        shared_db.execute(
            f"insert into notify.notifications ({', '.join(row)})"
            f" values ({', '.join(['%s'] * len(row))})",
            list(row.values()),
        )
