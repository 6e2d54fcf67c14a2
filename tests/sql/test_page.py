"""Pages: newest first, nothing twice, nothing left out, and never more than a bounded look."""

import random
from itertools import product
from uuid import UUID

import pytest

from service.model.words import Status
from tests.ledger import insert, put

LOOK_MAX = 20_000
STATUSES = [None, *Status]


@pytest.fixture
def db(shared_db):
    return shared_db


def page(
    db, status=None, channel=None, reference=None, *, producer=None, before=None, limit=50,
    look=LOOK_MAX,
):  # fmt: skip
    query = "select ids, following from notify.page(%s, %s, %s, %s, %s, %s, %s)"
    return db.execute(query, [producer, status, channel, reference, before, limit, look]).fetchone()


def pages(db, *filters, limit=50, look=LOOK_MAX, producer=None):
    """Follow the cursors to the end."""
    how = {"limit": limit, "look": look, "producer": producer}
    found = [page(db, *filters, **how)]
    while found[-1].following is not None:
        assert len(found) < 1000
        found.append(page(db, *filters, before=found[-1].following, **how))
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


def test_a_producer_sees_its_own_alone_under_every_filter(db):
    some_of_each(db)
    db.execute(
        "update notify.notifications n set producer = case mod(o.place, 3) when 0 then 'shop'"
        " when 1 then 'bank' end from (select id, row_number() over (order by id) as place"
        " from notify.notifications) o where n.id = o.id"
    )
    for filters in FILTERS:
        everybodys = {id for p in pages(db, *filters) for id in p.ids}
        own = [id for p in pages(db, *filters, producer="shop", limit=7) for id in p.ids]
        wanted = db.execute(
            "select id from notify.notifications where producer = 'shop' and id = any(%s)"
            " order by id desc", [list(everybodys)],
        ).fetchall()  # fmt: skip
        assert own == [row.id for row in wanted]
        assert pages(db, *filters, producer="nobody")[-1] == ([], None)


def test_the_call_of_the_deploy_before_still_answers(db):
    ids = sorted((insert(db).id for _ in range(3)), reverse=True)
    query = "select ids, following from notify.page(null, null, null, null, 2, 20000)"
    assert db.execute(query).fetchone() == (ids[:2], ids[1])


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
