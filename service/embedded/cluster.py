"""The cluster of a private PostgreSQL: initdb, then the service's role and database."""

import pwd
import shutil
import subprocess
from pathlib import Path
from signal import SIGKILL

from service.embedded.account import Account
from service.embedded.child import ENVIRONMENT, die_with_us
from service.embedded.orphan import kill_backends
from service.errors import StartError

INIT_MAX_S = 120.0
# The superuser is for an operator; the service needs less. CREATEDB is for scratch databases.
SUPERUSER = "alter role postgres password '{superuser_password}'\n"
# The role has another name than our schema, which would be the first in its search_path ("$user"):
# tables that it makes without naming a schema would be among ours.
BOOTSTRAP = """\
create role notify_app login createdb password '{password}'
grant pg_monitor to notify_app
create database notify owner notify_app
"""
# What clusters of earlier versions lack, by its name in kept.json. Their superuser had the password
# that is printed. Their role had the schema's name, and old URLs that name it must still work.
CATCH_UP = {
    "superuser_is_apart": SUPERUSER,
    "role_is_apart": (
        "do $$ begin if to_regrole('notify') is not null and to_regrole('notify_app') is null then"
        " alter role notify rename to notify_app;"
        " alter role notify_app password '{password}';"
        " create role notify login password '{password}' in role notify_app;"
        " alter role notify set role = notify_app; end if; end $$\n"
    ),
}


def make_cluster(
    programs: Path,
    data: Path,
    *,
    account: Account,
    password: str,
    superuser_password: str,
    sync: bool,
) -> None:
    """Make a cluster in `data`, with the database `notify` owned by the role `notify_app`.

    `password` is that role's, which is printed; the superuser has another. It is made under
    another name first, so that a half-made cluster is never used. `sync`: write it to the disk
    before it is used. Raises StartError.
    """
    refuse_nameless(account)
    draft = data.with_name("draft")
    if draft.exists():
        # The initdb that made it was killed with its owner, but not the processes that it started.
        kill_backends(draft)
        shutil.rmtree(draft)
    run(
        account,
        programs / "initdb",
        "-D",
        draft,
        "-U",
        "postgres",
        "--encoding=UTF8",
        "--locale=C",
        "--auth-local=trust",
        "--auth-host=scram-sha-256",
        "--no-instructions",
        *(() if sync else ("--no-sync",)),
    )
    # Without a server that listens: nobody can connect before there is a password.
    commands = SUPERUSER + BOOTSTRAP
    passwords = {"password": password, "superuser_password": superuser_password}
    run_alone(programs, draft, account, commands.format(**passwords))
    draft.replace(data)


def run_alone(programs: Path, data: Path, account: Account, commands: str) -> None:
    """Run commands, one on each line, in a cluster whose server is down. Raises StartError."""
    options = ("--single", "-D", data, "-c", "exit_on_error=on", "postgres")
    run(account, programs / "postgres", *options, stdin=commands)


def refuse_nameless(account: Account) -> None:
    """Refuse a user id without a name, which a container may have: initdb needs a name."""
    try:
        pwd.getpwuid(account.uid)
    except KeyError:
        raise StartError(
            f"PostgreSQL needs a name for user id {account.uid}, and the system has none:"
            " start as another user, or set DATABASE_URL"
        ) from None


def run(account: Account, program: Path, *arguments: str | Path, stdin: str = "") -> None:
    """Run a program to its end. Raises StartError with the line that says what went wrong."""
    try:
        done = subprocess.run(
            [program, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=INIT_MAX_S,
            cwd="/",
            env=ENVIRONMENT,
            process_group=0,
            preexec_fn=die_with_us(SIGKILL),
            **account.credentials,
        )
    except subprocess.TimeoutExpired:
        raise StartError(f"{program.name} did not end within {INIT_MAX_S:g} s") from None
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        errors = [line for line in lines if "error:" in line or "FATAL" in line]
        reason = next(iter(errors or lines[-1:]), f"exit code {done.returncode}")
        raise StartError(f"{program.name} failed: {reason}")
