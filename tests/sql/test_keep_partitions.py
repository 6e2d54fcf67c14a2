"""Partitions: made ahead, filled from the default one, dropped when settled and old."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.ledger import ago, attempts_of, change, claim, enqueue, keep_partitions, put, row, settle


def today():
    return datetime.now(UTC).date()


def name(day, table="notifications"):
    return f"{table}_{day:%Y%m%d}"


def partitions(db, table="notifications"):
    query = (
        "select inhrelid::regclass::text as name from pg_inherits"
        " where inhparent = ('notify.' || %s)::regclass order by 1"
    )
    return [r.name.removeprefix("notify.") for r in db.execute(query, [table])]


def partition_of(db, id):
    query = "select tableoid::regclass::text as name from notify.notifications where id = %s"
    return db.execute(query, [id]).fetchone().name.removeprefix("notify.")


def id_of(db, days_ago):
    """Make an id of a day, at noon: midnight may pass while a test runs."""
    floor = db.execute("select notify.id_floor(%s) as id", [noon(days_ago)]).fetchone().id
    return UUID(
        int=(floor.int & ~((1 << 80) - 1))
        | 0x7000_8000_0000_0000_0000
        | (uuid4().int & 0xFFFF_FFFF_FFFF)
    )


def noon(days_ago):
    return datetime.combine(today() - timedelta(days_ago), datetime.min.time(), UTC) + timedelta(
        hours=12
    )


def old_partition(db, days_ago):
    """Make the partitions of a day that is over."""
    put(db, "sent", id=id_of(db, days_ago))
    keep_partitions(db, 0, f"{days_ago + 1} days")
    return name(today() - timedelta(days_ago))


def test_a_migrated_database_has_today_and_seven_days_ahead(db):
    have = partitions(db)
    assert {name(today() + timedelta(d)) for d in range(7)} <= set(have)
    assert "notifications_default" in have
    assert len(partitions(db, "attempts")) == len(have)


def test_days_are_made_once(db):
    made = keep_partitions(db, 9)
    assert {action for action, _ in made} == {"made"}
    assert name(today() + timedelta(9), "attempts") in {partition for _, partition in made}
    assert keep_partitions(db, 9) == []


def test_a_new_row_goes_to_its_day(db):
    [id] = enqueue(db)
    assert partition_of(db, id) in (name(today()), name(today() - timedelta(1)))


def test_a_partition_has_the_parents_indexes_constraints_and_triggers(db):
    keep_partitions(db, 9)
    new = name(today() + timedelta(9))
    count = "select count(*) as n from pg_index where indrelid = ('notify.' || %s)::regclass"
    parent = db.execute(count, ["notifications"]).fetchone().n
    assert db.execute(count, [new]).fetchone().n == parent == 6
    checks = (
        "select count(*) as n from pg_constraint where contype = 'c'"
        " and conrelid = ('notify.' || %s)::regclass"
    )
    assert db.execute(checks, [new]).fetchone().n == 7


def test_rows_of_the_default_partition_move_when_their_day_is_made(db):
    future = id_of(db, -9)
    put(db, "queued", id=future)
    [later] = [put(db, "queued", id=id_of(db, -12))]
    assert partition_of(db, future) == "notifications_default"
    keep_partitions(db, 10)
    assert partition_of(db, future) == name(today() + timedelta(9))
    assert partition_of(db, later) == "notifications_default"


def test_days_that_passed_without_a_partition_get_it_late_with_their_attempts(db):
    id = id_of(db, 3)
    put(db, "queued", id=id)
    settle(db, claim(db, [id]))
    assert keep_partitions(db) == [
        ("made", name(today() - timedelta(3))),
        ("made", name(today() - timedelta(3), "attempts")),
    ]
    assert partition_of(db, id) == name(today() - timedelta(3))
    assert len(attempts_of(db, id)) == 1


def test_a_settled_day_is_dropped_after_its_retention_and_not_before(db):
    old = old_partition(db, 5)
    assert keep_partitions(db, 7, "5 days") == []
    assert keep_partitions(db, 7, "4 days") == [("dropped", old)]
    assert old not in partitions(db)
    assert name(today() - timedelta(5), "attempts") not in partitions(db, "attempts")


@pytest.mark.parametrize("status", ["queued", "sending"])
def test_a_day_that_still_holds_unsettled_rows_is_kept_whole(db, status):
    old = old_partition(db, 5)
    id = id_of(db, 5)
    put(db, status, id=id)
    assert keep_partitions(db, 7, "2 days") == [("kept", old)]
    assert db.execute("select count(*) as n from notify.notifications").fetchone().n == 2
    change(db, id, status="sent", settled_at=ago(db, "0"), lease_until=None, claimed_by=None)
    assert keep_partitions(db, 7, "2 days") == [("dropped", old)]


def test_attempts_go_with_their_notifications(db):
    id = id_of(db, 5)
    put(db, "queued", id=id)
    settle(db, claim(db, [id]))
    old_partition(db, 5)
    keep_partitions(db, 7, "2 days")
    assert row(db, id) is None
    assert attempts_of(db, id) == []


def test_a_day_without_its_attempts_partition_is_dropped_all_the_same(db):
    id = id_of(db, 5)
    old = old_partition(db, 5)
    db.execute(f"drop table notify.{name(today() - timedelta(5), 'attempts')}")
    put(db, "queued", id=id)
    settle(db, claim(db, [id]))
    assert keep_partitions(db, 7, "2 days") == [("dropped", old)]
    assert attempts_of(db, id) == []


def test_settled_rows_beyond_retention_leave_the_default_partition_too(db):
    settled, queued = id_of(db, 40), id_of(db, 41)
    for id in (settled, queued):
        put(db, "queued", id=id)
    settle(db, claim(db, [settled]))
    settle(db, claim(db, [queued]), "temporary")
    assert keep_partitions(db) == []
    assert row(db, settled) is None
    assert attempts_of(db, settled) == []
    assert row(db, queued).status == "queued"
    assert len(attempts_of(db, queued)) == 1


def test_one_open_producer_delays_neither_it_nor_later_inserts_for_long(db, other_db, dsn):
    old = old_partition(db, 5)
    with other_db.transaction():
        enqueue(other_db)
        other_db.execute("select count(*) from notify.notifications")  # touches every partition
        assert keep_partitions(db, 8, "2 days") == [("busy", name(today() + timedelta(8)))]
        with psycopg.connect(dsn, autocommit=True) as late:
            late.execute("set lock_timeout = '50ms'")
            late.execute(
                "insert into notify.notifications (channel, recipient, payload)"
                " values ('log', 'r', '1')"
            )
    assert keep_partitions(db, 8, "2 days")[-1] == ("dropped", old)


def test_an_open_producer_that_only_inserts_does_not_delay_new_days(db, other_db):
    with other_db.transaction():
        enqueue(other_db)
        assert [action for action, _ in keep_partitions(db, 8)] == ["made", "made"]


def test_a_busy_drop_leaves_an_empty_partition_that_goes_next_time(db, other_db):
    old = old_partition(db, 5)
    with other_db.transaction():
        enqueue(other_db)  # holds the parent, not the old day
        assert keep_partitions(db, 7, "2 days") == [("emptied", old)]
    assert keep_partitions(db, 7, "2 days") == [("dropped", old)]


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/St_Johns"])
def test_days_are_utc_days_whatever_the_sessions_time_zone(db, zone):
    db.execute(f"set time zone '{zone}'")
    keep_partitions(db, 20)
    days = {datetime.strptime(n[-8:], "%Y%m%d").date() for n in partitions(db) if n[-1].isdigit()}
    assert days == {min(days) + timedelta(n) for n in range(21)}
    assert min(days) == today()
    bound = "select pg_get_expr(relpartbound, oid) as b from pg_class where relname = %s"
    floor = db.execute(bound, [name(today())]).fetchone().b.split("'")[1]
    midnight = datetime.combine(today(), datetime.min.time(), UTC)
    assert UUID(floor).int >> 80 == int(midnight.timestamp() * 1000)


def test_ids_of_ten_years_are_bounded_per_call_and_stop_no_deploy(db):
    """Each day costs two tables and their locks: 3,600 of them are more than a server has."""
    for days_ago in range(20, 3620, 180):
        put(db, "queued", id=id_of(db, days_ago))
    late = [name for action, name in keep_partitions(db, 7, "10 years") if action == "made"]
    assert len(late) == 2 * 10
    late += [name for action, name in keep_partitions(db, 7, "10 years") if action == "made"]
    assert len(late) == 2 * 20
    assert keep_partitions(db, 7, "10 years") == []
    assert len(claim(db, limit=100)) == 20


RAISES = (
    "create function public.theirs() returns {} language plpgsql as $$ begin raise 'no'; end $$;"
)
BESIDE = {
    "a view of a day": "create view public.v as select * from notify.{old}",
    "a materialized view": "create materialized view public.v as select id from notify.{old}",
    "a foreign key": "create table public.o (n uuid references notify.notifications (id))",
    "a trigger on truncate": RAISES.format("trigger")
    + "create trigger t before truncate on notify.{old} execute function public.theirs()",
    "an event trigger": RAISES.format("event_trigger")
    + "create event trigger t on sql_drop execute function public.theirs()",
    "a trigger on delete": RAISES.format("trigger") + "create trigger t before delete on"
    " notify.notifications for each row execute function public.theirs()",
    "a generated column": "alter table notify.notifications add column tenant text"
    " generated always as (payload ->> 'tenant') stored",
    "a publication of all": "create publication p for all tables",
}


@pytest.mark.parametrize("name_", BESIDE)
def test_what_others_hang_on_our_tables_keeps_no_new_day_away(db, name_):
    """What cannot go is told and stays; what can, goes."""
    put(db, "sent", id=id_of(db, 50))
    put(db, "queued", id=id_of(db, -8))
    old, older = old_partition(db, 5), old_partition(db, 6)
    db.execute(BESIDE[name_].replace("{old}", old))
    done = keep_partitions(db, 9, "2 days")
    new = [name(today() + timedelta(d), t) for d in (8, 9) for t in ("notifications", "attempts")]
    if name_ != "a trigger on delete":  # moving a row into its day deletes it
        assert done[:4] == [("made", partition) for partition in new]
    assert done[-1][0] in ("failed", "dropped")
    if name_.startswith(("a view", "a materialized")):
        assert done[4:] == [("dropped", older), ("failed", old)]
    assert partition_of(db, enqueue(db)[0]) != "notifications_default"
