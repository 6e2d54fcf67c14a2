"""Faults of PostgreSQL, and of the way to it."""

from collections.abc import Iterator
from contextlib import suppress
from random import Random

import psycopg

from load.chaos.faults.frozen import frozen, unreachable
from load.chaos.stand import Stand

LISTENING = "listen notify_wake"
CONNECTIONS_MAX = 200
# A full disk as SQL sees it, where no volume can be mounted: every write is refused.
DISK_FULL = """
create or replace function public.disk_full() returns trigger language plpgsql as $$
begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end
$$;
create or replace trigger disk_full before insert or update on notify.notifications
for each row execute function public.disk_full();
"""


def kill_postgres(stand: Stand, random: Random) -> Iterator[float]:
    """SIGKILL the postmaster."""
    stand.servers.kill_postgres()
    yield random.uniform(0.5, 4)
    stand.servers.start_postgres()


def restart_postgres(stand: Stand, random: Random) -> Iterator[float]:
    """Restart PostgreSQL fast."""
    stand.servers.postgres.stop()
    yield random.uniform(0.1, 2)
    stand.servers.start_postgres()


def failover(stand: Stand, random: Random) -> Iterator[float]:
    """The primary is killed, and its synchronous replica is promoted: once in a run."""
    if stand.servers.replica and not stand.servers.promoted:
        stand.servers.promote_replica()
    yield random.uniform(0, 1)


def terminate_backends(stand: Stand, random: Random) -> Iterator[float]:
    """Terminate the service's backends, some at a time."""
    for _ in range(3):
        stand.servers.sql(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name like 'notify-%%' and random() < %s",
            random.uniform(0.3, 1),
        )
        yield random.uniform(0.2, 1)


def exhaust_connections(stand: Stand, random: Random) -> Iterator[float]:
    """Take every connection there is, and the service's own from it."""
    taken: list[psycopg.Connection[object]] = []
    stand.servers.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'notify_app'"
    )
    with suppress(psycopg.OperationalError):
        while len(taken) < CONNECTIONS_MAX:
            taken.append(psycopg.connect(stand.servers.database_url))
    yield random.uniform(3, 6)
    for conn in taken:
        conn.close()


def disk_full(stand: Stand, random: Random) -> Iterator[float]:
    """Fill the volume that the tables are on; without one, refuse every write as it would."""
    volume = stand.servers.volume
    if volume:
        volume.fill()
        yield random.uniform(3, 6)
        volume.empty()
        return
    stand.servers.sql(DISK_FULL)
    yield random.uniform(3, 6)
    stand.servers.sql("drop function public.disk_full() cascade")


def read_only(stand: Stand, random: Random) -> Iterator[float]:
    """Refuse every write with 25006, as a replica does that is taken for the primary."""
    stand.servers.sql("alter system set default_transaction_read_only = on")
    stand.servers.sql("select pg_reload_conf()")
    yield random.uniform(3, 6)
    stand.servers.sql("alter system reset default_transaction_read_only")
    stand.servers.sql("select pg_reload_conf()")


def freeze_postgres(stand: Stand, random: Random) -> Iterator[float]:
    """PostgreSQL accepts connections, and not a byte moves."""
    yield from frozen(stand.postgres_link.ask, random)


def unreachable_postgres(stand: Stand, random: Random) -> Iterator[float]:
    """No packet comes through to PostgreSQL."""
    yield from unreachable(stand.postgres_link.ask, random)


def half_open_listener(stand: Stand, random: Random) -> Iterator[float]:
    """The listening session is gone, and its client hears no FIN."""
    stand.postgres_link.ask(f"half_open {LISTENING}")
    yield random.uniform(1, 2)


def half_open_postgres(stand: Stand, random: Random) -> Iterator[float]:
    """Every session is gone, and no client hears a FIN; new connections are fine."""
    stand.postgres_link.ask("half_open")
    yield random.uniform(1, 2)
