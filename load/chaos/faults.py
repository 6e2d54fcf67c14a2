"""The faults. Each is a generator: it begins, yields for how many seconds it lasts, and ends.

`CUTS` are those in which a worker may lose what it has sent and not settled, or be kept from
settling it: notifications that were claimed then may arrive again.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random

import psycopg
import redis

from load.chaos.processes import Role
from load.chaos.stand import GRACE_S, LEASE_S, Stand

Fault = Callable[[Stand, Random], Iterator[float]]
LISTENING = "listen notify_wake"
STOP_MAX_S = GRACE_S + 10
CONNECTIONS_MAX = 200
# A full disk as SQL sees it: every write is refused. It needs no mount.
DISK_FULL = """
create or replace function public.disk_full() returns trigger language plpgsql as $$
begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end
$$;
create or replace trigger disk_full before insert or update on notify.notifications
for each row execute function public.disk_full();
"""


def kill_worker(stand: Stand, random: Random) -> Iterator[float]:
    """SIGKILL a worker."""
    yield from killed(random.choice(stand.workers), random)


def kill_dispatcher(stand: Stand, random: Random) -> Iterator[float]:
    """SIGKILL a dispatcher, the leader or the standby."""
    yield from killed(random.choice(stand.dispatchers), random)


def kill_api(stand: Stand, random: Random) -> Iterator[float]:
    """SIGKILL an API."""
    yield from killed(random.choice(stand.apis), random)


def kill_everything(stand: Stand, random: Random) -> Iterator[float]:
    """SIGKILL every role, PostgreSQL and Redis at once."""
    for role in stand.roles:
        role.kill()
    stand.servers.kill_redis()
    stand.servers.kill_postgres()
    yield random.uniform(0.5, 2)
    stand.servers.start_redis()
    stand.servers.start_postgres()
    for role in stand.roles:
        role.start()


def deploy_worker(stand: Stand, random: Random) -> Iterator[float]:
    """SIGTERM a worker, and start its successor when it has ended."""
    worker = random.choice(stand.workers)
    stand.stops.append(worker.terminate(STOP_MAX_S))
    yield 0.1
    worker.start()


def pause_worker(stand: Stand, random: Random) -> Iterator[float]:
    """SIGSTOP a worker beyond its lease."""
    yield from paused(random.choice(stand.workers), random)


def pause_dispatcher(stand: Stand, random: Random) -> Iterator[float]:
    """SIGSTOP a dispatcher, the leader or the standby."""
    yield from paused(random.choice(stand.dispatchers), random)


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
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'notify'"
    )
    with suppress(psycopg.OperationalError):
        while len(taken) < CONNECTIONS_MAX:
            taken.append(psycopg.connect(stand.servers.database_url))
    yield random.uniform(3, 6)
    for conn in taken:
        conn.close()


def disk_full(stand: Stand, random: Random) -> Iterator[float]:
    """Refuse every write with 53100, as a full disk does."""
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
    yield from frozen(stand.postgres_link.tell, random)


def half_open_listener(stand: Stand, random: Random) -> Iterator[float]:
    """The listening session is gone, and its client hears no FIN."""
    stand.postgres_link.tell(f"half_open {LISTENING}")
    yield random.uniform(1, 2)


def half_open_postgres(stand: Stand, random: Random) -> Iterator[float]:
    """Every session is gone, and no client hears a FIN; new connections are fine."""
    stand.postgres_link.tell("half_open")
    yield random.uniform(1, 2)


def kill_redis(stand: Stand, random: Random) -> Iterator[float]:
    """SIGKILL Redis; it comes back empty."""
    stand.servers.kill_redis()
    yield random.uniform(0.5, 6)
    stand.servers.start_redis()


def flush_redis(stand: Stand, random: Random) -> Iterator[float]:
    """FLUSHALL, a few times."""
    for _ in range(3):
        with stand.servers.redis() as client:
            client.flushall()
        yield random.uniform(0.1, 1)


def pause_redis(stand: Stand, random: Random) -> Iterator[float]:
    """CLIENT PAUSE: connections stay, and nobody is answered."""
    pause_s = random.uniform(3, 6)
    with stand.servers.redis() as client:
        client.client_pause(int(pause_s * 1000))
    yield pause_s


def fill_redis(stand: Stand, random: Random) -> Iterator[float]:
    """Redis has no memory left for a write."""
    with stand.servers.redis() as client:
        before = client.config_get("maxmemory")["maxmemory"]
        client.config_set("maxmemory", "1")
    yield random.uniform(3, 6)
    with suppress(redis.RedisError), stand.servers.redis() as client:
        client.config_set("maxmemory", before)


def freeze_redis(stand: Stand, random: Random) -> Iterator[float]:
    """Redis accepts connections, and not a byte moves."""
    yield from frozen(stand.redis_link.tell, random)


def moody(mood: str) -> Fault:
    """Make the fault of a provider in this mood."""

    def provider(stand: Stand, random: Random) -> Iterator[float]:
        stand.sink.tell(f"mood {mood}")
        yield random.uniform(2, 5)
        stand.sink.tell("mood fine")

    return provider


def killed(role: Role, random: Random) -> Iterator[float]:
    """Kill a role, and start it again after a moment."""
    role.kill()
    yield random.uniform(0.2, 2)
    role.start()


def paused(role: Role, random: Random) -> Iterator[float]:
    """Stop a role for longer than a lease and a run of the reaper."""
    role.pause()
    yield LEASE_S + random.uniform(1, 4)
    role.resume()


def frozen(tell: Callable[[str], str], random: Random) -> Iterator[float]:
    """Freeze a link."""
    tell("freeze")
    yield random.uniform(4, 8)
    tell("thaw")


FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        kill_worker,
        kill_dispatcher,
        kill_api,
        kill_everything,
        deploy_worker,
        pause_worker,
        pause_dispatcher,
        kill_postgres,
        restart_postgres,
        terminate_backends,
        exhaust_connections,
        disk_full,
        read_only,
        freeze_postgres,
        half_open_listener,
        half_open_postgres,
        kill_redis,
        flush_redis,
        pause_redis,
        fill_redis,
        freeze_redis,
    )
}
FAULTS |= {
    f"provider_{mood}": moody(mood)
    for mood in ("hangs", "drips", "garbage", "resets", "fails", "down")
}
WORKERS = ("kill_worker", "pause_worker")
CUTS = (
    *WORKERS,
    "kill_everything",
    "kill_postgres",
    "restart_postgres",
    "terminate_backends",
    "exhaust_connections",
    "disk_full",
    "read_only",
    "freeze_postgres",
    "half_open_postgres",
)
