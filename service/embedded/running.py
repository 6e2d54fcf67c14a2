"""The file in a state directory that says where its `notify up` serves, as long as it runs.

Other commands read it. They ignore a file that a killed `notify up` left: its process is gone.
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
        return written if is_running(str(written["pid"])) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def is_in_use(directory: Path) -> bool:
    """Return whether the process that locked a state directory last still runs."""
    try:
        return is_running((directory / "lock").read_text().strip())
    except OSError:
        return False
