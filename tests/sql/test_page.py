"""Pages: newest first, nothing twice, nothing left out, and never more than a bounded look."""

import random
from itertools import product
from uuid import UUID

import pytest

from service.model import Status
from tests.ledger import insert, put

LOOK_MAX = 20_000
STATUSES = [None, *Status]


@pytest.fixture
def db(shared_db):
    return shared_db


def page(db, status=None, channel=None, reference=None, *, before=None, limit=50, look=LOOK_MAX):
    query = "select ids, following from notify.page(%s, %s, %s, %s, %s, %s)"
    return db.execute(query, [status, channel, reference, before, limit, look]).fetchone()


def pages(db, *filters, limit=50, look=LOOK_MAX):
    """Follow the cursors to the end."""
    found = [page(db, *filters, limit=limit, look=look)]
    while found[-1].following is not None:
        assert len(found) < 1000
        found.append(page(db, *filters, before=found[-1].following, limit=limit, look=look))
    return found


def some_of_each(db, n=200):
    """Place rows of every status, channel and reference, over some days."""
    chance = random.Random(7)
    for _ in range(n):
        day = chance.choice([0, 0, 1, 2, 40, 400])
        [id] = db.execute(
            "select (left(notify.id_floor(now() - %s * interval '1 day')::text, 14) || '7'"
            " || substr(gen_random_uuid()::text, 16))::uuid",
            [day],
        ).fetchone()
        columns = {"channel": chance.choice(["webhook", "log"])}
        columns["recipient"] = "http://a/" if columns["channel"] == "webhook" else "r"
        put(db, chance.choice(list(Status)), id=id, reference=chance.choice([None, "a", "b"]),
            **columns)  # fmt: skip


FILTERS = list(product(STATUSES, [None, "webhook"], [None, "a", "nobody's"]))


@pytest.mark.parametrize(("limit", "look"), [(7, LOOK_MAX), (50, LOOK_MAX), (7, 513), (200, 501)])
def test_every_filter_finds_each_row_once_newest_first(db, limit, look):
    some_of_each(db)
    for status, channel, reference in FILTERS:
        wanted = db.execute(
            "select id from notify.notifications where (%s::text is null or status = %s)"
            " and (%s::text is null or channel = %s) and (%s::text is null or reference = %s)"
            " order by id desc",
            [status, status, channel, channel, reference, reference],
        ).fetchall()
        found = pages(db, status, channel, reference, limit=limit, look=look)
        assert [id for p in found for id in p.ids] == [r.id for r in wanted]
        assert all(len(p.ids) <= limit for p in found)


def test_nothing_at_all_is_one_empty_page(db):
    for filters in FILTERS:
        assert page(db, *filters) == ([], None)


def test_a_full_page_that_is_the_last_has_no_cursor(db):
    ids = sorted((insert(db).id for _ in range(5)), reverse=True)
    assert page(db, limit=5) == (ids, None)
    assert page(db, limit=4) == (ids[:4], ids[3])


def test_a_page_ends_when_enough_was_looked_at(db):
    for _ in range(20):
        insert(db)
    wanted = put(db, "sent", id=UUID("01900000-0000-7000-8000-000000000000"))
    first = page(db, "sent", look=510)
    assert (first.ids, first.following is not None) == ([], True)
    assert [id for p in pages(db, "sent", look=510) for id in p.ids] == [wanted]


@pytest.mark.parametrize("before", ["00000000-0000-0000-0000-000000000000",
                                    "01900000-0000-7000-8000-000000000000"])  # fmt: skip
def test_before_everything_there_is_nothing(db, before):
    insert(db)
    assert page(db, before=before) == ([], None)
