"""Install the peers into a folder outside of the repository: nothing of them is a dependency."""

import json
import shutil
import sys
from pathlib import Path

from load.bench.processes import ROOT, BenchError, run

# Node comes as a package as well: Graphile Worker wants a newer one than many machines have.
NPM = ("graphile-worker@0.18.0", "node@24.21.0")
PYPI = (
    "pgqueuer==1.6.0", "asyncpg==0.32.0", "aiohttp==3.14.5", "uvloop==0.23.0",
    "dramatiq[redis]==2.2.1", "redis[hiredis]==8.1.0",
)  # fmt: skip


def install(folder: Path) -> None:
    """Fill the folder with node_modules and a venv. Raises BenchError."""
    folder = folder.resolve()
    if folder.is_relative_to(ROOT):
        raise BenchError(f"{folder} is inside of the repository")
    npm = shutil.which("npm")
    if npm is None:
        raise BenchError("npm is missing; it comes with Node.js")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text(json.dumps({"private": True}) + "\n")
    run([npm, "install", "--no-audit", "--no-fund", *NPM], cwd=folder)
    run([sys.executable, "-m", "venv", "venv"], cwd=folder)
    run([python(folder), "-m", "pip", "install", "--quiet", *PYPI], cwd=folder)


def node(folder: Path) -> Path:
    """Name the installed Node. Raises BenchError if it is not there."""
    return there(folder / "node_modules" / ".bin" / "node")


def python(folder: Path) -> Path:
    """Name the installed Python. Raises BenchError if it is not there."""
    return there(folder / "venv" / "bin" / "python")


def there(program: Path) -> Path:
    """Return the program if it is there. Raises BenchError."""
    if not program.exists():
        raise BenchError(f"no {program}: python -m load.bench.peers install FOLDER")
    return program
