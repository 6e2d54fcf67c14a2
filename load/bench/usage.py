"""What everybody has used: CPU time by role, and WAL."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from load.bench import proc
from load.bench.stack import Stack

WAL = "select pg_current_wal_insert_lsn() - '0/0'::pg_lsn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Seconds of CPU by role, and bytes of WAL."""

    cpu_s: Mapping[str, float]
    wal_bytes: float

    def since(self, before: "Usage", looks_s: float = 0.0) -> "Usage":
        """Subtract an earlier reading, and what PostgreSQL took for our own looks."""
        spent = {role: self.cpu_s[role] - before.cpu_s[role] for role in self.cpu_s}
        return Usage(
            cpu_s=spent | {"PostgreSQL": spent["PostgreSQL"] - looks_s},
            wal_bytes=self.wal_bytes - before.wal_bytes,
        )

    def each_us(self, rows: float) -> dict[str, float]:
        """Return the microseconds of CPU that one notification took of each role."""
        return {role: seconds / rows * 1e6 for role, seconds in self.cpu_s.items()}


def usage(stack: Stack, roles: Mapping[str, Iterable[int]]) -> Usage:
    """Read what has been used by these processes, by PostgreSQL and by Valkey."""
    servers = proc.tree(stack.services.process.pid)
    names = {pid: name_of(pid) for pid in servers}
    pids = {role: [pid for root in roots for pid in proc.tree(root)]
            for role, roots in roles.items()}  # fmt: skip
    pids["PostgreSQL"] = [pid for pid in servers if names[pid].startswith("postgres")]
    pids["Valkey"] = [pid for pid in servers if names[pid].startswith("valkey")]
    return Usage(
        cpu_s={role: proc.cpu_s(found) for role, found in pids.items()},
        wal_bytes=float(stack.sql(WAL)[0][0]),
    )


def name_of(pid: int) -> str:
    """Read a program's name; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
