"""What a REDIS_URL says, as redis-py reads it; nothing here connects."""

import re
from typing import Any
from urllib.parse import urlsplit

REDIS_PARAMETER = (  # without those that redis-py reads when it connects: its errors quote them
    r"(?:db|protocol|socket_timeout|socket_connect_timeout|health_check_interval)=[0-9.]+"
    r"|(?:username|password|ssl_ca_certs|ssl_ca_path|ssl_certfile|ssl_keyfile|ssl_password)=.*"
    r"|ssl_cert_reqs=(?:none|optional|required)|ssl_check_hostname=(?:[Tt]rue|[Ff]alse)"
)


def is_redis_url(url: str) -> bool:
    """Return whether redis-py can read a URL, and whether each parameter is one that we know."""
    query = urlsplit(url).query
    known = all(re.fullmatch(REDIS_PARAMETER, part) for part in query.split("&") if part)
    return known and is_readable(url)


def is_readable(url: str) -> bool:
    """Return whether redis-py can read a URL and each parameter. Its own errors quote the URL.

    It checks most parameters only when it makes a connection: this makes one, and never opens it.
    """
    from redis.asyncio import Redis  # noqa: PLC0415 - 100 ms, which most commands can do without
    from redis.exceptions import RedisError  # noqa: PLC0415

    try:
        pool: Any = Redis.from_url(url).connection_pool
        pool.make_connection()
    except (ValueError, TypeError, RedisError):
        return False
    return True
