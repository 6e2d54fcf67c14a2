"""Everything that runs during chaos, on loopback, started and stopped in one place."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from load.chaos.processes import NOTIFY, ChaosError, Instrument, Role, Stopped
from load.chaos.servers import Servers, port_of
from service.embedded.ports import free_port

# Far shorter than in production, so that recovery fits into minutes.
LEASE_S = 6.0
SEND_DEADLINE_S = 2.0
REAPING_S = 3.0
GRACE_S = 5.0
TIMES = {
    "LEASE_S": f"{LEASE_S:g}",
    "SEND_DEADLINE_S": f"{SEND_DEADLINE_S:g}",
    "REAPING_INTERVAL_MINS": f"{REAPING_S / 60:g}",
    "RECONCILIATION_INTERVAL_MINS": "0.1",
    "SHUTDOWN_GRACE_S": f"{GRACE_S:g}",
    "MAX_RETRIES": "20",
    "RETRY_SCHEDULE": "0.2s,0.4s,0.8s,2s",
    "WORKER_PROCESSES": "1",  # what is killed, paused and judged is the process itself
}
START_MAX_S = 30.0
UNSETTLED = """
select count(*) as n from notify.notifications where status in ('queued', 'sending')
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A fault that was; times are epoch seconds."""

    name: str
    began: float
    ended: float
    waiting_cpu: float | None  # share of a core of the busiest role that could only wait


class Stand:
    """The servers, the links in front of them, the roles and the sink."""

    def __init__(
        self,
        directory: Path,
        *,
        apis: int = 2,
        dispatchers: int = 2,
        workers: int = 3,
        replica: bool = False,
        programs: Path | None = None,
        code: Path | None = None,
    ) -> None:
        """Prepare. `programs`: the bin/ of another PostgreSQL; `code`: other than ours."""
        self.code = code
        self.replica = replica
        self.directory = directory
        self.exits = ExitStack()
        self.servers = Servers(directory / "state", programs)
        self.counts = {"api": apis, "dispatcher": dispatchers, "worker": workers}
        self.roles: list[Role] = []
        self.played: list[Played] = []
        self.stops: list[Stopped] = []
        self.arrivals_file = directory / "arrivals.jsonl"
        self.offered_file = directory / "offered.jsonl"

    def start(self) -> None:
        """Start all, and wait until the APIs answer."""
        self.exits.callback(self.servers.stop)
        self.servers.start()
        self.migrate(self.code)
        self.postgres_link = self.instrument("link", port_of(self.servers.database_url))
        self.database_url = moved(self.servers.database_url, self.postgres_link.ports[0])
        if self.replica:  # past the link: the URL names both
            self.servers.start_replica()
            self.database_url = self.servers.database_url
        self.redis_link = self.instrument("link", port_of(self.servers.valkey.url))
        self.sink = self.instrument("sink", self.arrivals_file)
        for command, count in self.counts.items():
            for number in range(1, count + 1):
                self.add(f"{command}-{number}", command, self.code)
        wait_until(lambda: all(map(self.answers, self.apis)), START_MAX_S, "the APIs answer")

    def migrate(self, code: Path | None = None) -> None:
        """Bring the ledger to the schema of this code; None: of ours."""
        subprocess.run(
            [NOTIFY, "migrate"],
            cwd=self.directory,
            env=os.environ | {"DATABASE_URL": self.servers.database_url} | path_to(code),
            check=True,
        )

    def heal(self) -> None:
        """Let everything run and answer again."""
        for link in (self.postgres_link, self.redis_link):
            link.ask("thaw")
        self.sink.ask("mood fine")
        for role in self.roles:
            if role.runs:
                role.resume()
            else:
                role.start()

    def rest(self, limit_s: float) -> float:
        """Wait until everything is settled, within the limit; returns how long it took."""
        began = time.monotonic()
        while time.monotonic() - began < limit_s and self.servers.sql(UNSETTLED)[0]["n"]:
            time.sleep(0.2)
        return time.monotonic() - began

    def forget(self) -> None:
        """Empty all ledgers; call it when all has come to rest."""
        self.servers.sql("truncate notify.notifications, notify.attempts")
        self.played.clear()
        self.stops.clear()
        for file in (self.arrivals_file, self.offered_file):
            file.write_bytes(b"")

    def close(self) -> None:
        """End all that still runs; the servers last."""
        self.exits.close()

    def instrument(self, module: str, *args: object) -> Instrument:
        """Start an instrument that ends with the stand."""
        instrument = Instrument(module, *args)
        self.exits.callback(instrument.close)
        return instrument

    def add(self, name: str, command: str, code: Path | None = None) -> Role:
        """Start a role that ends with the stand; `code`: where its code is, if it is not ours."""
        port = str(free_port())
        role = Role(
            name,
            command,
            self.directory,
            {
                "DATABASE_URL": self.database_url,
                "REDIS_URL": moved(self.servers.valkey.url, self.redis_link.ports[0]),
                "SMTP_URL": f"smtp://127.0.0.1:{self.sink.ports[1]}",
                "MAIL_FROM": "chaos@example.com",
                "PORT": port,
                "METRICS_PORT": port,
                "LOG_STYLE": "json",
                "WEBHOOK_ALLOW": "127.0.0.0/8",
                **TIMES,
                **path_to(code),
            },
        )
        self.exits.callback(role.kill)
        self.roles.append(role)
        role.start()
        return role

    def called(self, command: str) -> list[Role]:
        """Return the roles that run this command."""
        return [role for role in self.roles if role.command == command]

    @property
    def apis(self) -> list[Role]:
        """The APIs."""
        return self.called("api")

    @property
    def dispatchers(self) -> list[Role]:
        """The dispatchers; one of them leads."""
        return self.called("dispatcher")

    @property
    def workers(self) -> list[Role]:
        """The workers."""
        return self.called("worker")

    @property
    def sink_url(self) -> str:
        """Where webhooks go."""
        return f"http://127.0.0.1:{self.sink.ports[0]}"

    def url(self, role: Role) -> str:
        """Give the base URL of an API, or of a role's /metrics."""
        return f"http://127.0.0.1:{role.env['PORT']}"

    def answers(self, role: Role) -> bool:
        """Whether it answers over HTTP."""
        try:
            urllib.request.urlopen(f"{self.url(role)}/metrics", timeout=2).close()
        except (urllib.error.URLError, OSError):
            return False
        return True

    @contextmanager
    def producing(self, seed: int, rate: float) -> Iterator[None]:
        """Produce for all APIs that run until the context ends; the answers are in `offered`."""
        urls = [self.url(api) for api in self.apis if api.runs]
        producers = Instrument(
            "producers",
            seed,
            rate,
            self.offered_file,
            self.sink_url,
            self.servers.database_url,
            *urls,
        )
        try:
            yield
            producers.ask("stop")
        finally:
            producers.close()

    def offered(self) -> list[dict[str, Any]]:
        """Read what the producers have written down."""
        return lines_of(self.offered_file)

    def arrivals(self) -> list[dict[str, Any]]:
        """Read the sink's ledger."""
        return lines_of(self.arrivals_file)


@contextmanager
def scratch_stand(**counts: Any) -> Iterator[Stand]:
    """Run a stand in a directory that is gone afterwards."""
    with TemporaryDirectory(prefix="notify-chaos-") as name:
        directory = Path(name)
        directory.chmod(0o711)  # PostgreSQL's account has to get to its data
        stand = Stand(directory, **counts)
        try:
            stand.start()
            yield stand
        finally:
            stand.close()


def path_to(code: Path | None) -> dict[str, str]:
    """Give the environment in which `notify` is of this code; None: of ours."""
    return {"PYTHONPATH": str(code)} if code else {}


def moved(url: str, port: int) -> str:
    """Point a URL to another port."""
    return url.replace(f":{port_of(url)}/", f":{port}/")


def lines_of(file: Path) -> list[dict[str, Any]]:
    """Read lines of JSON; the last one may be half written yet."""
    if not file.exists():
        return []
    whole = file.read_text().rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def wait_until(condition: Callable[[], Any], limit_s: float, what: str) -> None:
    """Wait for a condition. Raises ChaosError after the limit."""
    ends = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > ends:
            raise ChaosError(f"not within {limit_s:g} s: {what}")
        time.sleep(0.05)
