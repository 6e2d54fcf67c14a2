"""Whatever somebody writes into our keys of Redis costs at most itself."""

import math
import os
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry

from service.config.settings import Settings
from service.dispatch.offers import WINDOW_MAX
from service.dispatch.ready_set import CARD_MAX
from service.errors import DatabaseAway, Refused
from service.metrics import WorkerMetrics
from service.model.words import LANES
from service.names.guard import LOOPBACK
from tests.integration.dispatch.driving import Driven
from tests.ledger import enqueue, status
from tests.waiting import wait_for
from workers.hints import NOTHING
from workers.runner import Worker


def members(client, keys, made, *, score=0.0, lanes=LANES):
    """Put the members into each of these lanes."""
    scores = dict.fromkeys(made, score)
    for lane in lanes:
        client.zadd(keys.lanes[lane], scores)


def as_string(client, key):
    client.set(key, "x" * 1000)


def as_list(client, key):
    client.rpush(key, "x")


def as_hash(client, key):
    client.hset(key, "x", "y")


def as_stream(client, key):
    client.xadd(key, {"x": "y"})


def as_set(client, key):
    client.sadd(key, "x")


def as_bitmap(client, key):
    client.setbit(key, 1 << 16, 1)


def as_geo(client, key):
    client.geoadd(key, (13.4, 52.5, "x"))


def as_counts(client, key):
    client.pfadd(key, "x")


def instead(client, key, kind):
    """Replace a key at once: a dispatcher may write it at any moment."""
    with client.pipeline(transaction=True) as pipe:
        pipe.delete(key)
        kind(pipe, key)
        pipe.execute()


def replaced(place, kind):
    """Put another kind of value where one of our keys is."""
    return lambda client, keys: instead(client, place(keys), kind)


OTHER_TYPES = [as_string, as_list, as_hash, as_stream, as_set, as_bitmap, as_geo, as_counts]
PLACES = {
    "urgent": lambda k: k.lanes[0],
    "usual": lambda k: k.lanes[2],
    "epoch": lambda k: k.leader,
}
JUNK = {
    "one letter": lambda c, k: c.zadd(k.lanes[0], {"x": 0}),
    "nothing": lambda c, k: members(c, k, [b""]),
    "15 bytes": lambda c, k: members(c, k, [os.urandom(15) for _ in range(100)]),
    "17 bytes": lambda c, k: members(c, k, [os.urandom(17) for _ in range(100)]),
    "16 random bytes": lambda c, k: members(c, k, [os.urandom(16) for _ in range(3000)]),
    "uuids of version 4": lambda c, k: members(c, k, [uuid4().bytes for _ in range(3000)]),
    "ids of another database": lambda c, k: members(
        c, k, [b"\x01\x9a" + os.urandom(4) + b"\x70" + os.urandom(9) for _ in range(3000)]
    ),
    "ids of no time": lambda c, k: members(
        c, k, [os.urandom(6) + b"\x7f" + os.urandom(9) for _ in range(3000)]
    ),
    "the text of an id": lambda c, k: members(c, k, [str(uuid4()), uuid4().hex]),
    "braces, quotes and nulls": lambda c, k: members(
        c, k, ["{}", '","', "\0" * 16, "'; --", "NULL"]
    ),
    "a megabyte": lambda c, k: members(c, k, ["x" * (1 << 20)], lanes=[0]),
    "score minus infinity": lambda c, k: members(c, k, ["x", os.urandom(16)], score=-math.inf),
    "score infinity": lambda c, k: members(c, k, ["x", os.urandom(16)], score=math.inf),
    "a huge score": lambda c, k: members(c, k, ["x", os.urandom(16)], score=1.7e308),
    "a score of the future": lambda c, k: members(c, k, ["x"], score=4e12),
    "as many as a lane holds": lambda c, k: members(c, k, map(str, range(WINDOW_MAX)), lanes=[0]),
    "many more": lambda c, k: members(c, k, map(str, range(20 * WINDOW_MAX)), lanes=[0]),
    "an epoch of another": lambda c, k: instead(
        c, k.leader, lambda p, key: p.zadd(key, {os.urandom(16): 0})
    ),
    "an epoch beside ours": lambda c, k: c.zadd(k.leader, {os.urandom(16): 0}),
    "an epoch of a megabyte": lambda c, k: c.set(k.leader, "x" * (1 << 20)),
    "an epoch that expires": lambda c, k: c.pexpire(k.leader, 1),
    "lanes that expire": lambda c, k: [c.pexpire(key, 1) for key in k.lanes.values()],
    "a set renamed to a lane": lambda c, k: (
        c.zadd("other", {"x": 0}) and c.rename("other", k.lanes[0])
    ),
    **{
        f"{kind.__name__} {name}": replaced(key, kind)
        for kind in OTHER_TYPES
        for name, key in PLACES.items()
    },
}


@pytest.fixture
def driven(dsn, redis_url):
    """Give a dispatcher."""
    with Driven(dsn, redis_url) as driven:
        yield driven


@pytest.fixture
def registry():
    """Collect this test's metrics."""
    return CollectorRegistry()


@pytest.fixture
def worker(dsn, redis_url, registry):
    """Give a worker that has not started."""
    worker = Worker(
        Settings(database_url=dsn, redis_url=redis_url, webhook_allow=LOOPBACK),
        WorkerMetrics(registry),
    )
    yield worker
    if not worker.alive:  # what its threads own they close themselves
        worker._claimer.stop()
        worker.start()
    worker.stop()


def all_sent(db):
    return not db.execute(
        "select from notify.notifications where status <> 'sent' limit 1"
    ).fetchone()


def on_the_usual_road(worker, redis_client, keys):
    """Say whether the lanes are ours again, and the worker takes its ids from there."""
    kinds = {redis_client.type(key) for key in keys.lanes.values()}
    return kinds <= {b"zset", b"none"} and not worker._claimer._hints._outage.lasts


def test_junk_costs_at_most_itself(db, worker, driven, redis_client, *, keys, registry):
    """One worker and one dispatcher live through all of it, one after another."""
    worker.start()
    with driven.running():
        for name, put_junk in JUNK.items():
            put_junk(redis_client, keys)
            for lane in LANES:
                enqueue(db, 13, priority=lane)
            try:
                wait_for(lambda: all_sent(db), 20)
                wait_for(lambda: on_the_usual_road(worker, redis_client, keys), 20)
            except TimeoutError as error:
                raise AssertionError(name) from error
        # By then even what stood behind all ids is popped.
        wait_for(lambda: not sum(redis_client.zcard(key) for key in keys.lanes.values()), 20)
    assert registry.get_sample_value("worker_loop_errors_total", {"thread": "claimer"}) == 0
    assert registry.get_sample_value("worker_hints_dropped_total") > WINDOW_MAX


def test_ids_that_are_none_are_dropped_with_the_error_that_they_make(worker):
    worker._claimer._kept = ["no uuid"]
    with pytest.raises(Refused):
        worker._claimer.turn()
    assert worker._claimer._kept == NOTHING


def test_ids_are_kept_while_the_database_is_away(db, worker):
    [id] = enqueue(db)
    worker._claimer._kept = [id.hex]
    db.execute("alter schema notify rename to notify_later")
    for _ in range(3):
        with pytest.raises(DatabaseAway):
            worker._claimer.turn()
        worker._claimer._doubt_ends = 0.0  # a long outage: it does not ask for its claims any more
    assert worker._claimer._kept == [id.hex]
    db.execute("alter schema notify_later rename to notify")
    worker._claimer.turn()
    assert status(db, id) == "sending"
    assert worker._claimer._kept == NOTHING


def test_ids_whose_row_cannot_be_read_are_not_kept(db, worker):
    worker._claimer._kept = [enqueue(db)[0].hex]
    db.execute(
        "create function break() returns trigger language plpgsql as"
        " $$ begin raise exception using errcode = 'XX001', message = 'missing chunk'; end $$;"
        "create trigger break before update on notify.notifications"
        " for each row execute function break()"
    )
    worker._claimer.turn()
    assert worker._claimer._kept == NOTHING


def test_a_lane_with_more_than_we_would_add_is_emptied_and_filled_again(
    db, driven, redis_client, keys
):
    ids = {id.bytes for id in enqueue(db, 5)}
    assert driven.offer() == 5
    members(redis_client, keys, map(str, range(CARD_MAX)), lanes=[2])
    assert driven.offer() == 5
    assert set(redis_client.zrange(keys.lanes[2], 0, -1)) == ids


def test_an_id_that_somebody_moved_to_the_end_gets_its_place_back(
    db, driven, redis_client, keys, monkeypatch
):
    monkeypatch.setattr("service.dispatch.offers.GRACE_S", -1.0)  # every id is old at once
    [id] = enqueue(db)
    driven.offer()
    due_ms = redis_client.zscore(keys.lanes[2], id.bytes)
    redis_client.zadd(keys.lanes[2], {id.bytes: math.inf})
    for _ in range(2):
        driven.reconcile()
    assert redis_client.zscore(keys.lanes[2], id.bytes) == due_ms
    assert driven.lost == 0
