"""Where a `notify up` serves: written down in its state directory as long as it runs.

For commands beside it. A file that a killed one left counts for nothing: its process is gone.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from service.embedded.lock import is_running

NAME = "running.json"


@contextmanager
def written_down(directory: Path, api: str, smtp_url: str | None) -> Iterator[None]:
    """Keep the file while the context lasts, with the inbox that mail goes to, if it does.

    No URL of a server outside is written: a password may be in it.
    """
    file = directory / NAME
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps({"pid": os.getpid(), "api": api, "smtp_url": smtp_url}))
    draft.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def running_up(directory: Path) -> dict[str, Any]:
    """Read where `api` and `smtp_url` are; {} where none runs, or where it is not ours to read."""
    try:
        found: dict[str, Any] = json.loads((directory / NAME).read_text())
        return found if is_running(str(found["pid"])) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def is_in_use(directory: Path) -> bool:
    """Say whether the process that locked a state directory last still runs."""
    try:
        return is_running((directory / "lock").read_text().strip())
    except OSError:
        return False
