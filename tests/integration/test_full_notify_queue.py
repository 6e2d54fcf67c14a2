"""A NOTIFY queue that a neighbour has filled: nothing of ours fails with it."""

import asyncio
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import namedtuple_row

from service.doctor.locks import listen_finding
from service.embedded.servers import EmbeddedServers
from service.ledger.migrate import migrate
from tests.conftest import as_superuser
from tests.ledger import claim, enqueue, row, settle
from tests.scratch import scratch

LARGE = "x" * 7900


@pytest.fixture
def dsn():
    """Give a database of a server with the smallest queue, as it has 8 GB out of the box."""
    with scratch() as directory:
        servers = EmbeddedServers(Path(directory), valkey=False, fast=True)
        with servers as urls, connected(as_superuser(urls.database_url, servers.state)) as admin:
            admin.execute("alter system set max_notify_queue_pages = 64")
        with servers as urls:
            migrate(urls.database_url)
            yield urls.database_url


def connected(url):
    return closing(psycopg.connect(url, autocommit=True, row_factory=namedtuple_row))


def fill(listener, other):
    """Let a session that listens read nothing, and tell it more than the queue holds."""
    listener.execute("listen theirs")
    listener.execute("begin")
    listener.execute("select 1")
    for payload in (LARGE, "small"):
        with pytest.raises(psycopg.errors.ProgramLimitExceeded):
            while True:
                other.execute("select pg_notify('theirs', %s || clock_timestamp())", [payload])


def test_the_doctor_says_whose_queue_it_is(dsn):
    with connected(dsn) as listener, connected(dsn) as other:
        fill(listener, other)
        found = asyncio.run(listen_finding(dsn))
    assert "too many notifications in the NOTIFY queue" in found.found
    assert found.advice == "it is full: see the line of the NOTIFY queue"


def test_rows_come_and_end_in_silence_and_ring_again_once_there_is_room(dsn):
    with connected(dsn) as db, connected(dsn) as bell, connected(dsn) as listener:
        bell.execute("listen notify_wake")
        bell.execute("listen notify_end")
        bell.execute("select notify.arm(1000)")
        fill(listener, db)
        ids = enqueue(db, 3, notify_on_end=True)
        settle(db, claim(db, ids))
        assert {row(db, id).status for id in ids} == {"sent"}
        assert list(bell.notifies(timeout=0)) == []

        listener.execute("rollback")
        listener.execute("unlisten *")
        settle(db, claim(db, enqueue(db, notify_on_end=True)))
        heard = [note.channel for note in bell.notifies(timeout=60, stop_after=2)]
        assert heard == ["notify_wake", "notify_end"]
