"""notify.beat(): a worker says that it lives, in place; who is long gone is forgotten."""

import pytest

from tests.explaining import beat, note, silence, state


def workers(db):
    return {r.worker: r for r in db.execute("select * from notify.workers")}


def test_the_first_beat_says_everything_and_later_ones_what_changes(db):
    assert beat(db, environment="staging", settled=5, in_flight=1)
    before = workers(db)["w:1"]
    assert (before.environment, before.channels, before.settled) == (
        "staging", ["webhook", "log"], 5)  # fmt: skip
    assert (before.beat_at - before.started_at).total_seconds() == 60
    assert not beat(db, environment="other", settled=7, in_flight=2)
    after = workers(db)["w:1"]
    assert (after.environment, after.settled, after.in_flight) == ("staging", 7, 2)
    assert after.beat_at > before.beat_at and after.started_at == before.started_at


def test_the_rate_is_that_since_the_beat_before(db):
    beat(db, settled=10)
    silence(db, "10 s")
    beat(db, settled=110)
    assert workers(db)["w:1"].per_s == pytest.approx(10, rel=0.2)
    silence(db, "10 s")
    beat(db, settled=0)
    assert workers(db)["w:1"].per_s == 0


def test_a_clock_that_went_back_keeps_the_rate(db):
    beat(db)
    silence(db, "-1 hour")
    beat(db, settled=100)
    assert workers(db)["w:1"].per_s == 0


def test_a_new_worker_forgets_those_that_were_not_heard_of_for_a_day(db):
    for worker in ("w:1", "w:2"):
        beat(db, worker)
        note(db, state("https://h.example"), worker=worker)
    silence(db, "25 hours", "w:1")
    silence(db, "23 hours", "w:2")
    assert not beat(db, "w:2")
    assert set(workers(db)) == {"w:1", "w:2"}
    beat(db, "w:3")
    assert set(workers(db)) == {"w:2", "w:3"}
    assert [r.worker for r in db.execute("select worker from notify.destination_state")] == ["w:2"]


def test_workers_that_restart_again_and_again_fill_no_table(db):
    db.execute(
        "insert into notify.workers select 'x:' || n, 'h', '1', null, '{}', '1 h', 1, 0, 0, 0,"
        " now(), now() - n * interval '1 s' from generate_series(1, 1500) n"
    )
    beat(db)
    assert len(workers(db)) == 1000
    assert "x:1" in workers(db) and "x:1500" not in workers(db)


def test_a_forgotten_worker_is_new_again(db):
    beat(db)
    db.execute("truncate notify.workers")
    assert beat(db)


def test_a_beat_changes_no_index(db):
    beat(db)
    for _ in range(20):
        beat(db)
    db.execute("select pg_stat_force_next_flush()")
    query = "select * from pg_stat_user_tables where relname = 'workers'"
    got = db.execute(query).fetchone()
    assert (got.n_tup_upd, got.n_tup_hot_upd) == (20, 20)
