"""PostgreSQL and Valkey of a run: private, durable, and killed now and then."""

import os
import signal
from pathlib import Path
from typing import Any

import psycopg
import redis
from psycopg.rows import dict_row

from load.chaos.volume import Volume
from service.embedded.account import let_in, servers_account
from service.embedded.cluster import run
from service.embedded.postgres import EmbeddedPostgres
from service.embedded.programs import postgres_programs
from service.embedded.state import State
from service.embedded.valkey import EmbeddedValkey


class Servers:
    """Both servers of one state directory. They keep their ports from life to life."""

    def __init__(self, directory: Path, programs: Path | None = None) -> None:
        """Prepare. `programs`: the bin/ of another PostgreSQL."""
        self.state = State(directory)
        self.data = self.state.directory / "postgres" / "data"
        account = servers_account(self.data)
        let_in(account, self.state.directory)
        # Not `fast`: what is committed must outlive any end, as in production.
        self.postgres = EmbeddedPostgres(self.state, account, programs=programs)
        self.valkey = EmbeddedValkey(self.state, account)
        self.account = account
        self.programs = programs
        self.volume: Volume | None = None
        self.replica: EmbeddedPostgres | None = None
        self.promoted = False
        self.copy: State | None = None  # the replica's directory

    def start(self) -> None:
        """Start both, the tables on a volume of their own if one can be had. Raises StartError."""
        self.valkey.launch()
        self.start_postgres()
        self.valkey.wait_ready()
        volume = Volume(self.state.directory / "volume")
        if volume.mount(self.account):
            self.volume = volume
            self.sql(f"create tablespace small owner notify_app location '{volume.tables}'")
            self.sql("alter database notify set default_tablespace = small")

    def stop(self) -> None:
        """Stop both."""
        self.valkey.stop()
        self.postgres.stop()
        if self.replica and self.copy:
            self.replica.stop()
            self.copy.close()
        if self.volume:
            self.volume.unmount()
        self.state.close()

    def start_postgres(self) -> None:
        """Start it and wait until it takes connections; after a kill, what that left ends first."""
        self.postgres.dead()  # waits for a killed one, so that no zombie stays
        self.postgres.launch()
        self.postgres.wait_ready()

    def start_replica(self) -> None:
        """Copy PostgreSQL, and let each commit wait until the copy has it. Raises StartError."""
        self.copy = state = State(self.state.directory.with_name("replica"))
        self.replica = EmbeddedPostgres(state, self.account, programs=self.programs)
        home = state.directory / "postgres"
        self.account.own(home)
        moved: list[str | Path] = []
        if self.volume:
            self.account.own(home / "tables")
            moved = ["-T", f"{self.volume.tables}={home / 'tables'}"]
        programs = self.programs or postgres_programs(
            self.account, self.state.directory / "programs"
        )
        run(
            self.account, programs / "pg_basebackup",
            "-d", self.admin_url, "-D", home / "data", "-R", "-c", "fast", "-N", *moved,
        )  # fmt: skip
        self.replica.launch()
        self.replica.wait_ready()
        self.sql("alter system set synchronous_standby_names = '*'")
        self.sql("select pg_reload_conf()")

    def promote_replica(self) -> None:
        """Kill the primary, and let the copy be it."""
        assert self.replica is not None
        assert self.copy is not None
        self.kill_postgres()
        self.postgres, self.replica = self.replica, self.postgres
        self.data = self.copy.directory / "postgres" / "data"
        self.promoted = True
        password, port = self.state.superuser_password, port_of(self.postgres.url)
        target = f"postgresql://postgres:{password}@127.0.0.1:{port}"
        with psycopg.connect(f"{target}/notify", autocommit=True) as conn:
            conn.execute("select pg_promote()")

    def kill_postgres(self) -> None:
        """Kill the postmaster; its backends find out by themselves."""
        os.kill(int((self.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    def start_redis(self) -> None:
        """Start it, empty."""
        self.valkey.dead()
        self.valkey.launch()
        self.valkey.wait_ready()

    def kill_redis(self) -> None:
        """Kill it."""
        with self.redis() as client:
            os.kill(client.info("server")["process_id"], signal.SIGKILL)

    @property
    def database_url(self) -> str:
        """The service's. With a replica it names both, as a client does that expects a failover."""
        return self.url("notify_app", self.state.password)

    @property
    def admin_url(self) -> str:
        """The superuser's, in the same database."""
        return self.url("postgres", self.state.superuser_password)

    def url(self, role: str, password: str) -> str:
        """Give a role's URL."""
        ports = [port_of(server.url) for server in (self.postgres, self.replica) if server]
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        query = "?target_session_attrs=read-write" if self.replica else ""
        return f"postgresql://{role}:{password}@{hosts}/notify{query}"

    def redis(self) -> "redis.Redis":
        """Connect to Valkey."""
        return redis.Redis.from_url(self.valkey.url)

    def sql(self, statement: str, *args: object) -> list[dict[str, Any]]:
        """Run one statement as the superuser."""
        with psycopg.connect(self.admin_url, autocommit=True, row_factory=dict_row) as conn:
            cursor = conn.execute(statement, args or None)
            return cursor.fetchall() if cursor.description else []


def port_of(url: str) -> int:
    """Return a URL's port."""
    return int(url.rpartition(":")[2].partition("/")[0])
