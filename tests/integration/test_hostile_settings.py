"""What somebody has set for a database, a role, a URL or the environment changes nothing here."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from service.config.settings import Settings
from service.errors import StartError
from service.ledger.migrate import migrate
from service.ledger.poolers import refuse_unfit
from tests.acceptance.conftest import NOTIFY
from tests.conftest import url_of
from tests.road import examined, road
from tests.waiting import LIMIT_S

HOSTILE = {
    "array_nulls": "off",
    "backslash_quote": "off",
    "bytea_output": "escape",
    "check_function_bodies": "off",
    "client_encoding": "LATIN1",
    "client_min_messages": "debug1",
    "constraint_exclusion": "on",
    "datestyle": "German, DMY",
    "default_transaction_deferrable": "on",
    "default_transaction_isolation": "serializable",
    "enable_bitmapscan": "off",
    "enable_indexonlyscan": "off",
    "enable_indexscan": "off",
    "enable_nestloop": "off",
    "enable_partition_pruning": "off",
    "enable_sort": "off",
    "escape_string_warning": "on",
    "exit_on_error": "on",
    "extra_float_digits": "-15",
    "from_collapse_limit": "1",
    "geqo_threshold": "2",
    "idle_in_transaction_session_timeout": "1ms",
    "idle_session_timeout": "250ms",
    "intervalstyle": "iso_8601",
    "jit": "on",
    "jit_above_cost": "10",
    "join_collapse_limit": "1",
    "lock_timeout": "1ms",
    "plan_cache_mode": "force_custom_plan",
    "plpgsql.check_asserts": "off",
    "plpgsql.extra_errors": "all",
    "quote_all_identifiers": "on",
    "row_security": "on",
    "search_path": "evil, pg_catalog, public",
    "standard_conforming_strings": "off",
    "statement_timeout": "100ms",
    "synchronous_commit": "off",
    "timezone": "Pacific/Apia",
    "timezone_abbreviations": "India",
    "transaction_timeout": "100ms",
    "transform_null_equals": "on",
    "work_mem": "64kB",
    "xmloption": "document",
}
SINCE = {"transaction_timeout": 170000}

# What hides pg_catalog's own words in the path above.
EVIL = """
create schema evil;
create function evil.now() returns timestamptz return timestamptz '2001-01-01';
create function evil.clock_timestamp() returns timestamptz return timestamptz '2001-01-01';
create function evil.left(text, integer) returns text return 'evil';
create function evil.pg_backend_pid() returns integer return 1;
create function evil.set_config(text, text, boolean) returns text return 'evil';
create function evil.current_setting(text) returns text return 'evil';
create function evil.equal(text, text) returns boolean return false;
create operator evil.= (function = evil.equal, leftarg = text, rightarg = text);
create operator evil.<> (function = evil.equal, leftarg = text, rightarg = text);
"""


def set_for(db: psycopg.Connection[Any], what: str, settings: dict[str, str]) -> None:
    """Set for a database or a role what its later sessions begin with."""
    db.execute(EVIL)
    for name, value in settings.items():
        if db.info.server_version >= SINCE.get(name, 0):
            value_of = SQL(value) if name == "search_path" else SQL("{}").format(value)
            db.execute(SQL(f"alter {what} set {{}} = {{}}").format(SQL(name), value_of))


def travel(db: psycopg.Connection[Any], url: str, redis_url: str, **more: str) -> None:
    """Go the whole road, with a producer whose session has the settings, too."""
    with road(db, url, redis_url, **more) as ours, psycopg.connect(url, autocommit=True) as theirs:
        theirs.execute(
            "set statement_timeout = 0; set lock_timeout = 0; set idle_session_timeout = 0"
        )
        if theirs.info.server_version >= 170000:
            theirs.execute("set transaction_timeout = 0")
        ours.travel(theirs)


@pytest.fixture
def database(db: psycopg.Connection[Any]) -> str:
    """Name the test's own database in SQL."""
    return f"database {Identifier(db.info.dbname).as_string()}"


@pytest.fixture
def role(db: psycopg.Connection[Any], dsn: str) -> Iterator[tuple[str, str]]:
    """Make a role that owns the database; give its name in SQL, and a URL with it."""
    name = f"owner_{db.info.dbname}"
    db.execute(SQL("create role {} superuser login password 'p'").format(Identifier(name)))
    yield f"role {name}", f"postgresql://{name}:p@{dsn.rpartition('@')[2]}"
    db.execute(SQL("drop role {}").format(Identifier(name)))


def test_the_road_under_all_that_a_database_can_set(db, dsn, redis_url, database):
    set_for(db, database, HOSTILE)
    travel(db, dsn, redis_url)


def test_the_road_under_all_that_a_role_can_set(db, redis_url, role):
    name, url = role
    set_for(db, name, HOSTILE)
    travel(db, url, redis_url)


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_the_road_under_each_setting(db, dsn, redis_url, database, name):
    set_for(db, database, {name: HOSTILE[name]})
    travel(db, dsn, redis_url)


def test_the_road_under_variables_of_the_environment(db, dsn, redis_url, monkeypatch):
    hostile = {
        "PGCLIENTENCODING": "LATIN1",
        "PGDATESTYLE": "German, DMY",
        "PGTZ": "Pacific/Apia",
        "PGGEQO": "off",
        "PGOPTIONS": "-c intervalstyle=iso_8601 -c statement_timeout=1",
        "PGAPPNAME": "shop",
    }
    for name, value in hostile.items():
        monkeypatch.setenv(name, value)
    with road(db, dsn, redis_url) as ours, psycopg.connect(dsn, options="", autocommit=True) as own:
        ours.travel(own)


def test_variables_that_a_server_refuses_at_login_stop_no_command(dsn):
    refused = {"PGTZ": "No/Where", "PGDATESTYLE": "nope", "PGGEQO": "nope"}
    done = subprocess.run(
        [NOTIFY, "migrate"],
        env=os.environ | {"DATABASE_URL": dsn} | refused,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_road_under_options_of_the_url_itself(db, dsn, redis_url):
    options = quote("-c intervalstyle=iso_8601 -c statement_timeout=1s -c datestyle=German")
    more = f"options={options}&fallback_application_name=shop&client_encoding=LATIN1"
    travel(db, f"{dsn}{'&' if '?' in dsn else '?'}{more}", redis_url)


def test_migrations_under_all_that_a_database_can_set(empty_dsn):
    with psycopg.connect(empty_dsn, autocommit=True) as db:
        set_for(db, f"database {db.info.dbname}", HOSTILE | {"search_path": "public"})
        assert migrate(empty_dsn)
        assert migrate(empty_dsn) == []


@pytest.fixture(params=["SQL_ASCII", "LATIN1"])
def other_encoding(servers, database_server, request) -> Iterator[str]:
    """Make a database that is not UTF8."""
    with psycopg.connect(servers.database_url, autocommit=True) as admin:
        name = Identifier("notify_encoded")
        how = "create database {} encoding {} locale 'C' template template0"
        admin.execute(SQL(how).format(name, request.param))
        yield url_of(database_server, "notify_encoded")
        admin.execute(SQL("drop database {} with (force)").format(name))


def test_a_database_that_is_not_utf8_is_refused_in_one_line(other_encoding):
    for refuse in (
        lambda: migrate(other_encoding),
        lambda: asyncio.run(refuse_unfit(Settings(database_url=other_encoding))),
    ):
        with pytest.raises(StartError, match="and must be UTF8") as refused:
            refuse()
        assert "\n" not in str(refused.value)
    assert any("must be UTF8" in f.found for f in examined(database_url=other_encoding).values())
