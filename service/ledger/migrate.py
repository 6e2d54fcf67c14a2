"""Bring a database to the current schema, or wait until others have: `yoyo apply`, for programs.

`yoyo apply` uses the same Backend (pyproject.toml, entry points), so the two may run at the same
time, on any number of machines, and after a kill -9.
"""

import asyncio
import glob
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors
from yoyo import read_migrations
from yoyo.connections import DatabaseURI
from yoyo.exceptions import LockTimeout
from yoyo.migrations import MigrationList, default_migration_table

from service.config.settings import Settings
from service.errors import DatabaseAway, NotifyError, StartError, Unfit
from service.ledger.db import POOLER_REFUSES, one_line
from service.ledger.schema import schema_root
from service.ledger.store import NOT_CURRENT, Store
from service.ledger.yoyo_backend import Backend
from service.ledger.yoyo_tables import owners

OLDEST_SERVER = 15
LOOK_S = 1.0  # between looks whether somebody else has migrated
CHANGED = "tuple concurrently"  # updated, or deleted: PostgreSQL's message, under the code XX000
AWAY = ("08", "57P")  # classes of OperationalError that mean: the server cannot be reached
SHORT_NAME = {  # what to say about it, by what keep_path() returned
    "taken": "`notifications` is another table here: producers write notify.notifications",
    "not the owner": "only the database's owner can let producers find `notifications` by its short"
    " name: migrate as the owner once, or write notify.notifications",
}


def migrate(
    url: str,
    *,
    settings: Settings | None = None,
    wait_s: float = 60,
    say: Callable[[str], object] = lambda line: None,
) -> list[str]:
    """Apply what is missing and return its names in order; [] when the database was current.

    `url` is a postgresql:// URL, and a direct one: a transaction pooler breaks the lock. `wait_s`
    is how long another migration may take. What SQL must know of the `settings` is written where
    the ledger is at home; None: it stays as it was. `say` is called with a line for each thing that
    was mended, or that somebody else has to mend. Raises DatabaseAway when the server cannot be
    reached, StartError when it is too old, refuses, or the road is still blocked; what was applied
    stays.
    """
    with start_errors(), Backend(whole(url), default_migration_table) as backend:
        check_version(backend.connection.info.server_version)
        with refusals(backend), backend.lock(wait_s):
            migrations = read_migrations(glob.escape(str(schema_root() / "migrations")))
            missing = backend.to_apply(migrations)
            backend.apply_migrations(missing)
            for line in mended(backend, migrations):
                say(line)
            if backend.path_is in SHORT_NAME:
                say(SHORT_NAME[backend.path_is])
            if settings is not None and (news := kept_at_home(backend, settings)):
                say(news)
            return [migration.id for migration in missing]


async def migrated_by_others(url: str, say: Callable[[str], object]) -> None:
    """Wait until the schema is current, and change nothing. `say` gets each new reason to wait."""
    said = ""
    async with Store(url, "notify-migrate", connections_max=1) as store:
        while reason := await why_not_current(store):
            if reason != said:
                said = reason
                say(reason)
            await asyncio.sleep(LOOK_S)


async def why_not_current(store: Store) -> str:
    """Say why the schema is not known to be current; empty: it is."""
    try:
        return "" if await store.is_current() else NOT_CURRENT
    except NotifyError as error:
        return f"the database cannot be used: {error}"


def mended(backend: Backend, migrations: MigrationList) -> Iterator[str]:
    """Run all migrations again if something they made is missing; yield what was and what still is.

    Each may run again, and does nothing where nothing is missing. Raises StartError when a fault
    that is left blocks the road.
    """
    faults = backend.faults()
    if any(fault.remedy is None for fault in faults):
        backend.unmark_migrations(migrations)
        backend.apply_migrations(backend.to_apply(migrations))
        left = backend.faults()
        yield from (f"mended: {fault.fault}" for fault in faults if fault not in left)
        faults = left
    yield from (str(fault) for fault in faults if not fault.stops)
    if blocked := "; ".join(str(fault) for fault in faults if fault.stops):
        raise StartError(f"migrated, but not ready: {blocked}")


def kept_at_home(backend: Backend, settings: Settings) -> str | None:
    """Let the ledger keep what SQL must know of the settings; say what is new about its home."""
    done = backend.keep_settings(settings)
    if done == "declared":
        return f"this ledger's home is called {settings.environment} from now on"
    if done == "moved":
        return f"{settings.environment} is on another server, or its database has another name"
    if done == "copy":
        home = backend.home(settings.environment)
        return f"{home.fault(settings.environment)}, and nothing is sent: {home.remedy}"
    return None


def whole(url: str) -> DatabaseURI:
    """Wrap a URL so that libpq parses it: yoyo's parser knows neither several hosts nor sockets."""
    return DatabaseURI("postgresql", None, None, None, None, None, {"conninfo": url})


def check_version(number: int) -> None:
    """Refuse a server that lacks what the schema needs. Raises StartError."""
    if number < OLDEST_SERVER * 10000:
        raise StartError(
            f"PostgreSQL {number // 10000} is too old: {OLDEST_SERVER} or newer is needed"
        )


@contextmanager
def refusals(backend: Backend) -> Iterator[None]:
    """Turn a right that our role lacks into one line that says which role has it."""
    try:
        yield
    except errors.InsufficientPrivilege as error:
        whose = who_may(owners(backend.connection), backend.connection.info.user)
        raise StartError(f"not migrated: {one_line(error)}; {whose}") from error


def who_may(owners: list[str], role: str) -> str:
    """Say who may migrate what these roles own where `role` may not; a restore may mix them."""
    if len(owners) > 1:
        return (
            f"schema notify and what is in it belong to {' and '.join(owners)}: give all of it, and"
            " yoyo's tables in public, to one role, and let DATABASE_URL name that"
        )
    if owners and owners != [role]:
        return f"DATABASE_URL must name {owners[0]}, who owns schema notify here, or a member of it"
    return "DATABASE_URL must name the database's owner"


@contextmanager
def start_errors() -> Iterator[None]:
    """Turn what psycopg and yoyo raise into one line for a terminal."""
    try:
        yield
    except Unfit as error:
        raise StartError(f"not migrated: {error}") from error
    except LockTimeout as error:
        raise StartError(f"not migrated: {error}; try again when it is done") from error
    except errors.LockNotAvailable as error:
        raise StartError(
            "not migrated: a long transaction holds a table; try again when it has ended"
        ) from error
    except psycopg.OperationalError as error:
        if POOLER_REFUSES.search(str(error)):
            raise StartError(f"not migrated: {one_line(error)}") from error
        if error.sqlstate and not error.sqlstate.startswith(AWAY):
            raise StartError(f"not migrated: {one_line(error)}; try again") from error
        raise DatabaseAway(f"PostgreSQL cannot be reached: {one_line(error)}") from error
    except psycopg.Error as error:
        again = "; somebody changed the same at once: try again" if CHANGED in str(error) else ""
        raise StartError(f"not migrated: {one_line(error)}{again}") from error
