"""How many files and sockets this process may have open at once."""

try:
    import resource
except ModuleNotFoundError:  # not on Windows
    resource = None  # type: ignore[assignment]

UNKNOWN = 1024
RESERVE = 64
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


def connections_max() -> int:
    """Say how many connections a server of this process may have.

    Half of the descriptors: the rest is for PostgreSQL, Redis, files, and the worker that may run
    in the same process. At most 2048, because each may make us hold a body.
    """
    return max(16, min(2048, (descriptors_max() - RESERVE) // 2))
