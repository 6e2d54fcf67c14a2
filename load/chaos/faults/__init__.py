"""The faults. Each is a generator: it begins, yields for how many seconds it lasts, and ends."""

from collections.abc import Callable, Iterator
from random import Random

from load.chaos.faults import postgres, ready_set, roles
from load.chaos.faults.provider import MOODS, moody
from load.chaos.stand import Stand

Fault = Callable[[Stand, Random], Iterator[float]]

FAULTS: dict[str, Fault] = {
    "kill_worker": roles.kill_worker,
    "kill_dispatcher": roles.kill_dispatcher,
    "kill_api": roles.kill_api,
    "kill_everything": roles.kill_everything,
    "deploy_worker": roles.deploy_worker,
    "deploy_worker_blind": roles.deploy_worker_blind,
    "pause_worker": roles.pause_worker,
    "pause_dispatcher": roles.pause_dispatcher,
    "kill_postgres": postgres.kill_postgres,
    "restart_postgres": postgres.restart_postgres,
    "terminate_backends": postgres.terminate_backends,
    "exhaust_connections": postgres.exhaust_connections,
    "disk_full": postgres.disk_full,
    "read_only": postgres.read_only,
    "freeze_postgres": postgres.freeze_postgres,
    "unreachable_postgres": postgres.unreachable_postgres,
    "half_open_listener": postgres.half_open_listener,
    "half_open_postgres": postgres.half_open_postgres,
    "kill_redis": ready_set.kill_redis,
    "flush_redis": ready_set.flush_redis,
    "pause_redis": ready_set.pause_redis,
    "fill_redis": ready_set.fill_redis,
    "freeze_redis": ready_set.freeze_redis,
    "unreachable_redis": ready_set.unreachable_redis,
}
# Played by name only: it needs a stand with a replica, and there is but one.
FAILOVER = {"failover": postgres.failover}
FAULTS |= {f"provider_{mood}": moody(mood) for mood in MOODS}

# While one of these lasts, a worker may be kept from settling what it has sent. When its lease
# passes then, it is sent again. (A killed or paused worker is known by its process id.)
# Seconds: for how long after its end; a session without a FIN is missed only when it is used.
CUTS = {
    "deploy_worker_blind": 0.0,
    "kill_everything": 0.0,
    "kill_postgres": 0.0,
    "restart_postgres": 0.0,
    "failover": 0.0,
    "terminate_backends": 0.0,
    "exhaust_connections": 0.0,
    "disk_full": 0.0,
    "read_only": 0.0,
    "freeze_postgres": 0.0,
    "unreachable_postgres": 0.0,
    "half_open_postgres": 20.0,
}
