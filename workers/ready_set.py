"""The workers' end of the ready set: pop.

A sorted set per priority; a member is the 16 bytes of an id, its score the due_at as epoch ms. The
dispatcher offers, in service/dispatch/ready_set.py. Whatever else somebody puts there is dropped.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool

from service import redis_answers
from service.config.redis_url import NO_PRIMARY, sentinels
from service.keys import Keys
from service.redis_answers import NotOfRedis, translated

FAIR_EVERY = 8  # each 8th pop begins at the bulk lane, so that nothing starves
BLOCK_MAX_S = 1.0
CONNECT_WAIT_S = 0.25  # a connection that takes longer is made while the claimer goes on

T = TypeVar("T")


class ReadySet:
    """One connection of one thread."""

    def __init__(self, url: str) -> None:
        # No retries: a pop that is sent again, because its answer was lost, loses a second batch.
        self._pool = pool_beside(
            url,
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=1.0,
            socket_timeout=BLOCK_MAX_S + 1,
            client_name="notify-work",
            protocol=2,  # or redis-py would spell each score of BZMPOP anew
        )
        self._redis = redis.Redis(connection_pool=self._pool)
        self._lanes: list[str] = []  # keys, urgent first; `use` names them
        self._leader = ""  # key
        self._pops = 0
        self.dropped = 0  # members of the last pop that are no ids of ours
        self.is_urgent = False  # whether the last pop was of the first lane

    def use(self, ledger: str) -> None:
        """Take from the ready set of this ledger from now on."""
        keys = Keys(ledger)
        self._lanes, self._leader = list(keys.lanes.values()), keys.leader

    def pop(self, limit: int, block_s: float) -> list[str]:
        """Take up to `limit` ids of one lane, waiting `block_s` for the first. Raises RedisAway."""
        self._pops += 1
        self.dropped, self.is_urgent = 0, False
        keys = self._lanes if self._pops % FAIR_EVERY else self._lanes[::-1]
        wait_s = min(block_s, BLOCK_MAX_S)
        key, members = self._ask(
            lambda: self._redis.bzmpop(wait_s, len(keys), keys, min=True, count=limit),
            redis_answers.popped,
        )
        self.is_urgent = key == self._lanes[0].encode()
        ids = [member.hex() for member in members if is_id(member)]
        self.dropped = len(members) - len(ids)
        return ids

    def is_offered_to(self) -> bool:
        """Return whether a dispatcher has offered here in the last minute. Raises RedisAway."""
        return self._ask(lambda: self._redis.zcard(self._leader), redis_answers.count) > 0

    def close(self) -> None:
        """Close the connection."""
        with suppress(redis.RedisError, OSError):
            self._pool.disconnect()

    def _ask(self, ask: Callable[[], Any], read: Callable[[Any], T]) -> T:
        """Ask redis-py, and read the answer."""
        try:
            with translated():
                answer = ask()
            return read(answer)
        except NotOfRedis:
            self.close()  # the next command opens it anew
            raise


class PoolBeside(redis.ConnectionPool):
    """One connection, made in another thread: a name's look-up can take a minute.

    Threads: the one that connects runs _make, and only puts into its queue; all else is the
    claimer's.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._idle: Any = None
        self._making: SimpleQueue[Any] | None = None

    def get_connection(self, *_: Any, **__: Any) -> Any:
        """Lend the connection. Raises ConnectionError while it is being made."""
        lent, self._idle = self._idle, None
        if lent is not None and not is_quiet(lent):
            self._release_broken(lent)
            lent = None
        return self._made() if lent is None else lent

    def release(self, connection: Any) -> None:
        if connection.is_connected:
            self._idle = connection
        else:
            self._release_broken(connection)

    def disconnect(self, *args: Any, **kwargs: Any) -> None:
        idle, self._idle = self._idle, None  # or it would be lent, and connect in this thread
        if idle is not None:
            self._release_broken(idle)
        super().disconnect(*args, **kwargs)

    def _release_broken(self, connection: Any) -> None:
        """Take a connection back to be made anew when it is needed."""
        connection.disconnect()
        super().release(connection)

    def _made(self) -> Any:
        """Return the connection, made beside this thread, if it is ready after a short wait."""
        wait_s = CONNECT_WAIT_S if self._making is None else 0.001
        making = self._making = self._making or self._begin()
        try:
            made = making.get(timeout=wait_s)
        except Empty:
            raise redis.ConnectionError("connecting takes long") from None
        self._making = None
        if isinstance(made, Exception):
            raise made
        return made

    def _begin(self) -> SimpleQueue[Any]:
        """Start the thread that makes the connection."""
        making: SimpleQueue[Any] = SimpleQueue()
        try:
            threading.Thread(target=self._make, args=[making], daemon=True).start()
        except RuntimeError as error:  # the system has no thread to give
            raise redis.ConnectionError(str(error)) from error
        return making

    def _make(self, making: SimpleQueue[Any]) -> None:
        """Connect."""
        try:
            making.put(super().get_connection())
        except Exception as error:  # the thread that waits for the connection raises it
            making.put(error)


class Asked(Sentinel):
    """Sentinels, whose error does not list all there is to their connections."""

    def discover_master(self, service_name: str) -> Any:
        try:
            return super().discover_master(service_name)  # type: ignore[no-untyped-call]
        except MasterNotFoundError:
            raise MasterNotFoundError(NO_PRIMARY) from None


class SentinelPoolBeside(PoolBeside, SentinelConnectionPool):
    """The same to the primary that sentinels name whenever it connects."""

    def disconnect(self, *args: Any, **kwargs: Any) -> None:
        super().disconnect(*args, **kwargs)
        self.sentinel_manager.close()


def pool_beside(url: str, **options: Any) -> PoolBeside:
    """Make the pool for a REDIS_URL. `options` count for more than what the URL says."""
    asked = sentinels(url)
    if asked is None:
        pool = PoolBeside.from_url(url, **options)
        pool.connection_kwargs |= options  # redis-py lets the URL win
        return pool
    manager: Any = Asked  # redis-py has no types for it
    asking = asked.asking | {"retry": Retry(NoBackoff(), 0)}  # the next one is asked instead
    return SentinelPoolBeside(
        service_name=asked.name,
        sentinel_manager=manager(asked.hosts, sentinel_kwargs=asking),
        **(asked.primary | options),
    )


def is_quiet(connection: Any) -> bool:
    """Return whether nothing waits to be read: no answer, and no end of the connection."""
    try:
        return not connection.can_read()
    except (redis.RedisError, OSError):
        return False


def is_id(member: bytes) -> bool:
    """Return whether a member can be an id: the 16 bytes of a UUID of version 7."""
    return len(member) == 16 and member[6] >> 4 == 7
