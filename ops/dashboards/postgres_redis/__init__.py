"""PostgreSQL & Redis: what the ledger and the ready set live on."""

from ops.dashboards.postgres_redis.postgres import BOARD

__all__ = ["BOARD"]
