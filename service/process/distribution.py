"""The name under which pip knows us, and the version that is installed.

The plain name "notification-service" is somebody else's on PyPI, so no hint of ours may say it.
"""

from importlib.metadata import PackageNotFoundError, version

DISTRIBUTION = "postgres-notification-service"


def installed_version() -> str:
    """Return the version; a copy of the sources that was never installed has none."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "0+unknown"


def install(extra: str) -> str:
    """Say how an optional part is installed. From a clone: no index has us under any name."""
    return f"in the clone of this repository, pip install -e '.[{extra}]'"
