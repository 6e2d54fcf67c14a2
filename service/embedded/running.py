"""The file in a state directory that says where its `notify up` serves, as long as it runs.

Other commands read it. They ignore a file that a killed `notify up` left, or that was copied with
its directory: the process named in it does not hold this directory's lock.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from service.embedded.lock import holder

NAME = "running.json"
LOCK = "lock"


@contextmanager
def written_down(
    directory: Path, api: str, smtp_url: str | None, *, is_sandbox: bool = False
) -> Iterator[None]:
    """Keep the file while the context lasts. `smtp_url` None: mail does not go to the inbox.

    The URL of another mail server is never written: it may hold a password.
    """
    file = directory / NAME
    draft = file.with_suffix(".new")
    where = {"pid": os.getpid(), "api": api, "smtp_url": smtp_url, "is_sandbox": is_sandbox}
    draft.write_text(json.dumps(where))
    draft.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def running_up(directory: Path) -> dict[str, Any]:
    """Read where `api` and `smtp_url` are; {} if none runs, or if we may not read it."""
    try:
        written: dict[str, Any] = json.loads((directory / NAME).read_text())
        return written if str(written["pid"]) == holder(directory / LOCK) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def is_in_use(directory: Path) -> bool:
    """Return whether a process has a state directory open."""
    try:
        return holder(directory / LOCK) is not None
    except OSError:
        return False
