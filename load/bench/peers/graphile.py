"""Graphile Worker (Node.js, PostgreSQL), with everything that it can batch."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import psycopg

from load.bench.peers.install import node
from load.bench.peers.peer import Backlog, Settings
from load.bench.processes import Command, run
from load.bench.stack import PAYLOAD, SECRET, Stack

DRIVER = Path(__file__).parent / "drivers" / "graphile.mjs"
JOBS = "graphile_worker._private_jobs"


class GraphileWorker:
    """Each process has one local queue, which fetches `queue` jobs at once for all of its jobs."""

    name = "graphile"
    title = "Graphile Worker 0.18.0"
    best: ClassVar[Mapping[str, Settings]] = {
        "webhooks": {"processes": 2, "concurrency": 100, "queue": 200, "complete_ms": 0},
        "drain": {"processes": 2, "concurrency": 100, "queue": 2000, "complete_ms": 0},
    }
    grid: ClassVar[Sequence[Settings]] = [
        {
            "processes": processes,
            "concurrency": concurrency,
            "queue": queue,
            "complete_ms": complete_ms,
        }
        for processes in (1, 2)
        for concurrency in (24, 48, 100, 200)
        for queue in (200, 500, 2000)
        for complete_ms in (0, 20)
    ]

    def __init__(self, stack: Stack, folder: Path, conn: "psycopg.Connection[Any]") -> None:
        self._url = stack.database_url
        self._folder = folder
        self._conn = conn
        cli = folder / "node_modules" / "graphile-worker" / "dist" / "cli.js"
        run([node(folder), cli, "--schema-only", "--connection", self._url], cwd=folder)

    def fill(self, backlog: Backlog) -> None:
        """Call the function that its users call."""
        self._conn.execute(f"truncate {JOBS}")
        self._conn.execute(
            "select count(*) from graphile_worker.add_jobs(array(select"
            " row(%s, %s::json, null, null, null, null, null, null)::graphile_worker.job_spec"
            " from generate_series(1, %s)))",
            ["deliver" if backlog.url else "noop", PAYLOAD, backlog.rows],
        )
        self._conn.execute(f"vacuum (analyze) {JOBS}")

    def command(self, backlog: Backlog, settings: Settings) -> Command:
        """Let it complete jobs in batches, too: those of `complete_ms` at once."""
        told = {
            **settings,
            "folder": str(self._folder),
            "database_url": self._url,
            "url": backlog.url,
            "secret": SECRET.removeprefix("whsec_"),
        }
        return [node(self._folder), DRIVER, json.dumps(told)]

    def is_empty(self) -> bool:
        """Look at the last job alone, by primary key: rows that are dead cost nothing so."""
        last = self._conn.execute(f"select id from {JOBS} order by id desc limit 1")
        return last.fetchone() is None

    def succeeded(self, backlog: Backlog) -> int:
        """Count what is gone: it keeps what failed, and no record of the rest."""
        [(left,)] = self._conn.execute(f"select count(*) from {JOBS}").fetchall()
        return backlog.rows - int(left)


class GraphileAlone(GraphileWorker):
    """One process: its own default, which leaves a core of two to PostgreSQL and the receiver."""

    name = "graphile-alone"
    best: ClassVar[Mapping[str, Settings]] = {
        measure: {**settings, "processes": 1} for measure, settings in GraphileWorker.best.items()
    }
    grid: ClassVar[Sequence[Settings]] = []  # the other's has them
