"""How to reach the servers of a state directory, for commands beside the one that runs them."""

import json
from pathlib import Path
from typing import Any


def postgres_url(password: str, port: int | str) -> str:
    """Write the DATABASE_URL of an embedded PostgreSQL."""
    return f"postgresql://notify_app:{password}@127.0.0.1:{port}/notify"


def valkey_url(password: str, port: int | str) -> str:
    """Write the REDIS_URL of an embedded Valkey."""
    return f"redis://:{password}@127.0.0.1:{port}/0"


def read_kept(file: Path) -> dict[str, str]:
    """Read what a state directory keeps. Raises OSError, and ValueError if we did not write it."""
    try:
        kept = json.loads(file.read_text())
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(kept, dict) or not all(isinstance(value, str) for value in kept.values()):
        raise ValueError("no object of texts")
    ports = [value for name, value in kept.items() if name.endswith("_port")]
    if not all(port.isdecimal() and 0 < int(port) < 65536 for port in ports):
        raise ValueError("no port")
    return kept


def kept_settings(directory: Path) -> dict[str, Any]:
    """Read the settings that a `notify up` on this directory runs with, or ran.

    Empty where nothing is kept, or where we may not read it.
    """
    try:
        kept = read_kept(directory / "kept.json")
        settings: dict[str, Any] = {
            "database_url": postgres_url(kept["password"], kept["postgres_port"])
        }
    except (OSError, ValueError, KeyError):
        return {}
    if "valkey_port" in kept:
        settings["redis_url"] = valkey_url(kept["password"], kept["valkey_port"])
    if "webhook_secret" in kept:
        settings["webhook_secret"] = (kept["webhook_secret"],)
    return settings
