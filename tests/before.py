"""The code of the release before this one, as git has it: what a deploy meets."""

import subprocess
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parents[1]
COMMIT = "7af871227a17882a6ed52e88043c9aca1d83ae05"  # the last one without migrations/0013
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
