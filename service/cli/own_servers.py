"""The servers that `notify up` and `notify services` bring along."""

from contextlib import ExitStack
from dataclasses import replace

from loguru import logger

from service.cli.settings import for_own_database, state_directory
from service.config.settings import Settings
from service.embedded.servers import EmbeddedServers
from service.process.watched import Look


def with_servers(settings: Settings, stack: ExitStack) -> tuple[Settings, EmbeddedServers | None]:
    """Start the servers that no URL names; the stack stops them. None: URLs name both."""
    if settings.database_url and settings.redis_url:
        return settings, None
    if settings.database_url is None:
        settings = for_own_database(settings)
    servers = EmbeddedServers(
        state_directory(settings),
        postgres=settings.database_url is None,
        valkey=settings.redis_url is None,
    )
    stack.callback(servers.stop)
    urls = servers.start()
    return replace(
        settings,
        database_url=settings.database_url or urls.database_url,
        redis_url=settings.redis_url or urls.redis_url,
        webhook_secret=settings.webhook_secret or (servers.state.webhook_secret,),
    ), servers


def server_looks(servers: EmbeddedServers | None) -> tuple[Look, ...]:
    """Watch the embedded servers: we end with PostgreSQL; without Valkey we are only slower."""
    if servers is None:
        return ()
    is_logged = False

    def redis_missed() -> None:
        nonlocal is_logged
        if not is_logged and (reason := servers.redis_dead()):
            logger.error("slower_without_redis", reason=reason, hint="start it again")
            is_logged = True

    return servers.database_dead, redis_missed
