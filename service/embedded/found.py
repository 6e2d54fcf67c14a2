"""Where the `notify up` of a state directory serves, for commands that look for it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.embedded.state import is_running

FILE = "up.json"


@contextmanager
def findable(directory: Path, url: str, pid: int) -> Iterator[None]:
    """Let others find the API of this process while the context lasts."""
    file = directory / FILE
    file.write_text(json.dumps({"url": url, "pid": pid}))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def running_up(directory: Path) -> tuple[str, int] | None:
    """Give the URL and the pid of the `notify up` that runs on a directory; None: none is seen."""
    try:
        found = json.loads((directory / FILE).read_text())
        url, pid = str(found["url"]), int(found["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (url, pid) if is_running(str(pid)) else None
