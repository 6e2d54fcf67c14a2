"""The name under which pip knows us, and the version that is installed.

The name "notification-service" belongs to somebody else on PyPI, so no hint of ours may use it.
"""

from importlib.metadata import PackageNotFoundError, version

DISTRIBUTION = "postgres-notification-service"


def installed_version() -> str:
    """Return the version; sources that were never installed have none."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "0+unknown"


def install(extra: str) -> str:
    """Say how to install an optional part: from a clone, because no package index has us."""
    return f"in the clone of this repository, pip install -e '.[{extra}]'"
