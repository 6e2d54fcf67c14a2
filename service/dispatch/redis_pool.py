"""The offering side's connections to Redis."""

from typing import Any

from redis.asyncio import ConnectionPool
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool
from redis.connection import HiredisRespSerializer

from service.config.redis_url import NO_PRIMARY, pool_of


def packed_pool(url: str, **options: Any) -> ConnectionPool:
    """Make the pool for a REDIS_URL. `options` count for more than what the URL says."""
    pool: ConnectionPool = pool_of(
        url, options, plain=ConnectionPool, primary=SentinelPool, manager=Asked
    )
    pool.connection_class = type("PackedByHiredis", (PackedByHiredis, pool.connection_class), {})
    return pool


class PackedByHiredis:
    """A connection whose commands hiredis packs, as redis-py does only without asyncio.

    A refill of 5,000 ids holds the event loop up, and urgent ids with it.
    """

    _packing = HiredisRespSerializer()

    def pack_command(self, *args: Any) -> list[bytes]:
        """Pack a command and its arguments."""
        packed: list[bytes] = self._packing.pack(*args)
        return packed


class Asked(Sentinel):
    """Sentinels, whose error does not list all there is to their connections."""

    async def discover_master(self, service_name: str) -> Any:
        try:
            return await super().discover_master(service_name)
        except MasterNotFoundError:
            raise MasterNotFoundError(NO_PRIMARY) from None


class SentinelPool(SentinelConnectionPool):
    """A connection to the primary that sentinels name whenever it connects."""

    async def aclose(self) -> None:
        await super().aclose()
        await self.sentinel_manager.aclose()
