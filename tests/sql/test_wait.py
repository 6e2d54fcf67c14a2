"""notify.wait(): a procedure that looks, commits and sleeps, until notifications have ended."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.ledger import cancel, claim, settle
from tests.sql.test_search_path import IN_TEMP, PATHS, TRAP
from tests.waiting import wait_for

CALL = "call notify.wait(%s, %s)"
SLEEPS = "select backend_xmin::text::bigint as xmin from pg_stat_activity where pid = %s"


@pytest.fixture
def aside():
    with ThreadPoolExecutor(1) as threads:
        yield threads


def send(session):
    return session.execute("select notify.send('log', 'r', '{}') as id").fetchone().id


def wait(session, ids, timeout="1 hour"):
    return session.execute(CALL, [ids, timeout]).fetchone().pending


def is_asleep(db, session):
    query = "select 1 from pg_stat_activity where pid = %s and wait_event = 'PgSleep'"
    return db.execute(query, [session.info.backend_pid]).fetchone()


def test_what_has_ended_already_is_told_at_once(db, shop):
    ids = [send(shop) for _ in range(3)]
    settle(db, claim(db, ids))
    assert wait(shop, ids) == []


def test_it_returns_when_the_last_has_ended(db, shop, aside):
    sent, cancelled = send(shop), send(shop)
    waiting = aside.submit(wait, shop, [sent, cancelled])
    wait_for(lambda: is_asleep(db, shop))
    cancel(db, [cancelled])
    settle(db, claim(db))
    assert waiting.result(60) == []


@pytest.mark.parametrize("timeout", ["0", "1 microsecond", "60 milliseconds"])
def test_what_has_not_ended_in_time_is_named(db, shop, timeout):
    ended, queued = send(shop), send(shop)
    settle(db, claim(db, [ended]))
    assert wait(shop, [queued, ended], timeout) == [queued]


def test_no_snapshot_and_no_lock_is_held_from_one_look_to_the_next(db, shop, aside):
    waiting = aside.submit(wait, shop, [id := send(shop)])
    wait_for(lambda: is_asleep(db, shop))
    for _ in range(3):  # each look forgets what was seen before it
        now = db.execute("select pg_current_xact_id()::text::bigint as x").fetchone().x
        look = lambda: db.execute(SLEEPS, [shop.info.backend_pid]).fetchone().xmin  # noqa: E731
        wait_for(lambda look=look, now=now: (look() or 0) > now)
    with db.transaction(force_rollback=True):
        wait_for(lambda: is_asleep(db, shop))
        db.execute("set local lock_timeout = '30s'")
        db.execute("lock table notify.notifications in access exclusive mode")
    cancel(db, [id])
    assert waiting.result(60) == []


def test_inside_a_transaction_block_it_refuses_at_once(shop):
    id = send(shop)
    for first in ("select 1", "select status from notify.outcomes"):
        with pytest.raises(psycopg.Error) as caught, shop.transaction():
            shop.execute(first)
            shop.execute(CALL, [[id], "1 hour"])
        assert caught.value.sqlstate == "2D000"
        assert "wait(uuid[],interval,uuid[])" in caught.value.diag.context


def test_in_the_transaction_that_sends_it_says_what_to_do(shop):
    with pytest.raises(psycopg.Error) as caught, shop.transaction():
        shop.execute(CALL, [[send(shop)], "1 hour"])
    assert caught.value.sqlstate == "2D000"
    assert "autocommit" in caught.value.diag.message_hint


def test_a_connection_that_does_not_commit_by_itself_is_refused(shop, db, dsn):
    id = send(shop)
    shop.autocommit = False
    with pytest.raises(psycopg.errors.InvalidTransactionTermination):
        shop.execute(CALL, [[id], "1 hour"])
    shop.rollback()


BODY = "declare ended uuid[]; begin call notify.wait('{%s}', '1 hour', ended); end"


def test_a_function_cannot_wait_and_a_procedure_or_a_block_can(db, shop):
    settle(db, claim(db, [id := send(shop)]))
    body = BODY % id
    shop.execute(f"create function pg_temp.f() returns void language plpgsql as $$ {body} $$")
    with pytest.raises(psycopg.errors.InvalidTransactionTermination):
        shop.execute("select pg_temp.f()")
    shop.execute(f"create procedure pg_temp.p() language plpgsql as $$ {body} $$")
    shop.execute("call pg_temp.p()")
    shop.execute(f"do $$ {body} $$")
    with pytest.raises(psycopg.errors.InvalidTransactionTermination), shop.transaction():
        shop.execute(f"do $$ {body} $$")


@pytest.mark.needs("psql")
def test_psql_prints_what_is_left(shop, dsn):
    at, id = urlsplit(dsn), send(shop)
    url = f"postgresql://{shop.info.user}:p@{at.hostname}:{at.port}{at.path}"

    def said(*commands):
        given = [word for command in commands for word in ("-c", command)]
        done = subprocess.run(
            ["psql", url, "-X", "-A", "-t", *given], capture_output=True, text=True, check=False,
            env=os.environ | {"LC_ALL": "C"}, timeout=60,
        )  # fmt: skip
        return done.stdout + done.stderr

    call = f"call notify.wait(array['{id}']::uuid[], '0')"
    assert said(call).strip() == f"{{{id}}}"
    assert "invalid transaction termination" in said("begin", call)
    assert "invalid transaction termination" in said("begin; " + call)


@pytest.mark.parametrize(
    "timeout", [None, "-1 microsecond", "25 hours", "1 mon", "178000000 years", "-178000000 years"]
)
def test_a_time_that_is_none_to_wait_is_refused(shop, timeout):
    with pytest.raises(psycopg.Error) as caught:
        shop.execute("call notify.wait(%s, %s::interval)", [[send(shop)], timeout])
    assert caught.value.sqlstate == "22023"
    assert "30 seconds" in caught.value.diag.message_hint


@pytest.mark.parametrize("ids", ["null", "'{00000000-0000-0000-0000-000000000000}'", "'{null}'"])
def test_ids_of_nobody_are_refused_and_none_are_waited_for_by_nobody(shop, ids):
    with pytest.raises(psycopg.Error) as caught:
        shop.execute(f"call notify.wait({ids}, '1 hour')")
    assert caught.value.sqlstate == "ND008"
    assert wait(shop, []) == []


def test_a_hundred_thousand_are_refused(shop):
    with pytest.raises(psycopg.Error) as caught:
        shop.execute("call notify.wait(array_fill(notify.new_id(), '{100000}'), '1 hour')")
    assert caught.value.sqlstate == "ND001"


def test_a_statement_timeout_ends_it(shop):
    id = send(shop)
    shop.execute("set statement_timeout = '100ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        wait(shop, [id])


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_every_isolation_level_sees_what_has_ended_since(db, shop, aside, isolation):
    shop.execute(f"set default_transaction_isolation = '{isolation}'")
    id = send(shop)
    waiting = aside.submit(wait, shop, [id])
    wait_for(lambda: is_asleep(db, shop))
    settle(db, claim(db))
    assert waiting.result(60) == []


def test_a_session_that_may_not_write_may_wait(db, shop):
    settle(db, claim(db, [id := send(shop)]))
    shop.execute("set default_transaction_read_only = on")
    assert wait(shop, [id]) == []


@pytest.mark.parametrize("path", PATHS)
def test_it_means_the_same_under_any_search_path(db, shop, path):
    ended, queued = send(shop), send(shop)
    settle(db, claim(db, [ended]))
    db.execute(TRAP)
    shop.execute(IN_TEMP)
    shop.execute(f"set search_path = {path}")
    call = f"call notify.wait('{{{ended},{queued}}}', '60 milliseconds')"
    assert shop.execute(call).fetchone().pending == [queued]
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        shop.execute("call notify.wait('{}', '2 days')")
