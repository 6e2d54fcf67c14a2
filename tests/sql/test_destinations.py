"""notify.destinations(): the last hour of each, the busiest first, with what is kept back now."""

import pytest

from tests.explaining import beat, note, silence, state
from tests.rollups import A, B, add_minutes, counts, now_s


def destinations(db, limit=100):
    return db.execute("select * from notify.destinations(%s)", [limit]).fetchall()


def fill(db, many, minutes=120, workers=1):
    """Give each of many destinations a row for each minute, as so many workers would."""
    db.execute(
        "insert into notify.destination_minutes"
        " select date_trunc('minute', now()) - m * interval '1 minute', 'webhook',"
        "   'https://host-' || d || '.customers.example:8443', d, d %% 3,"
        "   array[d, 1, 1, 1, 5, 9, 20, 3, 2, 1, 0, 0, 0, 0], case when d %% 3 > 0 then '503' end,"
        "   case when d %% 3 > 0 then now() - m * interval '1 minute' end"
        " from generate_series(1, %s) d, generate_series(0, %s - 1) m",
        [many, minutes],
    )
    db.execute("vacuum analyze notify.destination_minutes")


def ago(db, interval):
    db.execute("update notify.destination_minutes set minute = minute - %s::interval", [interval])


def test_the_minutes_of_an_hour_are_added_up_and_none_before(db):
    for interval in ("59 minutes", "0 s", "3 minutes"):
        add_minutes(db, counts(A, 1, 30, failures=1, last_code="503", failed_s=0))
        ago(db, interval)
    [got] = destinations(db)
    assert (got.channel, got.destination, got.sends, got.failures) == ("webhook", A, 4, 2)
    assert got.per_min == pytest.approx(4 / 3, rel=0.5)
    assert got.last_code == "503"
    assert got.state is None


def test_the_busiest_come_first(db):
    add_minutes(db, counts("c.example", 1, 1, channel="email"), counts(A, 1), counts(B, *[1] * 9))
    assert [row.destination for row in destinations(db)] == [B, "c.example", A]
    assert [row.destination for row in destinations(db, 2)] == [B, "c.example"]


def test_percentiles_are_of_all_minutes_together(db):
    add_minutes(db, counts(A, *[1] * 90))
    ago(db, "1 minute")
    add_minutes(db, counts(A, *[4000] * 10))
    [got] = destinations(db)
    assert got.p50_ms < 2
    assert 2000 < got.p99_ms <= 5000


def test_the_last_failure_is_that_of_the_latest_minute_with_one(db):
    now = now_s(db)
    add_minutes(db, counts(A, 1, failures=1, last_code="dns", failed_s=now - 120))
    ago(db, "2 minutes")
    add_minutes(db, counts(A, 1, failures=1, last_code="timeout", failed_s=now))
    ago(db, "1 minute")
    add_minutes(db, counts(A, 1))
    [got] = destinations(db)
    assert (got.last_code, got.last_failed_at.timestamp()) == ("timeout", pytest.approx(now))


def test_the_gravest_state_of_living_workers_is_shown(db):
    for worker in ("w:1", "w:2", "w:3"):
        beat(db, worker)
    note(db, state(A, "share", code=None), state(A, "pace", code="429"))
    note(db, state(A, "breaker", in_s=9), worker="w:2")
    note(db, state(B, "breaker"), worker="w:3")
    silence(db, "31 s", "w:3")
    add_minutes(db, counts(A, 1), counts(B, 1))
    a, b = sorted(destinations(db), key=lambda row: row.destination)
    assert (a.state, a.state_code) == ("breaker", "connect_failed")
    assert 60 <= (a.state_until - a.state_since).total_seconds() < 120
    assert (b.state, b.state_since, b.state_code) == (None, None, None)


def test_what_is_kept_back_is_there_even_if_nothing_was_sent(db):
    beat(db)
    note(db, state(A))
    [got] = destinations(db)
    assert (got.destination, got.sends, got.per_min, got.p50_ms, got.state) == (
        A, 0, 0, None, "breaker")  # fmt: skip


def test_one_url_that_is_left_alone_is_the_least_of_all_states(db):
    beat(db)
    note(db, state(A, "url", url_hash="x"), state(A, "share"), state(B, "url", url_hash="x"))
    assert [(row.destination, row.state) for row in destinations(db)] == [(A, "share"), (B, "url")]


def test_a_url_that_fails_is_shown_where_nothing_is_said_of_its_destination(db):
    beat(db)
    note(
        db,
        state(A, url_hash="x"),
        state(A, "pace"),
        state("https://c.example", url_hash="x", code="504"),
    )
    note(db, state(B, url_hash="x", code="502"), state(B, code="503"))
    shown = {row.destination: (row.state, row.state_code) for row in destinations(db)}
    assert shown == {
        A: ("pace", "connect_failed"),
        B: ("breaker", "503"),
        "https://c.example": ("breaker", "504"),
    }


def test_no_more_than_two_hundred_are_shown(db):
    fill(db, 300, minutes=1)
    assert len(destinations(db, 10_000)) == 200
    assert destinations(db, 10_000)[0].destination.startswith("https://host-300.")


def test_a_minute_that_is_ahead_is_left_out(db):
    add_minutes(db, counts(A, 1))
    ago(db, "-1 hour")
    assert destinations(db) == []


SCANS = """
select idx_scan, seq_scan from pg_stat_user_tables where relname = 'destination_minutes'
"""


@pytest.mark.slow  # 120,000 rows
def test_of_two_hours_the_last_one_is_read_by_the_key(db):
    fill(db, 1000)
    db.execute("select pg_stat_force_next_flush()")
    before = db.execute(SCANS).fetchone()
    assert len(destinations(db, 1000)) == 200
    db.execute("select pg_stat_force_next_flush()")
    after = db.execute(SCANS).fetchone()
    assert (after.idx_scan > before.idx_scan, after.seq_scan) == (True, before.seq_scan)
