"""What one look puts into the ready set, and what it leaves alone."""

import time

import pytest
import redis

from service.dispatch.offers import GRACE_S, WINDOW_LOW, WINDOW_MAX
from service.dispatch.redis_pool import PackedByHiredis
from service.errors import RedisAway, TookTooLong
from service.ledger.leader_store import LeaderStore
from service.model.words import LANES
from tests.integration.dispatch.servers import Valkey
from tests.ledger import ago, change, claim, enqueue, put, reap, release, row, settle
from tests.waiting import wait_for

SLACK_S = GRACE_S * 2 + 4


def offered_again(driven, ready, ids):
    """Look until all of `ids` are back in the ready set."""
    wait_for(lambda: driven.offer() >= 0 and set(ids) <= ready.ids(), SLACK_S)


def test_every_lane_gets_its_own_ids(db, driven, ready):
    ids = {lane: set(enqueue(db, 3, priority=lane)) for lane in LANES}
    assert driven.offer() == 12
    assert {lane: ready.ids(lane) for lane in LANES} == ids


def test_the_score_is_due_at_in_ms_so_that_what_fell_due_first_is_popped_first(
    db, driven, redis_client, keys
):
    later, sooner = (put(db, "queued", due_at=ago(db, f"{n} minutes")) for n in (1, 9))
    driven.offer()
    members = redis_client.zrange(keys.lanes[2], 0, -1, withscores=True)
    assert [member for member, _ in members] == [sooner.bytes, later.bytes]
    assert members[0][1] == pytest.approx(row(db, sooner).due_at.timestamp() * 1000, abs=0.01)


def test_an_id_is_offered_once(db, driven, ready):
    enqueue(db, 5)
    assert driven.offer() == 5
    assert driven.offer() == 0
    ready.pop(5)  # in a worker's hands, not claimed yet
    assert driven.offer() == 0


def test_what_is_not_due_or_not_queued_is_not_offered(db, driven, ready):
    enqueue(db, 1, send_at=ago(db, "-1 hour"))
    for status in ("sending", "sent", "failed", "cancelled", "expired"):
        put(db, status)
    assert driven.offer() == 0
    assert ready.ids() == set()


def test_rows_silenced_by_notify_wake_off_are_found_by_looking(db, driven, ready):
    with db.transaction():
        db.execute("set local notify.wake = off")
        ids = enqueue(db, 3)
    driven.offer()
    assert ready.ids() == set(ids)


def test_a_new_leader_offers_what_falls_due_though_the_head_is_not_reached_in_time(
    db, driven, ready, monkeypatch
):
    due = LeaderStore.due

    async def due_behind_dead_rows(store, lanes, floors, limit):
        if None in floors:
            raise TookTooLong("canceling statement due to statement timeout")
        return await due(store, lanes, floors, limit)

    monkeypatch.setattr(LeaderStore, "due", due_behind_dead_rows)
    ids = enqueue(db, 3)
    with pytest.raises(TookTooLong):
        driven.offer()
    assert driven.offer() == 3
    assert ready.ids() == set(ids)
    wait_for(lambda: gave_up(driven) and driven.offering._offers.is_head_out_of_reach)
    with pytest.raises(TookTooLong, match="from the head"):
        driven.reconcile()


def gave_up(driven):
    """Look once, and say whether that was given up."""
    try:
        driven.offer()
    except TookTooLong:
        return True
    return False


def test_a_backlog_fills_the_window_and_no_more(db, driven, ready):
    enqueue(db, 30_000, priority=3)
    for _ in range(5):
        driven.offer()
        driven.reconcile()
    assert len(ready.ids(3)) == WINDOW_MAX
    assert driven.metric("dispatcher_offered_total") == WINDOW_MAX


def test_a_larger_backlog_leaves_redis_memory_as_it_was(db, driven, ready, redis_client, keys):
    def memory():
        return sum(redis_client.memory_usage(key, samples=0) or 0 for key in keys.lanes.values())

    enqueue(db, WINDOW_MAX)
    driven.offer()
    full = memory()
    enqueue(db, 40_000)
    for _ in range(3):
        driven.reconcile()
    assert memory() == full < 2_000_000


def test_an_urgent_row_is_offered_while_the_bulk_lane_is_full(db, driven, ready):
    enqueue(db, WINDOW_MAX + 5000, priority=3)
    driven.offer()
    urgent = enqueue(db, 1, priority=0)
    assert driven.offer() == 1
    assert ready.ids(0) == set(urgent)


def test_a_lane_is_filled_again_below_its_low_mark(db, driven, ready):
    enqueue(db, WINDOW_MAX + 6000)
    driven.offer()
    claim(db, ready.pop(WINDOW_MAX - WINDOW_LOW), limit=WINDOW_MAX)
    claim(db, ready.pop(1))
    wait_for(lambda: driven.offer() > 0)
    assert len(ready.ids()) == WINDOW_MAX


def test_a_backlog_that_waits_for_workers_is_never_lost(db, driven, ready, monkeypatch):
    monkeypatch.setattr("service.dispatch.offers.GRACE_S", -1.0)  # every id is old at once
    enqueue(db, 2000)
    for _ in range(10):
        driven.reconcile()
    assert driven.lost == 0
    assert driven.metric("dispatcher_offered_total") == 2000
    assert driven.metric("reconciler_runs_total") == 10


def test_ids_in_workers_hands_are_not_lost_however_long_they_had_waited(db, driven, ready):
    enqueue(db, 400)
    driven.offer()
    began = time.monotonic()
    wait_for(lambda: time.monotonic() - began > GRACE_S)
    hand = ready.pop(200)
    driven.reconcile()  # finds them gone
    driven.reconcile()  # and knows that they were there lately
    assert ready.ids().isdisjoint(hand)
    claim(db, hand, limit=1000)
    assert driven.lost == 0


def test_an_id_that_was_popped_and_never_claimed_is_offered_again_and_counted(db, driven, ready):
    enqueue(db, 3)
    driven.offer()
    dropped = ready.pop(2)
    assert driven.offer() == 0
    offered_again(driven, ready, dropped)
    assert driven.lost == 2


def test_after_a_flush_all_is_offered_again_at_once_and_counted(db, driven, ready, redis_client):
    ids = enqueue(db, 50)
    driven.offer()
    redis_client.flushall()
    new = enqueue(db, 5)
    assert driven.offer() == 55
    assert ready.ids() == {*ids, *new}
    assert driven.lost == 50


def test_a_look_in_haste_adds_what_is_new_and_the_next_one_notices_a_flush(
    db, driven, ready, redis_client
):
    old = enqueue(db)
    driven.offer()
    redis_client.flushdb()
    new = enqueue(db)
    driven.call(driven.offering.offer(in_haste=True))
    assert ready.ids() == set(new)
    driven.offer()
    assert ready.ids() == {*old, *new}
    assert driven.lost == 1


def test_a_redis_that_refused_a_write_is_away_until_it_takes_one(db, drive, tmp_path):
    with Valkey(tmp_path) as valkey, redis.Redis.from_url(valkey.url) as client:
        driven = drive(redis_url=valkey.url)
        driven.offer()
        client.replicaof("127.0.0.1", "1")
        enqueue(db)
        with pytest.raises(RedisAway):
            driven.offer()
        claim(db)
        with pytest.raises(RedisAway):  # nothing is due, and it still only reads
            driven.offer()
        client.replicaof("no", "one")
        assert driven.offer() == 0


def test_another_leaders_epoch_is_taken_for_a_flush(db, driven, ready, redis_client, keys):
    ids = enqueue(db, 5)
    driven.offer()
    redis_client.zadd(keys.leader, {b"another": 0})
    driven.offer()
    assert driven.lost == 0  # all of them are there
    assert ready.ids() == set(ids)


def test_a_retried_row_is_offered_when_it_is_due_and_is_not_lost(db, driven, ready):
    [id] = enqueue(db)
    driven.offer()
    settle(db, claim(db, ready.pop(1)), "temporary", schedule=[0.05])
    wait_for(lambda: driven.offer() == 1)
    assert ready.ids() == {id}
    assert driven.lost == 0


def test_a_released_row_is_offered_at_once_and_is_not_lost(db, driven, ready):
    [id] = enqueue(db)
    driven.offer()
    release(db, claim(db, ready.pop(1)))
    assert driven.offer() == 1
    assert ready.ids() == {id}
    assert driven.lost == 0


def test_a_reaped_row_is_offered_at_once_and_is_not_lost(db, driven, ready):
    [id] = enqueue(db)
    driven.offer()
    claim(db, ready.pop(1), lease="0")
    assert len(reap(db)) == 1
    assert driven.offer() == 1
    assert ready.ids() == {id}
    assert driven.lost == 0


def test_a_row_committed_much_later_than_its_due_at_is_found_from_the_head(
    db, driven, ready, monkeypatch
):
    driven.offer()
    late = put(db, "queued", due_at=ago(db, "1 minute"))  # below the floor
    assert driven.offer() == 0
    monkeypatch.setattr("service.dispatch.offers.TICK_S", 0.0)
    monkeypatch.setattr("service.dispatch.offers.HEAD_SHARE", 0)
    assert driven.offer() == 1
    assert ready.ids() == {late}


def test_the_look_says_when_the_next_row_falls_due(db, driven):
    enqueue(db, 1, send_at=ago(db, "-1 hour"))
    enqueue(db, 1, send_at=ago(db, "-2 hours"), priority=0)
    next_due_s = driven.call(driven.offering.offer()).next_due_s
    assert 1800 < next_due_s <= 3600


def test_a_cancelled_row_in_the_ready_set_does_no_harm(db, driven, ready):
    [id] = enqueue(db)
    driven.offer()
    change(db, id, status="cancelled", settled_at=ago(db, "0"))
    assert claim(db, ready.pop(1)) == []
    assert driven.offer() == 0
    assert driven.lost == 0


def test_a_second_dispatcher_that_takes_over_offers_only_what_is_missing(db, drive, ready):
    first, second = drive(), drive()
    ids = enqueue(db, 10)
    first.offer()
    claim(db, ready.pop(4))
    new = enqueue(db, 2)
    assert second.offer() == 2
    assert ready.ids() == {*ready.ids() & set(ids), *new}
    assert len(ready.ids()) == 8


def test_the_depth_of_each_lane_is_shown(db, driven):
    enqueue(db, 7, priority=1)
    driven.offer()
    driven.offer()
    assert driven.metric("dispatcher_ready_set_depth", priority="1") == 7
    assert driven.metric("dispatcher_ready_set_depth", priority="2") == 0


def test_a_turn_that_found_something_pauses_and_does_not_arm(db, driven):
    enqueue(db)
    driven.turn()
    locks = "select count(*) as n from pg_locks where locktype = 'advisory'"
    assert db.execute(locks).fetchone().n == 0


def test_hiredis_packs_what_is_offered(db, driven, ready, monkeypatch):
    packed = []
    pack = PackedByHiredis._packing.pack

    def noting(*args):
        packed.append(args[0])
        return pack(*args)

    monkeypatch.setattr(PackedByHiredis._packing, "pack", noting)
    ids = enqueue(db, 3)
    driven.offer()
    assert ready.ids() == set(ids)
    assert "ZADD" in packed
