"""Plans at 200,000 rows over nine days: each function reads by its named index, where its rows are.

What a function really did is read from the server's own counters of scans, after enough calls for
generic plans. Each call is rolled back: counters stay, rows do not move.
"""

import os
from collections import Counter
from types import SimpleNamespace
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import namedtuple_row
from psycopg.sql import SQL, Identifier

from service.ledger.migrate import migrate
from tests.conftest import url_of
from tests.explaining import beat, note, state
from tests.grafana import queries, sql
from tests.ledger import (
    ago,
    bring_back,
    bring_strays_back,
    cancel,
    cancel_matching,
    claim,
    due,
    pause,
    paused,
    reap,
    redrive,
    release,
    set_due_aside,
    settle,
)  # fmt: skip

pytestmark = pytest.mark.slow  # 200,000 rows

ROWS = 200_000
DAYS = 9
BATCH = 500
A_LOOK_AT_THE_ENDS = 3 * DAYS  # of each day's index, by the planner
PAST_CUSTOM_PLANS = 8  # and as many dead entries on the way, hence 8 * BATCH below

FILL = """
insert into notify.notifications (id, channel, recipient, payload, priority, status, attempt,
  max_attempts, due_at, created_at, lease_until, claimed_by, settled_at, last_error_code, reference)
select (left(notify.id_floor(at)::text, 14) || '7' || substr(gen_random_uuid()::text, 16))::uuid,
  'log', 'r', '{}', mod(n, 4), status, (status <> 'queued')::int, 4,
  case when random() < 0.5 then at else now() + interval '20 days' end, at,
  case status when 'sending' then now() + (random() - 0.5) * interval '1 minute' end,
  case status when 'sending' then 'w:1' end,
  case when status in ('sent', 'failed') then at end,
  case status when 'failed' then '503' end, case mod(n, 1000) when 0 then 'r' || n end
from generate_series(1, %s) n,
  lateral (select now() - interval '1 minute' - mod(n, %s) * interval '1 day') as a(at),
  lateral (select (array['queued', 'sending', 'failed'] || array_fill('sent'::text, array[7]))
    [1 + floor(random() * 10 + 0 * n)]) as s(status)
"""
DAYS_OF_ALL = """
select relid::text as name from unnest(array['notify.notifications', 'notify.attempts']) of_all,
  pg_partition_tree(of_all::regclass) where isleaf
"""
SCANS = """
select t.relname as partition, coalesce(parent.relname, i.indexrelname) as index,
  i.idx_scan as scans, i.idx_tup_read as read
from pg_stat_user_indexes i join pg_stat_user_tables t using (relid)
left join pg_inherits h on h.inhrelid = i.indexrelid
left join pg_class parent on parent.oid = h.inhparent
where t.schemaname = 'notify'
  and t.relname not in ('quiet_days', 'settings', 'pauses') -- small ones, without a notification
union all
select relname, 'SEQ SCAN', seq_scan, seq_tup_read from pg_stat_user_tables
where schemaname = 'notify' and relname not in ('quiet_days', 'settings', 'pauses')
"""


@pytest.fixture(scope="module")
def full(servers, database_server):
    """A session on a ledger of 200,000 rows: a tenth queued (half due), sending, failed each."""
    name = f"notify_plans_{os.getpid()}"
    with psycopg.connect(servers.database_url, autocommit=True) as admin:
        admin.execute(SQL("create database {}").format(Identifier(name)))
        url = url_of(database_server, name)
        migrate(url)
        with psycopg.connect(url, autocommit=True, row_factory=namedtuple_row) as db:
            fill(db)
            yield db
        admin.execute(SQL("drop database {} with (force)").format(Identifier(name)))


def fill(db):
    db.execute("alter table notify.notifications disable trigger all")
    for day in range(DAYS):
        db.execute(
            "insert into notify.notifications (id, channel, recipient, payload)"
            " select (left(notify.id_floor(now() - %s * interval '1 day')::text, 14)"
            " || '7000-8000-000000000000')::uuid, 'log', 'r', '{}'",
            [day],
        )
    db.execute("select * from notify.keep_partitions(7, '30 days')")
    db.execute("delete from notify.notifications")
    for day in db.execute(DAYS_OF_ALL).fetchall():  # its snapshot would keep dead entries alive
        db.execute(SQL("alter table {} set (autovacuum_enabled = off)").format(SQL(day.name)))
    db.execute(FILL, [ROWS, DAYS])
    db.execute("alter table notify.notifications enable trigger all")
    vacuum(db, "analyze")


def vacuum(db, *options):
    """Leave no dead entry in an index: by itself VACUUM leaves those of a few pages there."""
    which = ", ".join(("index_cleanup on", *options))
    db.execute(SQL("vacuum ({}) notify.notifications").format(SQL(which)))


def counters(db):
    """Return how often each index of each partition was scanned, and how much each index read."""
    db.execute("select pg_stat_force_next_flush()")
    rows = db.execute(SCANS).fetchall()
    read = Counter()
    for r in rows:
        read[r.index] += r.read
    return Counter({(r.partition, r.index): r.scans for r in rows}), read


def touched(db, act):
    """Run `act` until its plans are generic; what the last run scanned and read."""
    for _ in range(PAST_CUSTOM_PLANS):
        before, read_before = counters(db)
        with db.transaction(force_rollback=True):
            answer = act()
        after, read_after = counters(db)
    scans = after - before
    return SimpleNamespace(
        answer=answer,
        indexes={index for _, index in scans},
        partitions={partition for partition, _ in scans},
        read=read_after - read_before,
    )


def some(db, status, *, days_ago):
    query = (
        "select id, attempt, tableoid::regclass::text as partition from notify.notifications"
        " where status = %s and due_at <= now() and created_at < now() - %s * interval '1 day'"
        " and created_at > now() - (%s + 1) * interval '1 day' order by id limit %s"
    )
    rows = db.execute(query, [status, days_ago, days_ago, BATCH]).fetchall()
    assert len(rows) == BATCH
    return rows, {r.partition.removeprefix("notify.") for r in rows}


def test_the_ledger_is_as_large_as_it_is_meant_to_be(full):
    count = "select count(*) as n, count(distinct tableoid) as days from notify.notifications"
    assert tuple(full.execute(count).fetchone()) == (ROWS, DAYS)


def test_a_claim_by_ids_reads_the_key_of_their_days_only(full):
    rows, partitions = some(full, "queued", days_ago=3)
    seen = touched(full, lambda: claim(full, [r.id for r in rows], limit=BATCH))
    assert len(seen.answer) == BATCH
    assert seen.indexes == {"notifications_pkey"}
    assert seen.partitions == partitions
    assert seen.read.total() <= 8 * BATCH


def test_a_claim_of_any_reads_the_due_index_and_no_more_than_it_takes(full):
    seen = touched(full, lambda: claim(full, limit=BATCH))
    assert len(seen.answer) == BATCH
    assert seen.indexes == {"notifications_due", "notifications_pkey"}
    assert seen.read["notifications_due"] <= 2 * BATCH
    assert seen.read["notifications_pkey"] <= 8 * BATCH


def test_a_settle_reads_the_key_of_its_days_only(full):
    rows, partitions = some(full, "sending", days_ago=2)
    seen = touched(full, lambda: settle(full, rows))
    assert len(seen.answer) == BATCH
    assert seen.indexes == {"notifications_pkey"}
    assert seen.partitions == partitions
    assert seen.read.total() <= 8 * BATCH


def test_a_settle_that_retries_counts_the_attempts_by_the_key_of_their_days(full):
    rows, partitions = some(full, "sending", days_ago=2)
    seen = touched(full, lambda: settle(full, rows, "temporary"))
    assert len(seen.answer) == BATCH
    assert seen.indexes == {"notifications_pkey", "attempts_pkey"}
    assert seen.partitions == partitions | {
        partition.replace("notifications", "attempts") for partition in partitions
    }
    assert seen.read.total() <= 8 * BATCH


def test_a_stale_settle_reads_the_key_of_its_days_only(full):
    rows, partitions = some(full, "sent", days_ago=2)
    seen = touched(full, lambda: settle(full, rows))
    assert seen.answer == []
    assert seen.indexes == {"notifications_pkey"}
    assert seen.partitions == partitions


def test_a_release_reads_the_key_of_its_days_only(full):
    rows, partitions = some(full, "sending", days_ago=1)
    seen = touched(full, lambda: release(full, rows))
    assert len(seen.answer) == BATCH
    assert seen.indexes == {"notifications_pkey"}
    assert seen.partitions == partitions


def test_a_reap_reads_the_leases_that_have_passed_and_their_keys(full):
    seen = touched(full, lambda: reap(full, limit=BATCH))
    assert len(seen.answer) == BATCH
    written = "attempts_pkey"  # looked up before a row is put there
    assert seen.indexes == {"notifications_leased", "notifications_pkey", written}
    assert seen.read["notifications_leased"] <= 2 * BATCH
    assert seen.read["notifications_pkey"] <= 8 * BATCH


def test_the_next_lease_is_read_from_the_head_of_each_day(full):
    seen = touched(full, lambda: full.execute("select notify.next_lease_in() as t").fetchone())
    assert seen.answer.t.total_seconds() < 0
    assert seen.indexes == {"notifications_leased"}
    assert seen.read.total() <= 3 * DAYS


def test_what_a_worker_holds_is_read_from_the_leases_and_the_keys_of_attempts(full):
    sending = full.execute(
        "select count(*) as n from notify.notifications where status = 'sending'"
    ).fetchone()
    seen = touched(full, lambda: full.execute("select * from notify.held('w:1', 10000)").fetchall())
    assert seen.indexes == {"notifications_leased", "attempts_pkey"}
    assert seen.read.total() <= 3 * sending.n + DAYS


def test_how_many_are_ahead_is_read_from_the_due_index_and_no_further_than_the_limit(full):
    query = "select notify.ahead_of(3::smallint, now(), notify.new_id(), %s) as n"
    seen = touched(full, lambda: full.execute(query, [BATCH]).fetchone())
    assert seen.answer.n == BATCH
    assert seen.indexes == {"notifications_due"}
    assert seen.read.total() <= 2 * BATCH + A_LOOK_AT_THE_ENDS


@pytest.mark.parametrize("status", ["queued", "sending", "sent", "failed"])
def test_an_explanation_reads_its_row_and_what_is_ahead_of_it(full, status):
    [row, *_], _ = some(full, status, days_ago=3)
    before = "select count(*) as n from notify.notifications where status = 'queued'"
    most = 2 * full.execute(before).fetchone().n if status == "queued" else A_LOOK_AT_THE_ENDS
    query = "select * from notify.explain(%s)"
    seen = touched(full, lambda: full.execute(query, [row.id]).fetchall())
    assert seen.answer[-1].code == "enqueued"
    assert seen.read["SEQ SCAN"] == 0
    assert seen.read.total() <= most + 8


@pytest.mark.parametrize("status", ["queued", "sending", "sent"])
def test_a_cancel_reads_the_key_of_its_days_only(full, status):
    rows, partitions = some(full, status, days_ago=3)
    seen = touched(full, lambda: cancel(full, [r.id for r in rows]))
    assert [t.was_cancelled for t in seen.answer] == [status == "queued"] * BATCH
    assert seen.indexes == {"notifications_pkey"}
    assert seen.partitions == partitions
    assert seen.read.total() <= 8 * BATCH


def test_a_wish_to_hear_of_ends_reads_their_days_only(full):
    rows, partitions = some(full, "queued", days_ago=3)
    query = "select * from notify.ask_end(%s::uuid[])"
    seen = touched(full, lambda: full.execute(query, [[r.id for r in rows]]).fetchall())
    assert {r.state for r in seen.answer} == {"asked"}
    assert seen.indexes == {"notifications_pkey"}
    assert seen.partitions == partitions
    assert seen.read.total() <= 4 * 8 * BATCH


def test_a_redrive_by_ids_reads_their_days_only(full):
    rows, partitions = some(full, "failed", days_ago=3)
    seen = touched(full, lambda: redrive(full, ids=[r.id for r in rows]))
    assert seen.answer.redriven == BATCH
    assert seen.indexes <= {"notifications_pkey", "notifications_failed"}
    assert seen.partitions == partitions
    assert seen.read.total() <= 8 * BATCH


def test_a_redrive_by_filter_walks_the_dead_letters_no_further_than_its_limit(full):
    seen = touched(full, lambda: redrive(full, code="503", limit=BATCH))
    assert (seen.answer.redriven, seen.answer.more) == (BATCH, True)
    assert seen.indexes == {"notifications_pkey", "notifications_failed"}
    assert seen.read["notifications_failed"] <= 2 * BATCH + A_LOOK_AT_THE_ENDS
    assert seen.read.total() <= 10 * BATCH


def test_a_redrive_by_time_reads_the_days_it_names_only(full):
    until = ago(full, "7 days")
    seen = touched(full, lambda: redrive(full, until=until, limit=ROWS, dry_run=True))
    assert seen.answer.matched > BATCH
    assert len(seen.partitions) <= 4 < DAYS
    # An id may be of a day around its created_at, so a day more is looked at; a tenth of it failed.
    most = seen.answer.matched + 2 * ROWS // DAYS // 10
    assert seen.read["notifications_failed"] <= most
    assert seen.read.total() <= most + A_LOOK_AT_THE_ENDS


def test_a_redrive_by_reference_reads_no_more_than_it_finds(full):
    query = "select reference from notify.notifications where reference is not null limit 1"
    reference = full.execute(query).fetchone().reference
    seen = touched(full, lambda: redrive(full, reference=reference, dry_run=True))
    assert seen.read["notifications_reference"] == 1
    assert seen.read.total() <= 1 + A_LOOK_AT_THE_ENDS


ONCE = 1.5  # with the dead entries that the tests before have left


def queued_in(db):
    query = "select count(*) as n from notify.notifications where status = 'queued'"
    return db.execute(query).fetchone().n


@pytest.mark.parametrize(
    "which",
    [{"channel": "log"}, {"producer": "nobody"}, {"recipients": ["nobody"]}, {"destination": "x"}],
)
def test_a_cancel_by_filter_reads_what_is_queued_once(full, which):
    seen = touched(full, lambda: cancel_matching(full, dry_run=True, limit=ROWS, **which))
    queued = queued_in(full)
    assert seen.answer.matched == (queued if which == {"channel": "log"} else 0)
    assert walked(seen) == {"notifications_due"}
    assert seen.read.total() <= ONCE * queued


def test_a_cancel_by_filter_moves_its_rows_by_their_keys(full):
    seen = touched(full, lambda: cancel_matching(full, limit=BATCH))
    assert (seen.answer.cancelled, seen.answer.more) == (BATCH, True)
    assert seen.indexes == {"notifications_due", "notifications_pkey"}
    assert seen.read["SEQ SCAN"] == 0
    assert seen.read.total() <= ONCE * queued_in(full) + 10 * BATCH


@pytest.mark.parametrize("channel", ["log", "email"])
def test_a_cancel_where_more_is_queued_than_may_be_looked_at_walks_the_key(full, channel):
    seen = touched(
        full, lambda: cancel_matching(full, channel=channel, look_max=3000, dry_run=True)
    )
    assert seen.answer.more
    assert seen.indexes == {"notifications_due", "notifications_pkey"}
    assert seen.read.total() <= 2 * 3000 + 2 * A_LOOK_AT_THE_ENDS + 100


def test_a_cancel_by_time_reads_the_days_it_names_only(full):
    until = ago(full, "7 days")
    seen = touched(full, lambda: cancel_matching(full, until=until, limit=ROWS, dry_run=True))
    assert seen.answer.matched > BATCH
    assert len(seen.partitions) <= 4 < DAYS
    assert seen.read.total() <= ONCE * 4 * queued_in(full) / DAYS


def test_a_cancel_by_reference_reads_no_more_than_it_finds(full):
    query = "select reference from notify.notifications where reference is not null limit 1"
    reference = full.execute(query).fetchone().reference
    seen = touched(full, lambda: cancel_matching(full, reference=reference, dry_run=True))
    assert seen.read["notifications_reference"] == 1
    assert seen.read.total() <= 1 + A_LOOK_AT_THE_ENDS


def test_a_probe_looks_at_a_bounded_number_of_what_is_parked(full):
    def ask():
        beat(full)
        note(full, state("https://hooks.example"))
        query = "select * from notify.ask_probe('webhook', 'https://hooks.example')"
        return full.execute(query).fetchone()

    seen = touched(full, ask)
    assert seen.answer.brought == 0
    of_small_tables = {"SEQ SCAN", "destination_state_pkey", "probes_pkey", "workers_pkey"}
    assert walked(seen) - of_small_tables == {"notifications_due"}
    assert seen.read.total() <= 4 * (5000 + DAYS) + A_LOOK_AT_THE_ENDS


LOOK_MAX = 20_000
A_WALK = LOOK_MAX + A_LOOK_AT_THE_ENDS + 100  # a cursor fetches some rows ahead
INDEX_OF = {
    "failed": "notifications_failed",
    "cancelled": "notifications_ended",
    "expired": "notifications_ended",
    "sent": "notifications_pkey",
    None: "notifications_pkey",
}


MORE = ("producer", "recipients", "destination", "code", "worker", "from", "until")


def walked(seen):
    """Name the indexes that were walked: the planner looks at the ends of the key besides."""
    is_looked_at = seen.read["notifications_pkey"] <= A_LOOK_AT_THE_ENDS
    return seen.indexes - ({"notifications_pkey"} if is_looked_at else set())


def page(db, status=None, channel=None, reference=None, before=None, **more):
    """`more`: those of MORE, with from and until in days ago."""
    query = (
        "select * from notify.page(p_producer => %(producer)s, p_status => %(status)s,"
        " p_channel => %(channel)s, p_reference => %(reference)s,"
        " p_recipients => %(recipients)s::text[], p_destination => %(destination)s,"
        " p_code => %(code)s, p_worker => %(worker)s,"
        " p_from => now() - %(from)s * interval '1 day',"
        " p_until => now() - %(until)s * interval '1 day', p_before => %(before)s, p_limit => 50,"
        f" p_look_max => {LOOK_MAX})"
    )
    which = dict.fromkeys(MORE) | more
    given = {"status": status, "channel": channel, "reference": reference, "before": before}
    return db.execute(query, which | given).fetchone()


@pytest.mark.parametrize("channel", [None, "log"])
@pytest.mark.parametrize("status", ["failed", "sent", None])
def test_a_page_of_what_there_is_much_of_reads_little_more_than_it_shows(full, status, channel):
    seen = touched(full, lambda: page(full, status, channel))
    assert len(seen.answer.ids) == 50
    assert walked(seen) <= {INDEX_OF[status]}
    assert seen.read.total() <= 300 + A_LOOK_AT_THE_ENDS


@pytest.mark.parametrize("channel", [None, "log", "email"])
@pytest.mark.parametrize("status", ["cancelled", "expired"])
def test_a_page_of_a_rare_end_reads_its_index_alone(full, status, channel):
    seen = touched(full, lambda: page(full, status, channel))
    assert (seen.answer.ids, seen.answer.following) == ([], None)
    assert walked(seen) == {"notifications_ended"}
    assert seen.read.total() <= A_LOOK_AT_THE_ENDS


@pytest.mark.parametrize("status", ["failed", "sent", "queued", "sending", None])
def test_a_page_that_finds_nothing_ends_after_a_bounded_look(full, status):
    vacuum(full)  # dead entries of other tests' rows count too
    seen = touched(full, lambda: page(full, status, "email"))
    assert seen.answer.ids == []
    assert seen.read["SEQ SCAN"] == 0
    moving = {"queued": "notifications_due", "sending": "notifications_leased"}.get(status)
    assert walked(seen) <= {INDEX_OF.get(status, "notifications_pkey"), moving}
    assert seen.read.total() <= A_WALK * (2 if moving else 1)


@pytest.mark.parametrize("status", [None, *["queued", "sending", "sent", "failed", "expired"]])
@pytest.mark.parametrize("channel", [None, "log", "email"])
def test_a_page_of_a_reference_reads_no_more_than_there_are_of_it(full, status, channel):
    query = "select reference from notify.notifications where reference is not null limit 1"
    reference = full.execute(query).fetchone().reference
    for given, n in ((reference, 1), ("nobody's", 0)):
        seen = touched(full, lambda given=given: page(full, status, channel, given))
        assert walked(seen) == {"notifications_reference"}
        assert seen.read.total() <= n + A_LOOK_AT_THE_ENDS


@pytest.mark.parametrize("status", ["queued", "sending"])
def test_few_that_move_are_found_at_once_wherever_they_are(full, status):
    before = full.execute("select notify.id_floor(now() - interval '8 days') as id").fetchone().id
    oldest = "select count(*) as n from notify.notifications where status = %s and id < %s"
    wanted = full.execute(oldest, [status, before]).fetchone().n
    seen = touched(full, lambda: page(full, status, before=before))
    assert len(seen.answer.ids) == min(50, wanted) > 0
    assert walked(seen) == {
        {"queued": "notifications_due", "sending": "notifications_leased"}[status]
    }
    assert seen.read.total() <= wanted + A_LOOK_AT_THE_ENDS


def test_a_page_opens_the_days_that_it_walks_and_no_more(full):
    before = full.execute("select notify.id_floor(now() - interval '3 days') as id").fetchone().id
    seen = touched(full, lambda: page(full, before=before))
    assert len(seen.partitions) <= DAYS - 2
    assert seen.read.total() <= 50 + A_LOOK_AT_THE_ENDS + 100


NOWHERE = [
    {"recipients": ["nobody"]},
    {"producer": "nobody"},
    {"code": "nothing"},
    {"destination": "nobody"},
]


@pytest.mark.parametrize("status", ["failed", "sent", "queued", "sending", None])
@pytest.mark.parametrize("which", NOWHERE, ids=lambda which: next(iter(which)))
def test_a_search_that_finds_nothing_ends_after_a_bounded_look(full, status, which):
    vacuum(full)
    seen = touched(full, lambda: page(full, status, **which))
    assert seen.answer.ids == []
    moving = {"queued": "notifications_due", "sending": "notifications_leased"}.get(status)
    assert walked(seen) <= {INDEX_OF.get(status, "notifications_pkey"), moving}
    assert seen.read.total() <= A_WALK * (2 if moving else 1)


@pytest.mark.parametrize("which", [*NOWHERE, {"worker": "w"}, {"from": 20}, {"until": 0}],
                         ids=lambda which: next(iter(which)))  # fmt: skip
def test_a_search_by_a_reference_reads_no_more_than_there_are_of_it(full, which):
    query = "select reference from notify.notifications where reference is not null limit 1"
    reference = full.execute(query).fetchone().reference
    seen = touched(full, lambda: page(full, reference=reference, **which))
    assert walked(seen) <= {"notifications_reference", "attempts_pkey"}
    assert seen.read.total() <= 2 + A_LOOK_AT_THE_ENDS


@pytest.mark.parametrize("status", [None, "sent", "failed"])
def test_a_search_of_a_time_reads_its_days_alone(full, status):
    """The newest rows are skipped: its bounds are bounds of the ids."""
    seen = touched(full, lambda: page(full, status, **{"from": 4, "until": 3}))
    assert len(seen.answer.ids) == 50
    assert walked(seen) <= {INDEX_OF[status]}
    assert seen.read.total() <= 500 + A_LOOK_AT_THE_ENDS
    nothing = touched(full, lambda: page(full, status, **{"from": 4.6, "until": 4.4}))
    assert (nothing.answer.ids, nothing.answer.following) == ([], None)
    assert nothing.read.total() <= A_LOOK_AT_THE_ENDS


@pytest.mark.parametrize("status", ["queued", "sending"])
def test_what_moves_is_found_by_its_time_within_a_bounded_look(full, status):
    seen = touched(full, lambda: page(full, status, **{"from": 9, "until": 7.5}))
    assert len(seen.answer.ids) == 50
    assert seen.read.total() <= A_WALK + 1000


@pytest.fixture(scope="module")
def attempted(full):
    """Give the newest 30,000 rows an attempt of a worker."""
    full.execute(
        "insert into notify.attempts (notification_id, attempt, started_at, outcome, worker)"
        " select id, 1, now(), 'temporary', 'host:' || mod(n, 10) from (select id, row_number()"
        " over (order by id desc) as n from notify.notifications order by id desc limit 30000) o"
    )
    # Not the others: of a day that is known to be empty the planner reads the table.
    for day in full.execute(
        "select distinct tableoid::regclass::text as name from notify.attempts"
    ):
        full.execute(SQL("vacuum analyze {}").format(Identifier(*day.name.split("."))))
    return full


@pytest.mark.parametrize("status", ["failed", "sent", None])
def test_a_search_by_worker_reads_the_attempts_of_what_it_looks_at(attempted, status):
    vacuum(attempted)
    seen = touched(attempted, lambda: page(attempted, status, worker="host:7"))
    assert len(seen.answer.ids) == 50
    assert walked(seen) == {INDEX_OF[status], "attempts_pkey"}
    assert seen.read["attempts_pkey"] <= seen.answer.looked + 100
    nothing = touched(attempted, lambda: page(attempted, status, worker="nobody"))
    assert (nothing.answer.ids, nothing.answer.looked > 1000) == ([], True)
    assert walked(nothing) == {INDEX_OF[status], "attempts_pkey"}
    assert nothing.read["SEQ SCAN"] == 0
    assert nothing.read["attempts_pkey"] <= LOOK_MAX / 4 + 100
    assert nothing.read[INDEX_OF[status]] <= LOOK_MAX / 4 + A_LOOK_AT_THE_ENDS + 100


@pytest.mark.parametrize(
    "which",
    [{"code": "404"}, {"channel": "email"}, {"reference": "nobody's"}, {"from": "2020-01-01"}],
)
def test_a_redrive_that_finds_nothing_ends_after_a_bounded_look(full, which):
    seen = touched(full, lambda: redrive(full, look_max=3000, **({"code": "404"} | which)))
    assert seen.answer.matched == 0
    assert seen.read.total() <= 3000 + 2 * A_LOOK_AT_THE_ENDS + 100
    assert seen.read["SEQ SCAN"] == 0


def outcomes(db, which, given):
    query = f"select o.id from notify.outcomes({which}) o"
    return [o.id for o in db.execute(query, [given]).fetchall()]


@pytest.fixture(scope="module")
def owned(full):
    """Let this session's role be the producer of every thousandth row, which have a reference."""
    full.execute(
        "update notify.notifications set producer = session_user where reference is not null"
    )
    vacuum(full, "analyze")
    return full


def test_a_producer_reads_one_of_its_outcomes_by_the_key_of_its_day(owned):
    query = "select id from notify.notifications where reference is not null limit 1 offset 50"
    id = owned.execute(query).fetchone().id
    seen = touched(owned, lambda: outcomes(owned, "by_id => %s", id))
    assert seen.answer == [id]
    assert seen.indexes == {"notifications_pkey"}
    assert len(seen.partitions) == 1
    assert 1 <= seen.read.total() <= 8  # one, and what another session keeps from a vacuum


def test_a_producer_reads_no_more_of_a_reference_than_there_is_of_it(owned):
    query = "select reference, id from notify.notifications where reference is not null limit 1"
    one = owned.execute(query).fetchone()
    for reference, found in ((one.reference, [one.id]), ("nobody's", [])):
        seen = touched(owned, lambda given=reference: outcomes(owned, "by_reference => %s", given))
        assert seen.answer == found
        assert seen.read["SEQ SCAN"] == 0
        assert seen.read["notifications_reference"] == len(found)
        assert seen.read.total() <= 2 * len(found) + A_LOOK_AT_THE_ENDS


def test_a_producer_reads_of_a_time_the_days_since_then_and_a_bounded_number_of_rows(owned):
    since = ago(owned, "2 days")
    seen = touched(owned, lambda: outcomes(owned, "since => %s", since))
    assert 0 < len(seen.answer) < ROWS / 1000
    assert seen.indexes == {"notifications_pkey"}
    assert seen.read.total() <= 3 * ROWS / DAYS + len(seen.answer) + A_LOOK_AT_THE_ENDS

    def ask_for_all():
        with pytest.raises(psycopg.errors.DatabaseError, match="too many"), owned.transaction():
            outcomes(owned, "since => %s", "-infinity")

    seen = touched(owned, ask_for_all)
    assert 90_000 < seen.read.total() <= 100_000 + A_LOOK_AT_THE_ENDS + 200


@pytest.fixture
def asks(owned):
    """A producer's session, for which every thousandth row is its own, and no more."""
    url = f"postgresql://asks_plans:p@{owned.info.host}:{owned.info.port}/{owned.info.dbname}"
    owned.execute("create role asks_plans login password 'p'")
    owned.execute("select notify.grant_producer('asks_plans', session_user)")
    with psycopg.connect(url, autocommit=True, row_factory=namedtuple_row) as session:
        yield session
    owned.execute("select notify.revoke_producer('asks_plans')")
    owned.execute("drop owned by asks_plans; drop role asks_plans")


def by_view(db, asks, where, given=()):
    """Ask the view as a producer; what it answered, and what was scanned in all sessions."""

    def act():
        rows = asks.execute(f"select id from notify.outcomes where {where}", given).fetchall()
        asks.execute("select pg_stat_force_next_flush()")
        asks.execute("select 1")  # it is flushed when the session is idle again
        return [row.id for row in rows]

    return touched(db, act)


def one_of(db):
    query = "select reference, id from notify.notifications where reference is not null limit 1"
    return db.execute(query).fetchone()


def test_the_view_finds_an_id_by_the_key_of_its_day(owned, asks):
    id = one_of(owned).id
    seen = by_view(owned, asks, "id = %s", [id])
    assert seen.answer == [id]
    assert seen.indexes == {"notifications_pkey"}
    assert len(seen.partitions) == 1


def test_the_view_finds_a_reference_by_its_index_and_reads_no_more_than_there_is(owned, asks):
    one = one_of(owned)
    for reference, found in ((one.reference, [one.id]), ("nobody's", [])):
        seen = by_view(owned, asks, "reference = %s", [reference])
        assert seen.answer == found
        assert seen.indexes <= {"notifications_reference", "SEQ SCAN"}
        assert seen.read["SEQ SCAN"] == 0  # days to come are empty
        assert seen.read.total() <= 2 * len(found)


def test_the_view_opens_the_days_since_a_time_and_no_others(owned, asks):
    seen = by_view(owned, asks, "id >= notify.id_floor(now() - interval '25 hours')")
    assert 0 < len(seen.answer) <= 2 * ROWS / DAYS / 1000 + 1
    today = owned.execute("select to_char(now() at time zone 'utc', 'YYYYMMDD') as d").fetchone().d
    assert min(int(day[-8:]) for day in seen.partitions if day[-8:].isdigit()) >= int(today) - 2
    assert seen.read["SEQ SCAN"] == 0


def test_a_join_of_a_thousand_orders_looks_into_the_index_for_each(owned, asks):
    asks.execute(
        "create temp table orders as select 'r' || n * 1000 as reference"
        " from generate_series(1, 1000) n; analyze orders"
    )
    join = (
        "select o.id from orders left join lateral notify.outcome_of(reference) o on true"
        " where o.id is not null"
    )

    def act():
        rows = asks.execute(join).fetchall()
        asks.execute("select pg_stat_force_next_flush()")
        asks.execute("select 1")
        return rows

    seen = touched(owned, act)
    assert len(seen.answer) == ROWS / 1000
    assert seen.indexes == {"notifications_reference", "notifications_pkey"}
    assert seen.read["SEQ SCAN"] == 0
    assert seen.read.total() <= 3 * len(seen.answer)


def test_a_wait_reads_the_keys_of_its_days(owned, asks):
    rows = owned.execute(
        "select id, tableoid::regclass::text as day from notify.notifications"
        " where reference is not null and settled_at is null limit 100"
    ).fetchall()
    seen = touched(owned, lambda: owned.execute(
        "select notify.unended(%s) as ids", [[row.id for row in rows]]).fetchone().ids)  # fmt: skip
    assert len(seen.answer) == len(rows) > 0
    assert seen.indexes == {"notifications_pkey"}
    assert seen.partitions == {row.day.removeprefix("notify.") for row in rows}


ONE_NOTIFICATION = [
    query.text for query in queries("postgres") if query.dashboard == "one-notification.json"
]


def of_dashboard(db, text, **chosen):
    chosen = {"id": "", "reference": "", "notification": "(none)"} | chosen
    return touched(db, lambda: db.execute(sql(text, **chosen)).fetchall())


@pytest.mark.parametrize("text", [t for t in ONE_NOTIFICATION if "${notification:" in t])
def test_a_dashboard_reads_one_notification_by_the_key_of_its_day(full, text):
    rows, partitions = some(full, "sent", days_ago=3)
    seen = of_dashboard(full, text, notification=str(rows[0].id))
    assert seen.answer or "attempts a" in text or "'queued'" in text
    assert seen.indexes <= {"notifications_pkey", "attempts_pkey"}
    assert seen.partitions <= partitions | {
        p.replace("notifications", "attempts") for p in partitions
    }
    assert seen.read.total() <= A_LOOK_AT_THE_ENDS


@pytest.mark.parametrize("text", [t for t in ONE_NOTIFICATION if "${reference:" in t])
def test_a_dashboard_reads_no_more_of_a_reference_than_it_finds(full, text):
    query = "select reference from notify.notifications where reference is not null limit 1"
    reference = full.execute(query).fetchone().reference
    seen = of_dashboard(full, text, reference=reference)
    assert len(seen.answer) >= 1
    assert seen.read["SEQ SCAN"] == 0  # days to come are empty
    assert seen.read["notifications_reference"] == 1
    assert seen.read.total() <= 1 + A_LOOK_AT_THE_ENDS


@pytest.mark.parametrize("floor_ms", [None, 0.0])
def test_a_look_reads_the_due_index_and_walks_no_row_of_the_future(full, floor_ms):
    seen = touched(full, lambda: due(full, BATCH, floors=[floor_ms] * 4))
    assert [len(lane.ids) for lane in seen.answer.values()] == [BATCH] * 4
    assert all(lane.next_due_in for lane in seen.answer.values())
    assert seen.indexes == {"notifications_due"}
    assert seen.read.total() <= 4 * (BATCH + 3 * DAYS)


def test_a_look_at_nothing_reads_next_to_nothing(full):
    later = 4e12
    seen = touched(full, lambda: due(full, BATCH, floors=[later] * 4))
    assert [lane.ids for lane in seen.answer.values()] == [[]] * 4
    assert seen.read.total() <= 4 * 3 * DAYS


def test_the_proof_of_a_clock_that_was_ahead_reads_nothing_where_there_is_none(full):
    seen = touched(full, lambda: full.execute("select notify.born_ahead() as at").fetchone())
    assert seen.answer.at is None
    assert seen.read.total() <= A_LOOK_AT_THE_ENDS


def test_mending_reads_the_days_it_is_given_and_no_more_than_it_looks_at(full):
    _, partitions = some(full, "sending", days_ago=2)
    day = "date_trunc('day', now() - interval '1 minute' - interval '{} days', 'UTC')"
    days = f"notify.id_floor({day.format(2)}), notify.id_floor({day.format(1)})"
    mend = f"select * from notify.mend_due({days}, 2::smallint, '-infinity', %s, %s)"
    first = UUID(int=0)
    seen = touched(full, lambda: full.execute(mend, [first, BATCH]).fetchone())
    assert {name.replace("attempts", "notifications") for name in seen.partitions} <= partitions
    assert seen.indexes <= {"notifications_due", "notifications_pkey", "attempts_pkey"}
    assert seen.read["notifications_due"] <= 2 * BATCH
    cut = f"select notify.mend_leases({days}, '-1 hour', %s) as n"
    seen = touched(full, lambda: full.execute(cut, [BATCH]).fetchone())
    assert seen.answer.n == BATCH
    assert seen.partitions <= partitions
    assert seen.indexes == {"notifications_leased", "notifications_pkey"}
    assert seen.read["notifications_leased"] <= 2 * BATCH


def test_the_gauges_read_the_partial_indexes_only(full):
    seen = touched(full, lambda: full.execute("select * from notify.gauges()").fetchone())
    assert seen.answer.queued > ROWS / 12
    assert seen.indexes <= {"notifications_due", "notifications_leased"}


def test_the_stuck_rows_are_read_from_the_heads_of_the_partial_indexes(full):
    heads, lanes, leases = 100 + 500 + 1, 4, 1000
    query = "select * from notify.stuck('10 s', 5)"
    seen = touched(full, lambda: full.execute(query).fetchall())
    assert {"overdue", "lease"} <= {row.kind for row in seen.answer}
    assert seen.indexes <= {"notifications_due", "notifications_leased", "attempts_pkey"}
    assert seen.read["attempts_pkey"] <= A_LOOK_AT_THE_ENDS  # none has ended
    assert seen.read.total() <= lanes * heads + leases + DAYS * (2 * lanes + 1)


def test_the_vitals_read_no_row_of_a_day(full):
    seen = touched(full, lambda: full.execute("select * from notify.vitals()").fetchone())
    assert seen.answer.notifications_bytes > ROWS * 100
    assert seen.partitions <= {"notifications_default", "attempts_default"}
    assert seen.indexes <= {"notifications_pkey", "attempts_pkey"}
    assert seen.read.total() == 0


@pytest.mark.parametrize("status", ["queued", "sending", "failed"])
def test_counting_for_the_service_level_reads_nothing_of_its_own(full, status):
    rows, partitions = some(full, status, days_ago=2)
    act = {
        "queued": lambda: claim(full, [r.id for r in rows], limit=BATCH),
        "sending": lambda: settle(full, rows),
        "failed": lambda: redrive(full, ids=[r.id for r in rows]),
    }[status]
    assert touched(full, act).partitions == partitions


def test_keeping_partitions_reads_no_row_when_there_is_nothing_to_do(full):
    seen = touched(
        full, lambda: full.execute("select * from notify.keep_partitions(7, '30 days')").fetchall()
    )
    assert seen.answer == []
    assert seen.read.total() == 0


def test_finding_a_person_walks_the_key_no_further_than_it_may_look(full):
    find = "select * from notify.find_person('{nobody}', null, %s, 1000, 20000)"
    first = full.execute("select notify.id_floor(now() - interval '30 days') as id").fetchone().id
    seen = touched(full, lambda: full.execute(find, [first]).fetchone())
    assert (seen.answer.ids, seen.answer.following is None) == ([], False)
    assert seen.indexes == {"notifications_pkey"}
    assert seen.read.total() <= A_WALK


def test_finding_a_reference_reads_no_more_than_there_are_of_it(full):
    query = "select reference from notify.notifications where reference is not null limit 1"
    reference = full.execute(query).fetchone().reference
    find = "select * from notify.find_person(null, %s, null, 1000, 20000)"
    seen = touched(full, lambda: full.execute(find, [reference]).fetchone())
    assert (len(seen.answer.ids), seen.answer.following) == (1, None)
    assert walked(seen) == {"notifications_reference"}
    assert seen.read.total() <= 1 + A_LOOK_AT_THE_ENDS


def test_erasing_reads_the_keys_of_what_it_found_and_of_its_days(full):
    erase = "select * from notify.erase('{r}', null, null, %s, 20000, false)"
    seen = touched(full, lambda: full.execute(erase, [BATCH]).fetchone())
    assert seen.answer.matched == BATCH
    keys = {"idempotency_keys_pkey", "idempotency_keys_before_pkey"}
    assert seen.indexes <= {"notifications_pkey", "attempts_pkey", "audit_pkey"} | keys
    assert seen.read["SEQ SCAN"] == 0
    assert seen.read.total() <= 5 * PAST_CUSTOM_PLANS * BATCH  # dead ones of the calls before


def test_an_export_reads_the_keys_of_its_days_only(full):
    rows, partitions = some(full, "sent", days_ago=3)
    ids = [r.id for r in rows]
    export = "select line from notify.export(%s)"
    seen = touched(full, lambda: full.execute(export, [ids]).fetchall())
    assert len(seen.answer) == BATCH
    assert seen.indexes == {"notifications_pkey", "attempts_pkey"}
    assert seen.partitions <= partitions | {
        p.replace("notifications", "attempts") for p in partitions
    }
    assert seen.read.total() <= 2 * BATCH


def test_emptying_reads_the_key_of_one_day_from_where_it_stopped(full):
    full.execute(
        "insert into notify.emptied_days values ('-infinity', null, 0, 0, '0', now())"
        " on conflict do nothing"
    )
    vacuum(full)  # dead entries of other tests' rows count too
    empty = "select * from notify.empty_payloads('2 days', %s)"
    seen = touched(full, lambda: full.execute(empty, [BATCH]).fetchone())
    assert seen.answer.emptied + seen.answer.left_over == BATCH
    days = {p for p in seen.partitions if p.startswith("notifications_2")}
    assert days == {seen.answer.partition}
    assert seen.indexes <= {"notifications_pkey", "emptied_days_pkey"}
    assert seen.read["notifications_pkey"] <= 8 * BATCH


@pytest.fixture
def kept(full):
    """Pause what is due, and set the first of each lane aside; at the end all is as due as ever."""
    pause(full, "channel", "log")
    assert set_due_aside(full, BATCH) == 4 * BATCH
    yield full
    full.execute("update notify.pauses set resumed_at = now() where resumed_at is null")
    while paused(full):
        bring_back(full, ROWS)


@pytest.mark.usefixtures("kept")
def test_setting_aside_reads_the_head_of_each_lane_and_the_keys_of_what_it_finds(full):
    seen = touched(full, lambda: set_due_aside(full, BATCH))
    assert seen.answer == 4 * BATCH
    assert seen.indexes == {"notifications_due", "notifications_pkey"}
    assert seen.read["notifications_due"] <= 2 * 4 * (BATCH + DAYS) + 4 * BATCH
    assert seen.read["notifications_pkey"] <= 12 * 4 * BATCH


@pytest.mark.usefixtures("kept")
def test_a_claim_of_what_is_paused_reads_the_key_of_its_days_only(full):
    rows, partitions = some(full, "queued", days_ago=3)
    seen = touched(full, lambda: claim(full, [r.id for r in rows], limit=BATCH))
    assert seen.answer == []
    assert seen.indexes == {"notifications_pkey"}
    assert seen.partitions == partitions
    assert seen.read.total() <= 12 * BATCH


@pytest.mark.usefixtures("kept")
def test_bringing_back_reads_what_waits_for_that_pause_and_what_is_due_to_its_limit(full):
    full.execute("update notify.pauses set resumed_at = now()")
    seen = touched(full, lambda: bring_back(full, 10 * BATCH))
    assert seen.answer == 4 * BATCH
    assert seen.indexes == {"notifications_due", "notifications_pkey"}
    assert seen.read["notifications_due"] <= 8 * 4 * 10 * BATCH
    assert seen.read["notifications_pkey"] <= 12 * 4 * BATCH


@pytest.mark.usefixtures("kept")
def test_a_look_for_strays_walks_nothing_of_what_waits_for_a_pause(full):
    seen = touched(full, lambda: bring_strays_back(full))
    assert seen.answer == 0
    assert seen.indexes == {"notifications_due"}
    assert seen.read.total() <= 4 * 4 * DAYS


@pytest.mark.usefixtures("kept")
def test_the_list_of_pauses_reads_no_more_than_it_counts(full):
    seen = touched(full, lambda: paused(full, count_max=100))
    assert [p.waiting for p in seen.answer] == [100]
    assert seen.indexes == {"notifications_due"}
    assert seen.read.total() <= 100 + 4 * DAYS


@pytest.mark.usefixtures("kept")
def test_a_look_walks_nothing_of_what_waits_for_a_pause(full):
    query = "select count(*) as n from notify.notifications where due_at >= '3000-01-01Z'"
    assert full.execute(query).fetchone().n == 4 * BATCH
    seen = touched(full, lambda: due(full, limit=BATCH))
    assert all(len(lane.ids) == BATCH for lane in seen.answer.values())
    assert seen.read["notifications_due"] <= 2 * 4 * (BATCH + 2 * DAYS) + 4 * BATCH
