"""How every process of ours connects to PostgreSQL: one place for timeouts, keepalives and names."""

from psycopg.conninfo import make_conninfo

# A host that vanishes without a FIN would hold its session locks for two hours with the kernel's
# defaults; both ends look every 20 s instead.
SERVER_OPTIONS = (
    "-c tcp_keepalives_idle=20 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
    " -c tcp_user_timeout=15000"
)


def conninfo(url: str, role: str, *, statement_timeout_s: float | None = None) -> str:
    """Complete a DATABASE_URL.

    `role` becomes the application_name (at most 16 characters, as pg_activity shows no more):
    notify-api, notify-disp, notify-work, notify-maint. What the URL itself says wins.
    """
    options = SERVER_OPTIONS
    if statement_timeout_s is not None:
        options += f" -c statement_timeout={int(statement_timeout_s * 1000)}"
    defaults = {
        "application_name": role,
        "connect_timeout": "5",
        "keepalives_idle": "20",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "tcp_user_timeout": "15000",
        "options": options,
    }
    given = {k for k in defaults if f"{k}=" in url}
    return make_conninfo(url, **{k: v for k, v in defaults.items() if k not in given})
