"""The servers' programs: found in the wheels, or copied to where their account can reach them."""

import os
import subprocess
from pathlib import Path

import pytest

from service.embedded.account import Account
from service.embedded.programs import (
    copy_package,
    postgres_programs,
    valkey_program,
    within_reach,
)
from service.errors import StartError

STRANGER = Account(uid=12345, gid=12345)
OURSELVES = Account(uid=os.geteuid(), gid=os.getegid())


def test_a_missing_wheel_is_one_line_that_says_what_to_do(directory: Path) -> None:
    with pytest.raises(StartError, match=r"pip install -e '\.\[embedded\]'"):
        within_reach("no_such_wheel", OURSELVES, directory)


def test_programs_within_reach_are_used_where_they_are(directory: Path) -> None:
    assert (postgres_programs(OURSELVES, directory) / "initdb").exists()
    assert valkey_program(OURSELVES, directory).exists()
    assert not directory.exists()


@pytest.fixture
def program(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a package that others cannot enter; gives its program."""
    closed = directory / "site-packages"
    (closed / "pretend").mkdir(parents=True)
    (closed / "pretend-1.0.dist-info").mkdir()
    (closed / "pretend-1.0.dist-info" / "METADATA").write_text("Name: pretend\nVersion: 1.0\n")
    program = closed / "pretend" / "program"
    program.write_text("")
    program.chmod(0o700)
    (closed / "pretend").chmod(0o700)
    monkeypatch.syspath_prepend(str(closed))
    directory.chmod(0o755)
    return program


def test_programs_out_of_reach_are_copied_once(directory: Path, program: Path) -> None:
    copy = within_reach("pretend", STRANGER, directory / "programs")

    assert copy == directory / "programs" / "pretend-1.0" / "pretend"
    assert STRANGER.barrier(copy) is None
    assert (copy / "program").stat().st_mode & 0o777 == 0o755
    assert program.stat().st_mode & 0o777 == 0o700
    made = copy.stat().st_ctime_ns
    assert within_reach("pretend", STRANGER, directory / "programs") == copy
    assert copy.stat().st_ctime_ns == made


@pytest.mark.usefixtures("program")
def test_copies_are_within_reach_whatever_the_umask(directory: Path) -> None:
    umask = os.umask(0o077)
    try:
        copy = within_reach("pretend", STRANGER, directory / "programs")
    finally:
        os.umask(umask)
    assert STRANGER.barrier(copy) is None


@pytest.mark.usefixtures("program")
def test_copies_that_an_earlier_version_closed_are_opened(directory: Path) -> None:
    copy = within_reach("pretend", STRANGER, directory / "programs")
    copy.parent.parent.chmod(0o700)
    assert within_reach("pretend", STRANGER, directory / "programs") == copy
    assert STRANGER.barrier(copy) is None


def test_copied_postgres_finds_its_libraries(directory: Path) -> None:
    package = postgres_programs(OURSELVES, directory).parent.parent
    copy_package(package, directory / "copy")
    initdb = directory / "copy" / package.name / "pginstall" / "bin" / "initdb"
    told = subprocess.run([initdb, "--version"], capture_output=True, text=True, check=True)
    assert told.stdout.startswith("initdb (PostgreSQL) 18")
