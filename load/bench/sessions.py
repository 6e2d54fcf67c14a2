"""What our sessions at PostgreSQL do, looked at each 10 ms: work, or wait for what."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

from load.bench import proc

LOOK_EVERY_S = 0.01
LOOK = """
select application_name, state = 'active',
  coalesce(wait_event_type || ':' || wait_event, 'working')
from pg_stat_activity
where application_name like 'notify-%' and datname = current_database()
"""


@dataclass(slots=True)
class Seen:
    """What was seen. `most`: sessions at once, by application_name; `most_of_all`: together.

    `cpu_s`: what PostgreSQL took for the looks.
    """

    looks: int = 0
    active: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    most_of_all: int = 0
    cpu_s: float = 0.0

    def add(self, rows: list[tuple[str, bool, str]]) -> None:
        """Add one look."""
        self.looks += 1
        self.active.update(doing for _, is_active, doing in rows if is_active)
        self.most |= Counter(name for name, _, _ in rows)
        self.most_of_all = max(self.most_of_all, len(rows))

    def spelled(self) -> str:
        """Say how many sessions were active on average, and the shares of what they did."""
        total = sum(self.active.values())
        shares = ", ".join(
            f"{doing} {count / total:.0%}" for doing, count in self.active.most_common(5)
        )
        return f"{total / max(self.looks, 1):.1f} active: {shares}"


@contextmanager
def watched(url: str) -> Iterator[Seen]:
    """Look until the context ends."""
    seen, ended = Seen(), threading.Event()

    def look() -> None:
        with psycopg.connect(url, autocommit=True) as conn:
            while not ended.wait(LOOK_EVERY_S):
                seen.add(conn.execute(LOOK).fetchall())
            seen.cpu_s = proc.cpu_s([conn.info.backend_pid])

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()
