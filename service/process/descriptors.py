"""How many files and sockets this process may have open at once, and who gets how many.

They share one budget, because `notify up` runs all of them in one process: a part that has used up
its share turns newcomers away, and takes nothing from the others.
"""

from loguru import logger

try:
    import resource
except ModuleNotFoundError:  # not on Windows
    resource = None  # type: ignore[assignment]

UNKNOWN = 1024
RESERVE = 64  # PostgreSQL, Redis, files, the metrics port
SHARES = {"api": 5, "worker": 6, "inbox_http": 3, "inbox_smtp": 2}
UNLIMITED = 65_536  # used where the limit is "unlimited": more would be of no use here


def descriptors_max() -> int:
    """Raise the soft limit to the hard one, and return what it is now."""
    if resource is None:
        return UNKNOWN
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = UNLIMITED if hard == resource.RLIM_INFINITY else min(hard, UNLIMITED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def share(part: str, most: int) -> int:
    """Return how many descriptors a part of the process may have: its share, but at most `most`.

    With a limit below 300 files a share may be too small to work well; it is at least 8.
    """
    return max(8, min(most, (descriptors_max() - RESERVE) * SHARES[part] // sum(SHARES.values())))


def connections_max(wanted: int | None) -> int:
    """Return how many connections the API may have; `wanted` None: its share, but at most 2048.

    More must be asked for, because each connection may make us hold a body in memory.
    """
    allowed = share("api", wanted or 2048)
    if wanted is not None and allowed < wanted:
        hint = "raise the limit of open files (ulimit -n)"
        logger.warning("fewer_connections", connections_max=allowed, wanted=wanted, hint=hint)
    return allowed
