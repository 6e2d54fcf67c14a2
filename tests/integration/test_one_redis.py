"""Two ledgers may share a Redis: neither sees anything of the other."""

import os

import psycopg
import pytest
from loguru import logger
from psycopg.rows import namedtuple_row
from psycopg.sql import SQL, Identifier

from service.keys import Keys
from tests.conftest import settle_in, url_of
from tests.integration.dispatch.driving import Driven
from tests.ledger import enqueue
from tests.waiting import wait_for
from workers.ready_set import ReadySet


def ledger(db):
    return db.execute("select id from notify.ledger()").fetchone().id


def popped(redis_url, ledger):
    ready_set = ReadySet(redis_url)
    ready_set.use(ledger)
    try:
        return set(ready_set.pop(100, 0.001))
    finally:
        ready_set.close()


@pytest.fixture
def second_dsn(dsn, servers, database_server, migrated):
    """Give the URL of another copy of the migrated database."""
    name = Identifier(f"notify_second_{os.getpid()}")
    with psycopg.connect(servers.database_url, autocommit=True) as admin:
        template = Identifier(migrated.template_dbname)
        admin.execute(SQL("create database {} template {}").format(name, template))
        url = url_of(database_server, name.as_string().strip('"'))
        settle_in(url)
        yield url
        admin.execute(SQL("drop database {} with (force)").format(name))


@pytest.fixture
def second_db(second_dsn):
    """Connect to it."""
    with psycopg.connect(second_dsn, autocommit=True, row_factory=namedtuple_row) as connection:
        yield connection


@pytest.fixture
def both(dsn, second_dsn, redis_url):
    """Give two dispatchers of two ledgers."""
    with Driven(dsn, redis_url) as first, Driven(second_dsn, redis_url) as second:
        yield first, second


@pytest.fixture
def events():
    """Collect the names of what is logged."""
    warnings: list[str] = []
    sink = logger.add(lambda m: warnings.append(m.record["message"]), level="WARNING")
    yield warnings
    logger.remove(sink)


def test_each_offers_its_own_and_none_is_lost(db, second_db, both, redis_url):
    wanted = [{id.hex for id in enqueue(each, 3)} for each in (db, second_db)]
    for _ in range(3):
        for driven in both:
            driven.offer()
            driven.reconcile()
    assert [driven.lost for driven in both] == [0, 0]
    assert [popped(redis_url, ledger(each)) for each in (db, second_db)] == wanted


def test_a_leader_asks_each_time_whose_ids_it_offers(db, both, redis_client):
    driven, _ = both
    driven.offer()
    db.execute("update notify.ledger set id = gen_random_uuid()")  # as after a restore
    with driven.running():
        wait_for(lambda: redis_client.exists(Keys(ledger(db)).leader))


def test_two_copies_with_one_name_are_noticed(db, dsn, redis_url, both, events):
    with Driven(dsn, redis_url) as copy:
        for _ in range(5):
            both[0].offer()
            copy.offer()
    assert events.count("another_leader_offers_here") == 2


def test_leaders_that_follow_each_other_are_no_copies(dsn, redis_url, both, events):
    for _ in range(5):
        with Driven(dsn, redis_url) as next_leader:
            next_leader.offer()
            next_leader.offer()
    assert "another_leader_offers_here" not in events


def test_what_a_ledger_leaves_behind_goes_by_itself(db, both, redis_client, keys):
    driven, _ = both
    enqueue(db)
    driven.offer()
    driven.call(driven.jobs.figures.read_redis(driven.offering))
    names = redis_client.keys()
    assert names
    assert all(redis_client.ttl(name) > 0 for name in names)


def test_a_pop_says_whether_it_was_of_the_urgent_lane(dsn, db, redis_url):
    ready_set = ReadySet(redis_url)
    ready_set.use(ledger(db))
    with Driven(dsn, redis_url) as dispatcher:
        for priority, is_urgent in ((0, True), (2, False)):
            [id] = enqueue(db, priority=priority)
            dispatcher.offer()
            assert (ready_set.pop(100, 0.001), ready_set.is_urgent) == ([id.hex], is_urgent)
    assert (ready_set.pop(100, 0.001), ready_set.is_urgent) == ([], False)
    ready_set.close()
