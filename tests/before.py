"""The code of releases before this one, as git has it: what a deploy meets."""

import subprocess
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parents[1]
COMMIT = "5dd78f344265bc15ffad6046173bed3ec665caa1"  # the last one without migrations/0016
NEWEST = "e1003f1a937be6b5fd1250616c2f2e4039b983e1"  # moves on with each release
PARTS = ("service", "workers", "migrations", "sql", "pyproject.toml")


def is_here() -> bool:
    """Whether this checkout has those commits: an export and a shallow clone have not."""
    try:
        return all(
            subprocess.run(
                ["git", "cat-file", "-e", f"{commit}^{{commit}}"],
                cwd=ROOT, capture_output=True, check=False,
            ).returncode == 0
            for commit in (COMMIT, NEWEST)
        )  # fmt: skip
    except OSError:
        return False


def unpack(directory: Path, commit: str = COMMIT) -> Path:
    """Write the code of a commit into a directory, which goes into PYTHONPATH."""
    packed = subprocess.run(
        ["git", "archive", "--format=zip", commit, *PARTS],
        cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    with ZipFile(BytesIO(packed.stdout)) as archive:
        archive.extractall(directory)
    return directory
