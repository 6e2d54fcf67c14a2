"""Faults of the service's own processes."""

from collections.abc import Iterator
from random import Random

from load.chaos.processes import Role
from load.chaos.stand import GRACE_S, LEASE_S, Stand

STOP_MAX_S = GRACE_S + 10


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


def deploy_worker_blind(stand: Stand, random: Random) -> Iterator[float]:
    """SIGTERM a worker while PostgreSQL takes connections and moves no byte."""
    stand.postgres_link.ask("freeze")
    yield random.uniform(1, 2)
    worker = random.choice(stand.workers)
    stand.stops.append(worker.terminate(STOP_MAX_S))
    stand.postgres_link.ask("thaw")
    worker.start()


def pause_worker(stand: Stand, random: Random) -> Iterator[float]:
    """SIGSTOP a worker beyond its lease."""
    yield from paused(random.choice(stand.workers), random)


def pause_dispatcher(stand: Stand, random: Random) -> Iterator[float]:
    """SIGSTOP a dispatcher, the leader or the standby."""
    yield from paused(random.choice(stand.dispatchers), random)


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
