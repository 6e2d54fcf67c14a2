"""What every scenario stands on: scratch servers, and the real commands as processes."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import psycopg
import redis

from load.bench.processes import BenchError, Running, free_port, module, run, running, until

NOTIFY = Path(sys.executable).with_name("notify")
# Signed, as real ones are; any secret will do.
SECRET = "whsec_bG9hZC1iZW5jaC1sb2FkLWJlbmNoLWxvYWQtYmVuY2g="
IS_DRAINED = """
select not exists (select from notify.notifications where status in ('queued', 'sending'))
"""
FILL_MAX = 1_000_000  # rows of one transaction
PAYLOAD = '{"text": "hello", "number": 42}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much to do."""

    seconds: float  # of each run that lasts by the clock
    rows: int  # of the drain; the other scenarios take shares of it
    backlog: int  # of memory, gauges and backlog
    long_seconds: float = 60.0  # of snapshot and soak


@dataclass(frozen=True, slots=True)
class Role:
    """A running `notify` command. `url`: its API, or where its /metrics is."""

    url: str
    running: Running

    def metric(self, name: str) -> float:
        """Add up the samples of one metric."""
        with urlopen(f"{self.url}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith((f"{name} ", f"{name}{{"))
        )

    def is_up(self) -> bool:
        """Whether it answers."""
        try:
            urlopen(f"{self.url}/metrics", timeout=10).close()
        except URLError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Sink:
    """A running sink."""

    url: str

    def ask(self, path: str = "/counts") -> dict[str, Any]:
        """Ask what has arrived; /forget starts anew."""
        with urlopen(self.url + path, timeout=30) as answer:
            counts: dict[str, Any] = json.load(answer)
        return counts


@dataclass(frozen=True, slots=True)
class Stack:
    """The servers' URLs, a directory for logs, and the verbs of every scenario."""

    directory: Path
    database_url: str
    redis_url: str
    options: Options
    services: Running  # the parent of PostgreSQL and Valkey

    @contextmanager
    def role(self, name: str, beside: int = 0, /, **env: str) -> Iterator[Role]:
        """Run `notify NAME` until the context ends; `beside`: how many others run."""
        port = str(free_port())
        settings = {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "PORT": port,
            "METRICS_PORT": port,
            "WEBHOOK_SECRET": SECRET,
            "WEBHOOK_ALLOW": "127.0.0.0/8",
            **env,
        }
        label, here = f"{name}{beside or ''}", self.directory
        with running([NOTIFY, name], label, here, settings, cwd=here) as process:
            role = Role(f"http://127.0.0.1:{port}", process)
            process.wait_for(role.is_up)
            yield role

    @contextmanager
    def server(self, name: str, *args: object) -> Iterator[str]:
        """Run one of our modules that serve, which prints its port; gives its base URL."""
        with running(module(name, *args), name, self.directory) as process:
            yield f"http://127.0.0.1:{process.lines(1)[0]}"

    @contextmanager
    def sink(self, delay_s: float = 0.0) -> Iterator[Sink]:
        """Run a sink."""
        with self.server("sink", "--delay", delay_s) as url:
            yield Sink(url)

    def sql(self, statement: str, *args: object) -> list[tuple[Any, ...]]:
        """Run one statement."""
        with psycopg.connect(self.database_url) as conn:
            cursor = conn.execute(statement, args or None)
            return cursor.fetchall() if cursor.description else []

    def clear(self) -> None:
        """Begin with an empty ledger and an empty ready set."""
        self.sql("truncate notify.notifications, notify.attempts")
        with redis.Redis.from_url(self.redis_url) as ready_set:
            ready_set.flushall()

    def fill(self, rows: int, channel: str, recipient: str, priority: int = 2) -> None:
        """Begin with a backlog of this many, all due."""
        self.clear()
        with psycopg.connect(self.database_url, autocommit=True) as conn:
            conn.execute("set notify.wake = off")
            for done in range(0, rows, FILL_MAX):
                conn.execute(
                    "insert into notify.notifications (channel, recipient, payload, priority)"
                    " select %s, %s, %s::jsonb, %s from generate_series(1, %s)",
                    [channel, recipient, PAYLOAD, priority, min(FILL_MAX, rows - done)],
                )

    def drained_s(self, rows: int) -> float:
        """Return the seconds from the first send to the last settle.

        Raises BenchError unless the ledger says that all are sent, each by its first attempt.
        """
        sent, attempts, seconds = self.sql(
            "select (select count(*) from notify.notifications where status = 'sent'),"
            " count(*), extract(epoch from"
            "  (select max(settled_at) from notify.notifications) - min(started_at))::float8"
            " from notify.attempts"
        )[0]
        if (sent, attempts) != (rows, rows):
            raise BenchError(f"{rows} enqueued, but {sent} sent in {attempts} attempts")
        return float(seconds)


def wait_until_all_sent(stack: Stack, limit_s: float = 120.0) -> None:
    """Wait until nothing is under way. Raises BenchError if something ended otherwise than sent."""
    until(lambda: stack.sql(IS_DRAINED)[0][0], limit_s, "nothing is under way")
    [(others,)] = stack.sql("select count(*) from notify.notifications where status <> 'sent'")
    if others:
        raise BenchError(f"{others} did not become sent")


def wait_until_sent(worker: Role, rows: int, limit_s: float = 120.0) -> None:
    """Wait until the worker has counted so many as sent: asking the ledger would cost it time."""
    until(lambda: worker.metric("worker_jobs_sent_total") >= rows, limit_s, f"{rows} sent")


@contextmanager
def scratch_stack(options: Options) -> Iterator[Stack]:
    """Start the servers in a directory that is gone afterwards, and migrate."""
    with TemporaryDirectory(prefix="notify-bench-") as name, ExitStack() as exits:
        directory = Path(name)
        directory.chmod(0o711)  # PostgreSQL's account has to get to its data
        services = exits.enter_context(
            running(
                [NOTIFY, "services", "--state", directory / "state"],
                "services",
                directory,
                cwd=directory,
            )
        )
        urls = dict(line.split("=", 1) for line in services.lines(2))
        run([NOTIFY, "migrate"], cwd=directory, env=urls)
        stack = Stack(directory, urls["DATABASE_URL"], urls["REDIS_URL"], options, services)
        stack.sql("select notify.keep_partitions(1, interval '30 days')")
        yield stack
