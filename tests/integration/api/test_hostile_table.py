"""Somebody else's triggers and rules on our table: each client hears of its own row, truly."""

import asyncio
import json
from typing import Any

import pytest

from tests.integration.api.serving import LINE, Api
from tests.integration.api.test_batching import post_all

CLIENTS = [f"c{n}" for n in range(8)]
GUILTY = ("c2", "c3", "c7")
IS_GUILTY = "new.reference in ('c2', 'c3', 'c7')"


def function(body: str) -> str:
    return (
        "create or replace function public.theirs() returns trigger language plpgsql as $$"
        f" begin {body} end $$;"
    )


def before(body: str, name: str = "zz") -> str:
    return (
        f"{function(body + ' return new;')} create trigger {name} before insert on"
        " notify.notifications for each row execute function public.theirs()"
    )


def after(body: str, each: str = "row") -> str:
    return (
        f"{function(body + ' return null;')} create trigger zz after insert on"
        f" notify.notifications for each {each} execute function public.theirs()"
    )


def deferred(body: str) -> str:
    return (
        f"{function(body + ' return null;')} create constraint trigger zz after insert on"
        " notify.notifications deferrable initially deferred"
        " for each row execute function public.theirs()"
    )


def raising(code: str) -> str:
    return f"if {IS_GUILTY} then raise exception 'no' using errcode = '{code}'; end if;"


ONLY_THE_GUILTY = {
    "drops some": before(f"if {IS_GUILTY} then return null; end if;"),
    "drops some before us": before(f"if {IS_GUILTY} then return null; end if;", name="aa"),
    "raises": before(f"if {IS_GUILTY} then raise 'orders are closed'; end if;"),
    "asserts": before(f"assert not {IS_GUILTY}, 'guilty';"),
    "divides by zero": before(f"if {IS_GUILTY} then perform 1 / 0; end if;"),
    "lacks a table": before(f"if {IS_GUILTY} then perform 1 from nowhere; end if;"),
    "rolls back": before(f"if {IS_GUILTY} then rollback; end if;"),
    "takes the id away": before(f"if {IS_GUILTY} then new.id := null; end if;"),
    "raises afterwards": after(f"if {IS_GUILTY} then raise 'too late'; end if;"),
    "raises at the commit": deferred(f"if {IS_GUILTY} then raise 'much too late'; end if;"),
    "raises at the commit, whatever we say": (
        deferred(f"if {IS_GUILTY} then raise 'much too late'; end if;")
        + ";create function public.later() returns trigger language plpgsql as"
        " $$ begin set constraints all deferred; return new; end $$;"
        " create trigger aa before insert on notify.notifications for each row"
        " execute function public.later()"
    ),
    "a check": ("alter table notify.notifications add check (reference not in ('c2', 'c3', 'c7'))"),
    "a foreign key": (
        "create table public.customers (name text primary key);"
        " insert into public.customers select unnest('{c0,c1,c4,c5,c6}'::text[]);"
        " alter table notify.notifications add foreign key (reference) references public.customers"
    ),
    "a deferred foreign key": (
        "create table public.customers (name text primary key);"
        " insert into public.customers select unnest('{c0,c1,c4,c5,c6}'::text[]);"
        " alter table notify.notifications add foreign key (reference) references public.customers"
        " deferrable initially deferred"
    ),
    "a unique key": (
        "create table public.once (name text primary key); insert into public.once values"
        " ('c2'), ('c3'), ('c7');" + before("insert into public.once values (new.reference);")
    ),
    "deletes some afterwards": after(
        f"if {IS_GUILTY} then delete from notify.notifications where id = new.id; end if;"
    ),
    "deletes some afterwards, on each partition": (
        function(
            f"if {IS_GUILTY} then delete from notify.notifications where id = new.id; end if;"
            " return null;"
        )
        + " do $$ declare p regclass; begin for p in select inhrelid from pg_inherits where"
        " inhparent = 'notify.notifications'::regclass loop execute format('create trigger wake"
        " after insert on %s for each row execute function public.theirs()', p); end loop; end $$"
    ),
    "a rule that deletes some afterwards": (
        "create rule zz as on insert to notify.notifications do also"
        " delete from notify.notifications where reference in ('c2', 'c3', 'c7')"
    ),
    "moves the id of some afterwards": after(
        f"if {IS_GUILTY} then update notify.notifications set id = notify.new_id()"
        " where id = new.id; end if;"
    ),
}

CODES = ["42501", "23503", "23505", "23514", "22000", "40001", "40P01", "53100", "53200", "55P03",
         "57P03", "58030", "XX000", "XX001", "0A000", "42P01", "38000", "08006", "2F004", "ZZ001",
         "ND001", "ND002", "P0004"]  # fmt: skip

NOBODY = {
    "gives other ids": before("new.id := notify.new_id();"),
    "gives the id of the one before": before(
        "perform set_config('their.next', new.id::text, false);"
        " new.id := coalesce(nullif(current_setting('their.id', true), '')::uuid, notify.new_id());"
        " perform set_config('their.id', current_setting('their.next'), false);"
    ),
    "writes more rows": before(
        "if pg_trigger_depth() = 1 then insert into notify.notifications"
        " (channel, recipient, payload) values ('log', 'extra', '1'); end if;"
    ),
    "writes an audit": (
        "create table public.audit (id uuid);" + after("insert into public.audit values (new.id);")
    ),
    "a rule that writes an audit": (
        "create table public.audit (what text); create rule zz as on insert"
        " to notify.notifications do also insert into public.audit values (new.reference)"
    ),
    "allows few at a time": (
        "create function public.theirs() returns trigger language plpgsql as $$ begin"
        " if (select count(*) from written) > 2 then raise 'too many'; end if; return null;"
        " end $$; create trigger zz after insert on notify.notifications"
        " referencing new table as written for each statement execute function public.theirs()"
    ),
    "another path": before("perform set_config('search_path', 'public', false);"),
}

EVERYBODY = {
    "drops all": before("return null;"),
    "raises for all": after("raise 'closed';", each="statement"),
    "a rule for all": "create rule zz as on insert to notify.notifications do instead nothing",
    "a rule for some": (
        f"create rule zz as on insert to notify.notifications where {IS_GUILTY} do instead nothing"
    ),
    "a rule that writes elsewhere": (
        "create table public.elsewhere (what text); create rule zz as on insert to"
        " notify.notifications do instead insert into public.elsewhere values (new.reference)"
    ),
    "no partition": (
        "do $$ declare p regclass; begin for p in select inhrelid from pg_inherits where"
        " inhparent = 'notify.notifications'::regclass loop"
        " execute format('alter table notify.notifications detach partition %s', p);"
        " end loop; end $$"
    ),
}

# What says that the server is ending, or is read-only, is believed: then nobody is accepted.
BELIEVED = {f"raises {code}": before(raising(code)) for code in ("57014", "25006")}


def post(api: Api) -> dict[str, tuple[int, Any]]:
    """Post for all clients at once: what each heard."""
    bodies = [json.dumps(LINE | {"reference": client}).encode() for client in CLIENTS]
    return dict(zip(CLIENTS, asyncio.run(post_all(api.port, bodies)), strict=True))


def told_is_true(db: Any, heard: dict[str, tuple[int, Any]]) -> set[str]:
    """Compare with the table; returns those that were accepted."""
    rows = db.execute("select id::text, reference from notify.notifications").fetchall()
    kept = {row.id: row.reference for row in rows if row.reference is not None}
    accepted = {client: answer["id"] for client, (status, answer) in heard.items() if status == 202}
    assert {id: client for client, id in accepted.items()} == kept
    return set(accepted)


@pytest.mark.parametrize("name", ONLY_THE_GUILTY)
def test_what_is_done_to_some_rows_is_heard_by_their_clients_only(
    api: Api, db: Any, tracebacks: list[str], name: str
) -> None:
    db.execute(ONLY_THE_GUILTY[name])
    heard = post(api)
    assert told_is_true(db, heard) == set(CLIENTS) - set(GUILTY)
    assert all(heard[client][0] in (422, 503) for client in GUILTY)
    assert not tracebacks


def test_a_trigger_may_raise_any_sqlstate(api: Api, db: Any, tracebacks: list[str]) -> None:
    db.execute(before(raising("P0001")))
    for code in CODES:
        db.execute(function(raising(code) + " return new;"))
        heard = post(api)
        assert (code, told_is_true(db, heard)) == (code, set(CLIENTS) - set(GUILTY))
        assert {heard[client][0] for client in GUILTY} <= {422, 503}
        db.execute("delete from notify.notifications")
    assert not tracebacks


@pytest.mark.parametrize("name", NOBODY)
def test_each_client_gets_its_own_id(api: Api, db: Any, name: str) -> None:
    db.execute(NOBODY[name])
    for _ in range(2):
        heard = post(api)
        assert told_is_true(db, heard) == set(CLIENTS)
        db.execute("delete from notify.notifications")


@pytest.mark.parametrize("name", EVERYBODY | BELIEVED)
def test_nobody_is_accepted_whose_row_is_not_there(
    api: Api, db: Any, tracebacks: list[str], name: str
) -> None:
    db.execute((EVERYBODY | BELIEVED)[name])
    heard = post(api)
    assert told_is_true(db, heard) <= (set() if name in EVERYBODY else set(CLIENTS) - set(GUILTY))
    assert {status for status, _ in heard.values()} <= {202, 422, 503}
    assert not tracebacks


def test_sql_that_is_wrong_is_no_fault_of_the_client_and_is_told_by_name(
    api: Api, db: Any, warned: list[str]
) -> None:
    """As where a trigger names a table without its schema: its search_path is ours."""
    db.execute("create table public.audit (id uuid)")
    db.execute(before(f"if {IS_GUILTY} then insert into audit values (new.id); end if;"))
    heard = post(api)
    assert told_is_true(db, heard) == set(CLIENTS) - set(GUILTY)
    assert {heard[client][1]["code"] for client in GUILTY} == {"database_unavailable"}
    assert any(
        'relation "audit" does not exist (PL/pgSQL function public.theirs() line' in line
        for line in warned
    )
