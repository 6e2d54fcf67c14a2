"""Where figures come from: which machine, which commit, which day."""

import os
import platform
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from load.bench.processes import ROOT


def origin() -> dict[str, object]:
    """Say what a reader has to know before comparing."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "cpu": cpu(),
        "cpus": os.cpu_count(),
        "memory_gb": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1_000_000_000,
        "system": platform.system(),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def spelled(where: dict[str, object]) -> str:
    """Spell it in a line."""
    return (
        "{date}, commit {commit}: {cpus} x {cpu}, {memory_gb} GB,"
        " {system} {kernel}, Python {python}"
    ).format(**where)


def commit() -> str | None:
    """Name the commit, with `-dirty` if files differ from it; None: this is no checkout."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


def cpu() -> str:
    """Name the processor as Linux does, elsewhere its kind."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(": ")[2]
    return platform.machine()
