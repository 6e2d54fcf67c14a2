"""What the database has set for its other users changes nothing of ours."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from psycopg.sql import SQL, Identifier

from service.ledger.doctor_store import DoctorStore
from service.ledger.enqueue_store import EnqueueStore
from service.ledger.leader_store import LeaderStore
from service.ledger.read_store import ReadStore
from service.ledger.verb_store import VerbStore
from service.model.search import Search
from service.model.verbs import NewUse
from tests import ledger
from tests.waiting import wait_for

SETTINGS = {
    "array_nulls": "off",
    "client_encoding": "LATIN1",
    "bytea_output": "escape",
    "datestyle": "German, DMY",
    "default_transaction_isolation": "serializable",
    "extra_float_digits": "-15",
    "intervalstyle": "sql_standard",
    "plpgsql.extra_errors": "all",
    "standard_conforming_strings": "off",
    "timezone": "Pacific/Apia",
    "transform_null_equals": "on",
}


class EveryStore(EnqueueStore, ReadStore, VerbStore, LeaderStore, DoctorStore):
    """The calls of every role, on one pool."""


@pytest.mark.parametrize("name", SETTINGS)
def test_a_notification_goes_its_road_and_is_read(db, dsn, start, name):
    set_it = SQL("alter database {} set {} = {}").format(
        Identifier(db.info.dbname), SQL(name), SETTINGS[name]
    )
    db.execute(set_it)
    ledger.put(db, "sending", lease_until=ledger.ago(db, "-1 hour"))
    start()

    async def use() -> None:
        async with EveryStore(dsn, "notify-api") as store:
            told = await store.enqueue(
                '[{"channel": "log", "recipient": "✓", "payload": ["✓", 1.10]}]'.encode()
            )
            later = ledger.insert(db, send_at=ledger.ago(db, "-1 day")).id
            assert 0 < (await store.due([2], [None], 10))[0].next_due_in.total_seconds() <= 86400
            await asyncio.to_thread(wait_for, lambda: ledger.status(db, told[1].id) == "sent")
            found: Any = await store.find(told[1].id)
            assert (found.created_at, found.recipient) == (told[1].created_at, "✓")
            assert bytes(found.payload) == '["✓", 1.10]'.encode()
            assert len(found.attempts) == 1
            assert timedelta(minutes=59) < await store.next_lease_in() < timedelta(hours=1)
            page = await store.page(Search(status="queued"), limit=9)
            assert [n.id for n in page.rows] == [later]
            use = NewUse(actor="shop", key_id=None, verb="cancel", detail={"what": "✓"})
            assert (await store.cancel(later, use)).status == "cancelled"
            await store.gauges()
            await store.vitals()
            await store.checkup()
            await store.reap(10, timedelta(0))
            assert [row.ended for row in await store.fold_slo(10)] == [1]

    asyncio.run(use())
