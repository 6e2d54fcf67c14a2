"""Make days: those to come, whatever hangs on our tables; each row keeps all its columns."""

import pytest

from tests.ledger import enqueue, put, restore
from tests.sql.long import old_id


def make_days(db, ahead=9):
    query = "select * from notify.make_days(%s, '30 days')"
    return [tuple(r) for r in db.execute(query, [ahead])]


COLUMNS = {
    "a column": "add column team text",
    "one with a default": "add column team text default 'none'",
    "one that must be set": "add column team text not null default ''",
    "one after one that was dropped": "add column gone int;"
    " alter table notify.notifications drop column gone, add column team text",
    "one of a strange name": 'add column "Team; Name" int, add column team text',
    "one with a check": "add column team text check (length(team) < 9)",
    "one that is generated beside it": "add column team text,"
    " add column tenant text generated always as (payload ->> 'tenant') stored",
    "one with a collation": 'add column team text collate "C"',
}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_that_somebody_added_go_along_when_rows_move_to_their_day(db, name):
    db.execute(f"alter table notify.notifications {COLUMNS[name]}")
    past, future = old_id(db, 12), old_id(db, -9)
    for id in (past, future):
        restore(db, id=id, team="red", payload='{"tenant": "t"}')
    made = make_days(db)
    assert {action for action, _ in made} == {"made"}
    assert len(made) == 2 * 3
    query = "select id, team, tableoid::regclass::text as day from notify.notifications"
    rows = {r.id: r for r in db.execute(query)}
    assert rows[past].team == rows[future].team == "red"
    assert "notify.notifications_default" not in {r.day for r in rows.values()}
    enqueue(db, team="blue")


def test_columns_that_somebody_added_to_attempts_go_along(db):
    db.execute("alter table notify.attempts add column cost numeric, add column n int default 7")
    id = old_id(db, 12)
    put(db, "sent", id=id)
    db.execute(
        "insert into notify.attempts (notification_id, attempt, started_at, outcome, worker, cost)"
        " values (%s, 1, now(), 'sent', 'w', 1.5)",
        [id],
    )
    assert {action for action, _ in make_days(db)} == {"made"}
    [row] = db.execute("select *, tableoid::regclass::text as day from notify.attempts").fetchall()
    assert (row.cost, row.n) == (1.5, 7)
    assert row.day != "notify.attempts_default"


BESIDE = {
    "an index": "create index on notify.notifications (channel)",
    "a unique index": "create unique index on notify.notifications (id, channel)",
    "a constraint": "alter table notify.notifications add constraint c check (channel <> 'fax')",
    "comments": "comment on table notify.notifications is 'x';"
    " comment on column notify.notifications.id is 'y'",
    "grants": "grant insert on notify.notifications to public",
    "statistics": "create statistics s on channel, status from notify.notifications",
    "replica identity of all": "alter table notify.notifications replica identity full",
    "no replica identity": "alter table notify.attempts replica identity nothing",
    "storage": "alter table notify.notifications alter payload set storage external",
    "a publication of the table": "create publication p for table notify.notifications",
    "a publication of the schema": "create publication p for tables in schema notify",
    "a trigger that is inherited": "create function public.f() returns trigger language plpgsql"
    " as $$ begin return new; end $$; create trigger t before update on notify.notifications"
    " for each row execute function public.f()",
    "row security": "alter table notify.notifications enable row level security",
    "a foreign key to it": "create table public.o (n uuid references notify.notifications (id))",
    "a table of its name elsewhere": "create table public.{new} (id int)",
}  # fmt: skip


@pytest.mark.parametrize("name", BESIDE)
def test_what_others_hang_on_our_tables_keeps_no_day_away(db, name):
    day = (
        db.execute(
            "select 'notifications_' || to_char((clock_timestamp() at time zone 'utc')::date + 8,"
            " 'YYYYMMDD') as name"
        )
        .fetchone()
        .name
    )
    db.execute(BESIDE[name].replace("{new}", day))
    restore(db, id=old_id(db, -8))
    assert [action for action, _ in make_days(db, 8)] == ["made", "made"]
    assert db.execute(f"select count(*) as n from notify.{day}").fetchone().n == 1


def test_a_day_whose_place_somebody_took_is_told_and_the_next_is_made(db):
    """A table of that range but of no name of ours."""
    db.execute(
        "do $$ begin execute format('create table public.mine partition of notify.notifications"
        " for values from (%L) to (%L)',"
        " notify.id_floor(date_trunc('day', now(), 'UTC') + '8 days 1 hour'),"
        " notify.id_floor(date_trunc('day', now(), 'UTC') + '8 days 2 hours')); end $$"
    )
    actions = dict.fromkeys(action for action, _ in make_days(db, 9))
    assert list(actions) == ["failed", "made"]
