"""PostgreSQL & Redis: what the ledger and the ready set live on."""

from ops.dashboards.board import Board
from ops.dashboards.postgres_redis import connections, jobs, postgres, redis

BOARD = Board(
    uid="notify-postgres-redis",
    title="notify: PostgreSQL & Redis",
    about="What the ledger and the ready set live on: what holds them back, and who.",
    rows=[postgres.ROW, connections.ROW, redis.ROW, jobs.ROW],
    since="now-12h",
)
