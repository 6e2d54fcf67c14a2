"""The popping side's connection to Redis, which may take long to be made."""

import threading
from queue import Empty, SimpleQueue
from typing import Any

import redis
from redis.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool

from service.config.redis_url import NO_PRIMARY, pool_of

CONNECT_WAIT_S = 0.25  # a connection that takes longer is made while the claimer goes on


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
    pool: PoolBeside = pool_of(
        url, options, plain=PoolBeside, primary=SentinelPoolBeside, manager=Asked
    )
    return pool


def is_quiet(connection: Any) -> bool:
    """Return whether nothing waits to be read: no answer, and no end of the connection."""
    try:
        return not connection.can_read()
    except (redis.RedisError, OSError):
        return False
