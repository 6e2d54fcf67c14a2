"""Through PgBouncer as Debian ships it, whose sessions go from one transaction to another's."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import psycopg
import pytest

from service.config.settings import Settings
from service.errors import StartError
from service.ledger.connection import connect
from service.ledger.enqueue_store import EnqueueStore
from service.ledger.migrate import migrate
from service.ledger.poolers import refuse_unfit
from tests.integration.test_hostile_settings import HOSTILE, set_for
from tests.pgbouncer import PgBouncer
from tests.road import examined, road
from tests.scratch import scratch
from workers.ledger_session import connect as workers_connect

pytestmark = pytest.mark.needs("pgbouncer")

ROW = b'[{"channel": "log", "recipient": "r", "payload": null}]'
SET_HERE = (  # PgBouncer itself passes the name on
    "select name, setting from pg_settings"
    " where source = 'session' and name <> 'application_name' order by name"
)

Pool = Callable[..., PgBouncer]


@pytest.fixture
def pool(dsn: str) -> Iterator[Pool]:
    """Start poolers in front of the test's database."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(scratch()))

        def start(pool_mode: str = "transaction", **how: Any) -> PgBouncer:
            started = PgBouncer(dsn, directory, pool_mode=pool_mode, **how)
            return stack.enter_context(started)

        yield start


def travel(db: psycopg.Connection[Any], pooled: str, redis_url: str, dsn: str) -> None:
    """Go the whole road through the pooler, with a producer who is behind it as well."""
    with (
        road(db, pooled, redis_url, direct_url=dsn) as ours,
        psycopg.connect(pooled, autocommit=True, prepare_threshold=None) as producer,
    ):
        ours.travel(producer)


@pytest.mark.parametrize("pool_size", [2, 20])
def test_the_road_through_shared_sessions(db, dsn, redis_url, pool, pool_size):
    travel(db, pool(pool_size=pool_size).url, redis_url, dsn)


def test_the_road_through_a_pooler_of_whole_sessions(db, dsn, redis_url, pool):
    travel(db, pool("session", pool_size=20).url, redis_url, None)


def test_the_road_through_shared_sessions_under_all_that_a_database_can_set(
    db, dsn, redis_url, pool
):
    path = {"search_path": "public"}  # which a producer behind a pooler cannot change for himself
    later = {"statement_timeout": "1s", "transaction_timeout": "1s", "lock_timeout": "1s"}
    set_for(db, f'database "{db.info.dbname}"', HOSTILE | path | later)
    travel(db, pool().url, redis_url, dsn)


def test_nothing_of_ours_stays_behind_in_a_session(db, dsn, redis_url, pool):
    url = pool(pool_size=1).url
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as other:
        before = other.execute(SET_HERE).fetchall()
        travel(db, url, redis_url, dsn)
        assert other.execute(SET_HERE).fetchall() == before
        assert other.execute("select count(*) from pg_prepared_statements").fetchall() == [(0,)]
        assert other.execute("select count(*) from pg_listening_channels()").fetchall() == [(0,)]


@contextmanager
def traced(pgconn: Any) -> Iterator[list[str]]:
    """Name the messages that are sent meanwhile, in order."""
    sent: list[str] = []
    with TemporaryFile("w+") as trace:
        pgconn.trace(trace.fileno())
        yield sent
        pgconn.untrace()
        trace.seek(0)
        fields = [line.strip().split("\t") for line in trace]
        sent += [line[3] for line in fields if line[1:2] == ["F"]]


def test_nothing_follows_the_sync_that_gives_a_session_back(pool):
    """A Flush would be lent another session, nothing answers it, and the loan never ends."""
    url = pool(pool_size=1).url

    async def asked() -> list[str]:
        conn = await connect(url, "notify-api")
        with traced(conn.pgconn) as sent:
            await conn.execute("select %s::int", [1])
            with suppress(psycopg.errors.DivisionByZero):
                await conn.execute("select 1 / %s::int", [0])
        await conn.close()
        return sent

    with closing(workers_connect(url)) as conn, traced(conn.pgconn) as by_worker:
        conn.execute("select %s::int", [1])
    for sent in asyncio.run(asked()), by_worker:
        assert sent[-1] == "Sync"
        assert "Flush" not in sent


def test_many_at_once_share_few_sessions(dsn, pool):
    async def use(url: str) -> list[Any]:
        async with (
            EnqueueStore(url, "notify-api") as first,
            EnqueueStore(url, "notify-api") as second,
        ):
            stores = [first, second] * 50
            return await asyncio.gather(*(store.enqueue(ROW) for store in stores))

    assert len([answer[1].id for answer in asyncio.run(use(pool().url))]) == 100


def test_without_a_way_past_it_every_start_is_refused_in_one_line(dsn, pool):
    url = pool().url
    with pytest.raises(StartError, match="give DATABASE_DIRECT_URL as well"):
        asyncio.run(refuse_unfit(Settings(database_url=url)))
    with pytest.raises(StartError, match="DATABASE_DIRECT_URL leads to a pooler"):
        asyncio.run(refuse_unfit(Settings(database_url=dsn, database_direct_url=url)))
    asyncio.run(refuse_unfit(Settings(database_url=url, database_direct_url=dsn)))


def test_pooling_by_statement_is_refused_in_one_line(dsn, pool):
    url = pool("statement").url
    for urls in ({"database_url": url}, {"database_url": url, "database_direct_url": dsn}):
        with pytest.raises(StartError, match="statement pooling mode"):
            asyncio.run(refuse_unfit(Settings(**urls)))
    with pytest.raises(StartError, match="statement pooling mode"):
        migrate(url)


def test_a_pooler_of_whole_sessions_needs_no_way_past_it(pool):
    asyncio.run(refuse_unfit(Settings(database_url=pool("session", pool_size=4).url)))


def test_options_that_a_pooler_refuses_are_told_by_name(pool, dsn):
    url = f"{pool().url}?options=-c%20work_mem%3D1MB"
    with pytest.raises(StartError, match="unsupported startup parameter"):
        asyncio.run(refuse_unfit(Settings(database_url=url, database_direct_url=dsn)))
    with pytest.raises(StartError, match="unsupported startup parameter"):
        migrate(url)


def test_migrations_through_shared_sessions_are_refused_and_leave_nothing_behind(pool):
    url = pool(pool_size=1).url
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as other:
        before = other.execute(SET_HERE).fetchall()
        with pytest.raises(StartError, match="give DATABASE_DIRECT_URL"):
            migrate(url)
        assert other.execute(SET_HERE).fetchall() == before


def test_migrations_go_through_a_pooler_of_whole_sessions(pool):
    assert migrate(pool("session", pool_size=4).url) == []


@pytest.mark.parametrize(("mode", "found"), [("transaction", "past it"), ("session", "past it")])
def test_the_doctor_says_that_there_is_a_pooler(dsn, pool, mode, found):
    findings = examined(database_url=pool(mode).url, database_direct_url=dsn)
    assert findings["pooler"].found.startswith(found)
    assert not findings["pooler"].advice
    assert not findings["LISTEN"].advice


def test_the_doctor_says_what_lacks_beside_a_pooler(pool):
    finding = examined(database_url=pool().url)["pooler"]
    assert (finding.found, finding.advice) == (
        "DATABASE_URL leads to a pooler whose sessions are shared",
        "give DATABASE_DIRECT_URL as well, which goes past it",
    )


def test_the_doctor_finds_a_way_past_it_that_leads_elsewhere(pool, empty_dsn):
    finding = examined(database_url=pool().url, database_direct_url=empty_dsn)["pooler"]
    assert "different databases" in finding.found
