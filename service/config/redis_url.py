"""What a REDIS_URL says, as redis-py reads it; nothing here connects."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

REDIS_PARAMETER = (  # without those that redis-py reads when it connects: its errors quote them
    r"(?:db|protocol|socket_timeout|socket_connect_timeout|health_check_interval)=[0-9.]+"
    r"|(?:username|password|ssl_ca_certs|ssl_ca_path|ssl_certfile|ssl_keyfile|ssl_password)=.*"
    r"|ssl_cert_reqs=(?:none|optional|required)|ssl_check_hostname=(?:[Tt]rue|[Ff]alse)"
)
DATABASE = re.compile(r"/*|/+[0-9]+/?")  # redis-py takes anything else for 0, and 1/2 for 12
SENTINEL_PARAMETER = REDIS_PARAMETER + r"|(?:sentinel_username|sentinel_password)=.*"
SENTINEL_URL = re.compile(
    r"(?P<scheme>rediss?)\+sentinel://(?P<user>.*@)?(?P<hosts>[^/?#@]+)"
    r"/(?P<name>[A-Za-z0-9._-]+)(?:\?(?P<query>[^#]*))?"
)
SENTINEL_HOST = re.compile(r"(?:\[([^]]+)\]|([^:]+))(?::([0-9]+))?")
SENTINEL_PORT = 26379
NO_PRIMARY = "no sentinel that answers us knows a primary of that name"
ASKED_MAX_S = 1.0  # a sentinel that does not answer costs this, then the next is asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentinels:
    """Who says where the primary is, and redis-py's options for both."""

    hosts: tuple[tuple[str, int], ...]
    name: str
    asking: dict[str, Any]
    primary: dict[str, Any]


def is_redis_url(url: str) -> bool:
    """Return whether redis-py reads in a URL what it says, and each parameter is one we know."""
    if "+sentinel://" not in url:
        parts = urlsplit(url)
        is_named = parts.scheme == "unix" or DATABASE.fullmatch(unquote(parts.path))
        return bool(is_named) and is_known(parts.query, REDIS_PARAMETER) and is_readable(url)
    match = SENTINEL_URL.fullmatch(url)
    return (
        match is not None
        and all(map(SENTINEL_HOST.fullmatch, match["hosts"].split(",")))
        and is_known(match["query"] or "", SENTINEL_PARAMETER)
        and is_readable(primary_url(match))
    )


def is_known(query: str, parameter: str) -> bool:
    """Return whether each parameter is one of these."""
    return all(re.fullmatch(parameter, part) for part in query.split("&") if part)


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


def pool_of(url: str, options: dict[str, Any], *, plain: Any, primary: Any, manager: Any) -> Any:
    """Make a pool for a REDIS_URL. `options` count for more than what the URL says.

    The classes are redis-py's, for threads or for asyncio: `plain` pools, pools to the `primary`
    that sentinels name, and the `manager` of these sentinels, which get the `retry` of `options`.
    """
    asked = sentinels(url)
    if asked is None:
        pool = plain.from_url(url, **options)
        pool.connection_kwargs |= options  # redis-py lets the URL win
        return pool
    asking = asked.asking | {"retry": options["retry"]}
    return primary(
        service_name=asked.name,
        sentinel_manager=manager(asked.hosts, sentinel_kwargs=asking),
        **(asked.primary | options),
    )


def sentinels(url: str) -> Sentinels | None:
    """Read `redis+sentinel://user:password@host:26379,host:26379/name?db=0`; None: another URL.

    User and password are the primary's; sentinels have their own in sentinel_username and
    sentinel_password. rediss+sentinel:// speaks TLS to all of them.
    """
    match = SENTINEL_URL.fullmatch(url)
    if match is None:
        return None
    from redis.connection import parse_url  # noqa: PLC0415 - as above

    primary: dict[str, Any] = parse_url(primary_url(match))  # type: ignore[no-untyped-call]
    for key in ("host", "connection_class"):
        primary.pop(key, None)
    primary["ssl"] = match["scheme"] == "rediss"
    own = parse_qs(match["query"] or "")
    return Sentinels(
        hosts=tuple(map(host_and_port, match["hosts"].split(","))),
        name=match["name"],
        asking={
            "username": own.get("sentinel_username", [None])[0],
            "password": own.get("sentinel_password", [None])[0],
            "socket_timeout": ASKED_MAX_S,
            "socket_connect_timeout": ASKED_MAX_S,
            **{key: value for key, value in primary.items() if key.startswith("ssl")},
        },
        primary=primary,
    )


def primary_url(match: re.Match[str]) -> str:
    """Write the primary's URL, with a name in the place of the host that sentinels know."""
    parameters = (match["query"] or "").split("&")
    query = "&".join(part for part in parameters if not part.startswith("sentinel_"))
    return f"{match['scheme']}://{match['user'] or ''}primary?{query}"


def host_and_port(text: str) -> tuple[str, int]:
    """Take `host:port`, `host` or `[address]:port` apart."""
    match = SENTINEL_HOST.fullmatch(text)
    assert match is not None, "is_redis_url() has seen it"
    return match[1] or match[2], int(match[3] or SENTINEL_PORT)
