"""How many files and sockets this process may have open at once, and who gets how many.

One budget, because `notify up` has all of them in one process: whoever is full turns newcomers away
by itself, and takes nothing from the others.
"""

from loguru import logger

try:
    import resource
except ModuleNotFoundError:  # not on Windows
    resource = None  # type: ignore[assignment]

UNKNOWN = 1024
RESERVE = 64  # PostgreSQL, Redis, files, the metrics port
SHARES = {"api": 5, "worker": 6, "inbox_http": 3, "inbox_smtp": 2}
UNLIMITED = 65_536  # what is called unlimited: more would be of no use here


def descriptors_max() -> int:
    """Raise the soft limit to the hard one, and say what it is now."""
    if resource is None:
        return UNKNOWN
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = UNLIMITED if hard == resource.RLIM_INFINITY else min(hard, UNLIMITED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def share(of: str, most: int) -> int:
    """Say how many descriptors a part of the process may have: its share, and no more than `most`.

    A limit below 300 leaves less than works well, but never nothing.
    """
    return max(8, min(most, (descriptors_max() - RESERVE) * SHARES[of] // sum(SHARES.values())))


def connections_max(wanted: int | None) -> int:
    """Say how many connections the API may have; `wanted` None: as many as it can.

    At most 2048 if nobody asks for more, because each may make us hold a body.
    """
    found = share("api", wanted or 2048)
    if wanted is not None and found < wanted:
        hint = "raise the limit of open files (ulimit -n)"
        logger.warning("fewer_connections", connections_max=found, wanted=wanted, hint=hint)
    return found
