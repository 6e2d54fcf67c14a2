"""The price of PgBouncer in transaction mode, and how many connections there are on its two sides.

    python -m load.bench.pooler [--rows 20000] [--seconds 5] [--workers 1,2,4] [--program PATH]

Prints the tables of ops/SCALING.md. The roles get DATABASE_URL through the pooler and
DATABASE_DIRECT_URL past it; each run is repeated without the pooler.
"""

import argparse
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pwd import getpwuid
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from load.bench import scaling
from load.bench.processes import Running, free_port, running, until
from load.bench.scaling import HEAD, ONE, drained, enqueued, post_to, roles, sent
from load.bench.sessions import Seen, watched
from load.bench.stack import Options, Stack, scratch_stack
from service.embedded.account import servers_account

DEBIANS = "/usr/sbin/pgbouncer"  # not on everybody's path
POOL_SIZE = 20  # PgBouncer's own default
CONFIGURATION = """
[databases]
* = host={host} port={port} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = any
admin_users = {user}
pool_mode = transaction
default_pool_size = {pool_size}
"""


@dataclass(frozen=True, slots=True)
class Pooler:
    """A running PgBouncer."""

    url: str
    admin_url: str
    running: Running

    def show(self, what: str) -> list[dict[str, Any]]:
        """Ask its console."""
        with psycopg.connect(self.admin_url, autocommit=True, row_factory=dict_row) as conn:
            return conn.execute(f"show {what}".encode()).fetchall()

    def queries(self) -> int:
        """Return how many statements have gone through."""
        return sum(int(row["total_query_count"]) for row in self.show("stats"))

    def answers(self) -> bool:
        """Return whether it leads to PostgreSQL."""
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True

    def env(self, stack: Stack) -> dict[str, str]:
        """Name the settings of a role that goes through it."""
        return {"DATABASE_URL": self.url, "DATABASE_DIRECT_URL": stack.database_url}


@contextmanager
def pooler(stack: Stack, program: str) -> Iterator[Pooler]:
    """Run one in front of the bench's PostgreSQL."""
    there, port = conninfo_to_dict(stack.database_url), free_port()
    file = stack.directory / "pgbouncer.ini"
    text = CONFIGURATION.format(own_port=port, pool_size=POOL_SIZE, **there)
    if os.geteuid() == 0:  # it does not run as root
        text += f"user = {getpwuid(servers_account(stack.directory).uid).pw_name}\n"
    file.write_text(text)
    file.chmod(0o644)
    address = f"postgresql://{there['user']}@127.0.0.1:{port}"
    with running([program, str(file)], "pgbouncer", stack.directory) as process:
        found = Pooler(f"{address}/{there['dbname']}", f"{address}/pgbouncer", process)
        process.wait_for(found.answers)
        yield found


def price(stack: Stack, program: str, workers: list[int]) -> None:
    """Print drains and POSTs past the pooler and through it."""
    print(HEAD)
    for count in workers:
        print(drained(stack, count).line(), flush=True)
        with pooler(stack, program) as pool:
            run = drained(stack, count, "", pool.running, **pool.env(stack))
            print(run.line(f", {pool.queries() / run.rows:.3f} statements through it"), flush=True)
    print(enqueued(stack, 1).line(), flush=True)
    with pooler(stack, program) as pool:
        run = enqueued(stack, 1, pool.running, **pool.env(stack))
        print(run.line(f", {pool.queries() / run.rows:.3f} statements through it"), flush=True)


def connections(stack: Stack, program: str, workers: list[int]) -> None:
    """Print how many connections there are on both sides while all roles work."""
    print(
        "\n| beside 2 api and 2 dispatcher | at PostgreSQL | with it: its clients | at PostgreSQL |"
    )
    print("|---|---|---|---|")
    for count in workers:
        past, _ = working(stack, count)
        with pooler(stack, program) as pool:
            through, clients = working(stack, count, pool, **pool.env(stack))
        names = ", ".join(f"{name} {most}" for name, most in sorted(past.most.items()))
        most = f"{past.most_of_all} ({names})"
        print(f"| {count} worker | {most} | {clients} | {through.most_of_all} |", flush=True)


def working(stack: Stack, count: int, pool: Pooler | None = None, **env: str) -> tuple[Seen, int]:
    """Let all roles work; return what sessions there were, and how many clients the pooler had."""
    stack.clear()
    with (
        roles(stack, "dispatcher", 2, **env),
        roles(stack, "worker", count, **ONE, **env) as workers,
        roles(stack, "api", 2, **env) as apis,
        watched(stack.database_url) as seen,
    ):
        rows = post_to(apis, stack.options.seconds)
        until(lambda: sent(workers) >= rows, scaling.DRAIN_MAX_S, f"{rows} sent")
        clients = pool.show("clients") if pool else []
    return seen, sum(client["database"] != "pgbouncer" for client in clients)


def main() -> None:
    """Measure and print."""
    args = parser().parse_args()
    options = Options(seconds=args.seconds, rows=args.rows, backlog=0, long_seconds=0)
    with scratch_stack(options) as stack:
        price(stack, args.program, args.workers)
        connections(stack, args.program, args.workers)


def parser() -> argparse.ArgumentParser:
    """Describe the options: those of scaling, and where PgBouncer is."""
    described = scaling.parser("pooler")
    program = shutil.which("pgbouncer") or DEBIANS
    described.add_argument("--program", default=program, help="PgBouncer's")
    return described


if __name__ == "__main__":
    main()
