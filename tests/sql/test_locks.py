"""Two sessions at once: nobody waits for a row, nobody deadlocks, everything ends once."""

import random
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest
from psycopg.rows import namedtuple_row

from tests.explaining import WEBHOOK, beat, note, state
from tests.ledger import (
    attempts_of,
    cancel,
    cancel_matching,
    change,
    claim,
    counted,
    ended,
    enqueue,
    fold_slo,
    put,
    reap,
    redrive,
    release,
    row,
    settle,
    status,
)


@pytest.fixture(autouse=True)
def impatient(db, other_db):
    """Nothing on the road may wait for a row: a wait is a failure, not a slow test."""
    for session in (db, other_db):
        session.execute("set lock_timeout = '2s'")


def hold(session, ids):
    session.execute("select id from notify.notifications where id = any(%s) for update", [ids])


@pytest.mark.parametrize("by_id", [True, False])
def test_a_claim_skips_what_another_session_is_claiming(db, other_db, by_id):
    ids = enqueue(db, 5)
    with other_db.transaction():
        theirs = {g.id for g in claim(other_db, ids[:3])}
        ours = {g.id for g in claim(db, ids if by_id else None)}
    assert theirs == set(ids[:3])
    assert ours == set(ids[3:])


def test_a_settle_of_a_locked_row_says_so_and_settles_the_others(db, other_db):
    ids = enqueue(db, 3)
    got = claim(db, ids)
    with other_db.transaction():
        hold(other_db, [ids[1]])
        before = row(db, ids[1])
        settled = {s.id: s.status for s in settle(db, got)}
        assert settled == {ids[0]: "sent", ids[1]: "locked", ids[2]: "sent"}
        assert row(db, ids[1]) == before
        assert attempts_of(db, ids[1]) == []
    again = [g for g in got if settled[g.id] == "locked"]
    assert [s.status for s in settle(db, again)] == ["sent"]


def test_a_release_leaves_a_locked_row_to_its_lease(db, other_db):
    ids = enqueue(db, 2)
    got = claim(db, ids)
    with other_db.transaction():
        hold(other_db, [ids[0]])
        assert [r.id for r in release(db, got)] == [ids[1]]
    assert status(db, ids[0]) == "sending"


def test_the_reaper_leaves_a_row_that_its_worker_is_settling(db, other_db):
    [id] = enqueue(db)
    got = claim(db, [id], lease="-1 second")
    with other_db.transaction():
        assert [s.status for s in settle(other_db, got)] == ["sent"]
        assert reap(db) == []
    assert reap(db) == []
    assert status(db, id) == "sent"
    assert len(attempts_of(db, id)) == 1


def test_a_worker_that_settles_what_is_being_reaped_hears_locked_and_then_nothing(db, other_db):
    [id] = enqueue(db)
    got = claim(db, [id], lease="-1 second")
    with other_db.transaction():
        assert len(reap(other_db)) == 1
        assert [s.status for s in settle(db, got)] == ["locked"]
    assert settle(db, got) == []
    assert [a.outcome for a in attempts_of(db, id)] == ["lease_expired"]


def test_two_reapers_share_the_work(db, other_db):
    ids = enqueue(db, 4)
    claim(db, ids, lease="-1 second")
    with other_db.transaction():
        assert len(reap(other_db, limit=2)) == 2
        assert len(reap(db)) == 2


def test_a_cancel_during_a_claim_hears_locked_and_then_sending(db, other_db):
    [id] = enqueue(db)
    with other_db.transaction():
        assert len(claim(other_db, [id])) == 1
        assert [(t.status, t.was_cancelled) for t in cancel(db, [id])] == [("locked", False)]
    assert [(t.status, t.was_cancelled) for t in cancel(db, [id])] == [("sending", False)]


@pytest.mark.parametrize("by_id", [True, False])
def test_a_claim_during_a_cancel_gets_nothing_then_or_later(db, other_db, by_id):
    [id] = enqueue(db)
    with other_db.transaction():
        assert cancel(other_db, [id])[0].was_cancelled
        assert claim(db, [id] if by_id else None) == []
    assert claim(db, [id] if by_id else None) == []
    assert status(db, id) == "cancelled"


def test_a_claim_gets_what_a_cancel_that_was_rolled_back_left(db, other_db):
    [id] = enqueue(db)
    with other_db.transaction(force_rollback=True):
        assert cancel(other_db, [id])[0].was_cancelled
    assert [g.id for g in claim(db, [id])] == [id]


def test_a_cancel_takes_the_others_and_leaves_what_is_locked(db, other_db):
    ids = enqueue(db, 3)
    with other_db.transaction():
        hold(other_db, [ids[1]])
        told = {t.id: t.status for t in cancel(db, ids)}
    assert told == {ids[0]: "cancelled", ids[1]: "locked", ids[2]: "cancelled"}
    assert status(db, ids[1]) == "queued"


def test_of_two_cancels_one_has_done_it(db, other_db):
    [id] = enqueue(db)
    with other_db.transaction():
        assert cancel(other_db, [id])[0].was_cancelled
        assert [(t.status, t.was_cancelled) for t in cancel(db, [id])] == [("locked", False)]
    assert [(t.status, t.was_cancelled) for t in cancel(db, [id])] == [("cancelled", False)]


def test_two_redrives_at_once_move_each_row_once(db, other_db):
    ids = [put(db, "failed") for _ in range(4)]
    with other_db.transaction():
        assert redrive(other_db, limit=2).redriven == 2
        assert redrive(db, ids=ids, attempts=9) == (4, 2, 0, False)
    assert sorted(row(db, id).max_attempts for id in ids) == [5, 5, 10, 10]


def test_a_cancel_of_all_that_match_leaves_alone_what_another_is_moving(db, other_db):
    ids = enqueue(db, 3)
    with other_db.transaction():
        claim(other_db, [ids[1]])
        assert cancel_matching(db) == (3, 2, False)
    assert [row(db, id).status for id in ids] == ["cancelled", "sending", "cancelled"]


def test_a_probe_waits_for_no_row_that_another_is_moving(db, other_db):
    beat(db)
    note(db, state("https://hooks.example"))
    ids = enqueue(db, 2, **WEBHOOK)
    release(db, claim(db, ids), "1 hour")
    with other_db.transaction():
        change(other_db, ids[0], reference="x")
        query = "select brought from notify.ask_probe('webhook', 'https://hooks.example')"
        assert db.execute(query).fetchone().brought == 1


def test_a_claim_sees_what_is_redriven_when_it_is_committed(db, other_db):
    id = put(db, "failed")
    with other_db.transaction():
        redrive(other_db, ids=[id])
        assert claim(db, [id]) == claim(db) == []
    assert [(g.id, g.attempt) for g in claim(db)] == [(id, 2)]


def test_workers_and_an_operator_at_once_move_each_row_once(db, dsn):
    ids = enqueue(db, 300)
    barrier = Barrier(3, timeout=30)

    def work(verb):
        order = random.Random(verb).sample(ids, len(ids))
        with psycopg.connect(dsn, autocommit=True, row_factory=namedtuple_row) as session:
            session.execute("set lock_timeout = '60s'")
            barrier.wait()
            moved = []
            for start in range(0, len(order), 10):
                batch = order[start : start + 10]
                if verb == "cancel":
                    moved += [t.id for t in cancel(session, batch) if t.was_cancelled]
                else:
                    moved += [g.id for g in claim(session, batch)]
            return moved

    with ThreadPoolExecutor(3) as pool:
        cancelled, *claimed = pool.map(work, ("cancel", "claim", "claim too"))
    moved = [*cancelled, *claimed[0], *claimed[1]]
    assert len(moved) == len(set(moved))
    assert {id for id in ids if status(db, id) == "cancelled"} == set(cancelled)
    assert {id for id in ids if status(db, id) == "queued"} == set(ids) - set(moved)


def test_looks_and_gauges_wait_for_nobody(db, other_db):
    ids = enqueue(db, 3)
    with other_db.transaction():
        claim(other_db, ids)
        assert db.execute("select queued from notify.gauges()").fetchone().queued == 3
        looked = db.execute("select ids from notify.due('{2}', '{null}', 10)").fetchone()
        assert set(looked.ids) == set(ids)


def test_overlapping_batches_in_opposite_orders_neither_wait_nor_deadlock(db, dsn):
    sessions, rounds, rows = 3, 15, 60
    barrier = Barrier(sessions, timeout=30)

    def work(seed):
        dice = random.Random(seed)
        told = []
        with psycopg.connect(dsn, autocommit=True, row_factory=namedtuple_row) as session:
            session.execute("set deadlock_timeout = '100ms'")
            session.execute("set lock_timeout = '60s'")
            for batch in batches:
                ids = dice.sample(batch, rows)
                barrier.wait()
                got = claim(session, ids)
                dice.shuffle(got)
                barrier.wait()
                reap(session, limit=rows // 4)
                told += settle(session, got, dice.choice(["sent", "temporary"]))
                barrier.wait()
        return told

    batches = [enqueue(db, rows) for _ in range(rounds)]
    with ThreadPoolExecutor(sessions) as pool:
        told = [t for session in pool.map(work, range(sessions)) for t in session]
    ended = [(t.id, t.attempt) for t in told if t.status != "locked"]
    assert len(ended) == len(set(ended)) == rounds * rows


def test_settling_the_same_claims_from_many_sessions_ends_each_once(db, dsn):
    got = claim(db, enqueue(db, 200), limit=200)
    barrier = Barrier(4, timeout=30)

    def work(seed):
        mine = random.Random(seed).sample(got, len(got))
        with psycopg.connect(dsn, autocommit=True, row_factory=namedtuple_row) as session:
            barrier.wait()
            return settle(session, mine)

    with ThreadPoolExecutor(4) as pool:
        told = [t for session in pool.map(work, range(4)) for t in session]
    assert sorted(t.id for t in told if t.status == "sent") == sorted(g.id for g in got)
    assert db.execute("select count(*) as n from notify.attempts").fetchone().n == 200


def test_a_row_that_is_locked_is_counted_when_it_is_settled(db, other_db):
    got = claim(db, enqueue(db, 2))
    with other_db.transaction():
        hold(other_db, [got[0].id])
        assert {s.status for s in settle(db, got)} == {"locked", "sent"}
        assert sum(counted(db).values()) == 1
    settle(db, got[:1])
    assert counted(db) == ended(db)


def test_two_that_fold_at_once_take_different_rows(db, other_db):
    for _ in range(4):
        settle(db, claim(db, enqueue(db)))
    left = "select count(*) as n from (select from notify.slo_deltas for update skip locked) as f"
    with db.transaction():
        assert sum(f.deltas for f in fold_slo(db, 3)) == 3
        assert other_db.execute(left).fetchone().n == 1
    assert sum(f.deltas for f in fold_slo(other_db)) == 1
    assert sum(counted(db).values()) == 4
    assert counted(db) == ended(db)


def test_nobody_who_settles_waits_for_who_folds(db, other_db):
    settle(db, claim(db, enqueue(db)))
    with db.transaction():
        fold_slo(db)
        assert [s.status for s in settle(other_db, claim(other_db, enqueue(other_db)))] == ["sent"]
    assert counted(db) == ended(db)
