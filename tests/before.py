"""The code of the release before this one, as git has it: what a deploy meets."""

import subprocess
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parents[1]
COMMIT = "5dd78f344265bc15ffad6046173bed3ec665caa1"  # the last one without migrations/0016
PARTS = ("service", "workers", "migrations", "sql", "pyproject.toml")


def is_here() -> bool:
    """Whether this checkout has that commit: an export and a shallow clone have not."""
    try:
        found = subprocess.run(
            ["git", "cat-file", "-e", f"{COMMIT}^{{commit}}"],
            cwd=ROOT, capture_output=True, check=False,
        )  # fmt: skip
    except OSError:
        return False
    return found.returncode == 0


def unpack(directory: Path) -> Path:
    """Write that code into a directory, which goes into PYTHONPATH."""
    packed = subprocess.run(
        ["git", "archive", "--format=zip", COMMIT, *PARTS],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    with ZipFile(BytesIO(packed.stdout)) as archive:
        archive.extractall(directory)
    return directory
