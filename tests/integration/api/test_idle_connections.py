"""A connection that ended while nobody used it is not lent: no client hears of it."""

import asyncio
from typing import Any

import psycopg

from service.ledger.db import is_quiet
from tests.integration.api.serving import LINE, Api
from tests.integration.api.test_database_away import get_all
from tests.waiting import wait_for

IDLE = (
    "select pid from pg_stat_activity"
    " where datname = current_database() and application_name = 'notify-api' and state = 'idle'"
)
END = "select pg_terminate_backend(pid) from unnest(%s::integer[]) as pid"


def grow(api: Api, db: psycopg.Connection[Any]) -> None:
    """Ask until several connections are open."""
    while len(db.execute(IDLE).fetchall()) < 3:
        asyncio.run(get_all(api.port, 50))


def end_idle(db: psycopg.Connection[Any]) -> None:
    """End every session of the edge, and wait until they are gone."""
    pids = [row.pid for row in db.execute(IDLE)]
    db.execute(END, [pids])
    gone = "select not exists (select from pg_stat_activity where pid = any(%s)) as gone"
    wait_for(lambda: db.execute(gone, [pids]).fetchone().gone)


def test_no_post_pays_for_sessions_that_were_ended(api, db):
    grow(api, db)
    for _ in range(5):
        end_idle(db)
        assert [api.post(LINE).status for _ in range(4)] == [202] * 4
        assert api.get("/notifications").status == 200
        assert api.run(api.store.missing()) == [], "as /readyz looks, which keeps it for a second"


def test_no_post_of_many_at_once_pays_either(api, db):
    grow(api, db)
    end_idle(db)
    assert asyncio.run(gather_posts(api, 40)) == [202] * 40


async def gather_posts(api: Api, count: int) -> list[int]:
    """Post at once, from threads."""
    answers = await asyncio.gather(*(asyncio.to_thread(api.post, LINE) for _ in range(count)))
    return [answer.status for answer in answers]


def test_sessions_of_ours_stay_where_idle_ones_are_ended(api, db):
    db.execute(f'alter database "{db.info.dbname}" set idle_session_timeout = 200')
    end_idle(db)
    assert api.post(LINE).status == 202
    ours = db.execute(IDLE).fetchall()
    with psycopg.connect(db.info.dsn, password=db.info.password) as theirs:
        wait_for(lambda: not is_quiet(theirs.pgconn))  # by then, ours would have ended
    assert set(db.execute(IDLE).fetchall()) >= set(ours)


def test_what_the_server_says_to_an_idle_session_is_its_end(dsn, db):
    with psycopg.connect(dsn, autocommit=True) as idle:
        assert is_quiet(idle.pgconn)
        db.execute("select pg_terminate_backend(%s)", [idle.info.backend_pid])
        wait_for(lambda: not is_quiet(idle.pgconn))
    assert not is_quiet(idle.pgconn)  # closed by us
