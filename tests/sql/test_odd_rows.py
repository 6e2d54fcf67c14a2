"""A row that nothing of ours would have let in: set aside, cut and told; the others go on."""

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from service.ledger.migrate import migrate
from service.ledger.read_store import ReadStore
from service.ledger.schema import schema_root
from service.model.search import Search
from tests.ledger import cancel, change, claim, due, enqueue, put, row, settle

MIGRATIONS = schema_root() / "migrations"
BOUNDS = "do" + (MIGRATIONS / "0006-bounds.sql").read_text().partition("\ndo")[2]
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)


@pytest.fixture
def unbounded(db):
    """A ledger from before migration 0006."""
    db.execute(
        "alter table notify.notifications drop constraint times_are_within_1970_and_9999,"
        " drop constraint texts_are_short"
    )
    return db


def read(dsn, ask):
    async def asked():
        async with ReadStore(dsn, "notify-api") as store:
            return await ask(store)

    return asyncio.run(asked())


@pytest.mark.parametrize("odd", ["infinity", "-infinity"])
def test_looks_go_on_beside_a_time_that_is_none(unbounded, odd):
    sound = put(unbounded, "queued")
    change(unbounded, put(unbounded, "queued"), due_at=odd)
    change(unbounded, put(unbounded, "sending"), lease_until=odd)
    seen = due(unbounded)[2]
    assert sound in seen.ids
    assert all(0 <= ms < 1e15 for ms in seen.due_ms)
    assert seen.next_due_in is None or seen.next_due_in <= timedelta(days=367)
    age = unbounded.execute("select oldest_due_age as a from notify.gauges()").fetchone().a
    assert timedelta(0) <= age <= timedelta(days=3654)
    left = unbounded.execute("select notify.next_lease_in() as l").fetchone().l
    assert abs(left) <= timedelta(days=367)


@pytest.mark.parametrize("odd", ["infinity", "-infinity", "20000-01-01", "0044-03-15 BC"])
def test_reads_show_a_time_that_clients_can_read(unbounded, dsn, odd):
    id = put(unbounded, "sent")
    settled = settle(unbounded, claim(unbounded, enqueue(unbounded)))
    change(unbounded, id, due_at=odd, created_at=odd, send_at=odd, expires_at=odd, settled_at=odd)
    unbounded.execute("update notify.attempts set started_at = %s", [odd])
    page = read(
        dsn,
        lambda s: s.page(Search(), limit=9),
    )
    assert len(page.rows) == 2
    found = read(dsn, lambda s: s.find(id))
    for time in (found.due_at, found.created_at, found.send_at, found.expires_at, found.settled_at):
        assert time in (FIRST, LAST)
    assert read(dsn, lambda s: s.find(settled[0].id)).attempts[0].started_at in (FIRST, LAST)
    assert cancel(unbounded, [id])[0].settled_at in (FIRST, LAST)


def test_a_page_of_rows_with_long_texts_is_short(unbounded, dsn):
    for _ in range(50):
        change(
            unbounded,
            put(unbounded, "failed"),
            last_error="e" * 4_700_000,
            last_error_code="c" * 10_000,
            recipient="r" * 10_000,
            reference=None,
        )
    page = read(
        dsn,
        lambda s: s.page(Search(), limit=50),
    )
    assert len(msgspec.json.encode(page)) < 50 * 4000


def test_a_migration_brings_what_is_in_within_the_bounds(unbounded, dsn):
    """Else nothing could move such a row any more. A deferred trigger does not hinder it."""
    id = put(unbounded, "queued")
    unbounded.execute(
        "create function public.audit() returns trigger language plpgsql"
        " as $$ begin return null; end $$;"
        "create constraint trigger audit after update on notify.notifications"
        " deferrable initially deferred for each row execute function public.audit()"
    )
    unbounded.execute(
        "update notify.notifications set due_at = '-infinity', expires_at = 'infinity',"
        " send_at = '-infinity', last_error = repeat('x', 100000)"
    )
    unbounded.execute("delete from public._yoyo_migration where migration_id = '0006-bounds'")
    assert migrate(dsn) == ["0006-bounds"]
    got = row(unbounded, id)
    assert (got.due_at, got.expires_at, got.send_at) == (FIRST, None, None)
    assert len(got.last_error) == 500
    assert [s.status for s in settle(unbounded, claim(unbounded, [id]))] == ["sent"]


def test_what_came_while_a_migration_looked_is_brought_within_the_bounds_too(unbounded, dsn):
    """0006 looks before it has its constraints: a row that is inserted in between has neither."""
    id = put(unbounded, "queued")
    change(unbounded, id, expires_at="infinity", last_error="x" * 100_000)
    unbounded.execute(BOUNDS)
    unbounded.execute("delete from public._yoyo_migration where migration_id = '0009-bounds-again'")
    assert migrate(dsn) == ["0009-bounds-again"]
    assert [s.status for s in settle(unbounded, claim(unbounded, [id]))] == ["sent"]
