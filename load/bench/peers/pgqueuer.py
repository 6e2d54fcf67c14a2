"""PgQueuer (Python, PostgreSQL), with durable tables and asyncpg, its fastest driver."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import psycopg

from load.bench.peers.install import python
from load.bench.peers.peer import Backlog, Settings
from load.bench.processes import Command, run
from load.bench.stack import PAYLOAD, SECRET, Stack


class PgQueuer:
    """Each process takes and completes jobs `batch` at once, and has `at_once` in its hands."""

    name = "pgqueuer"
    title = "PgQueuer 1.6.0"
    best: ClassVar[Mapping[str, Settings]] = {
        "webhooks": {"processes": 2, "batch": 100, "at_once": 200},
        "drain": {"processes": 2, "batch": 500, "at_once": 1000},
    }
    grid: ClassVar[Sequence[Settings]] = [
        {"processes": processes, "batch": batch, "at_once": times * batch}
        for processes in (1, 2)
        for batch in (50, 100, 500)
        for times in (2, 4)
    ]

    def __init__(self, stack: Stack, folder: Path, conn: "psycopg.Connection[Any]") -> None:
        self._url = stack.database_url
        self._folder = folder
        self._conn = conn
        for verb in (["install", "--durability", "durable"], ["autovac"]):
            run([python(folder), "-m", "pgqueuer", "--pg-dsn", self._url, *verb], cwd=folder)

    def fill(self, backlog: Backlog) -> None:
        """Insert as its own `enqueue` does."""
        self._conn.execute("truncate pgqueuer, pgqueuer_log, pgqueuer_statistics")
        self._conn.execute(
            "insert into pgqueuer (priority, entrypoint, payload, status)"
            " select 0, %s, convert_to(%s, 'UTF8'), 'queued' from generate_series(1, %s)",
            ["deliver" if backlog.url else "noop", PAYLOAD, backlog.rows],
        )
        self._conn.execute("vacuum (analyze) pgqueuer")

    def command(self, backlog: Backlog, settings: Settings) -> Command:
        """Run the driver from the root of the repository, with the peer's Python."""
        told = {
            "pool": 4,
            **settings,
            "database_url": self._url,
            "url": backlog.url,
            "secret": SECRET.removeprefix("whsec_"),
        }
        driver = "load.bench.peers.drivers.pgqueuer_worker"
        return [python(self._folder), "-m", driver, json.dumps(told)]

    def is_empty(self) -> bool:
        """Look at the last job alone, by primary key: rows that are dead cost nothing so."""
        last = self._conn.execute("select id from pgqueuer order by id desc limit 1")
        return last.fetchone() is None

    def succeeded(self, backlog: Backlog) -> int:
        """Count its log."""
        [(done,)] = self._conn.execute(
            "select count(distinct job_id) from pgqueuer_log where status = 'successful'"
        ).fetchall()
        return int(done)
