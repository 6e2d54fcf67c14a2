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
from service.embedded.postgres import EmbeddedPostgres
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
        self.volume: Volume | None = None

    def start(self) -> None:
        """Start both, the tables on a volume of their own if one can be had. Raises StartError."""
        self.valkey.launch()
        self.start_postgres()
        self.valkey.wait_ready()
        volume = Volume(self.state.directory / "volume")
        if volume.mount(self.account):
            self.volume = volume
            self.sql(f"create tablespace small owner notify location '{volume.tables}'")
            self.sql("alter database notify set default_tablespace = small")

    def stop(self) -> None:
        """Stop both."""
        self.valkey.stop()
        self.postgres.stop()
        if self.volume:
            self.volume.unmount()
        self.state.close()

    def start_postgres(self) -> None:
        """Start it and wait until it takes connections; after a kill, what that left ends first."""
        self.postgres.dead()  # waits for a killed one, so that no zombie stays
        self.postgres.launch()
        self.postgres.wait_ready()

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
        """The service's."""
        return self.postgres.url

    @property
    def admin_url(self) -> str:
        """The superuser's, in the same database."""
        return self.postgres.url.replace("//notify:", "//postgres:")

    def redis(self) -> "redis.Redis":
        """Connect to Valkey."""
        return redis.Redis.from_url(self.valkey.url)

    def sql(self, statement: str, *args: object) -> list[dict[str, Any]]:
        """Run one statement as the superuser."""
        with psycopg.connect(self.admin_url, autocommit=True, row_factory=dict_row) as conn:
            cursor = conn.execute(statement, args or None)
            return cursor.fetchall() if cursor.description else []
