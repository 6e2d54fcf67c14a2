"""Where figures come from: which machine, which commit, which day."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from load.bench.processes import ROOT


def origin() -> dict[str, object]:
    """Say what a reader has to know before comparing."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": {
            "cpu": cpu(),
            "cpus": len(os.sched_getaffinity(0)),
            "memory_mb": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1_000_000,
            "kernel": platform.release(),
            "python": platform.python_version(),
        },
    }


def commit() -> str | None:
    """Name the commit, with `-dirty` if files differ from it; None: this is no checkout."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


def cpu() -> str:
    """Name the processor as Linux does."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
