"""unended(): which of a producer's notifications have not ended."""

from uuid import UUID, uuid4

import psycopg
import pytest

from tests.ledger import cancel, claim, enqueue, put, settle


def send(session):
    return session.execute("select notify.send('log', 'r', '{}') as id").fetchone().id


def unended(session, ids):
    return session.execute("select notify.unended(%s::uuid[]) as ids", [ids]).fetchone().ids


def test_what_waits_or_is_sent_has_not_ended_and_what_failed_has(db, shop):
    queued, sending, sent, failed, cancelled = ids = [send(shop) for _ in range(5)]
    claim(db, [sending])
    settle(db, claim(db, [sent]))
    settle(db, claim(db, [failed]), "permanent")
    cancel(db, [cancelled])
    assert unended(shop, ids) == sorted([queued, sending])


def test_each_is_named_once(shop):
    id = send(shop)
    assert unended(shop, [id, id]) == [id]


def test_none_are_none(shop):
    assert unended(shop, []) == []


@pytest.mark.parametrize("ids", [None, [None], [UUID(int=0)], [uuid4()], [[uuid4()], [uuid4()]]])
def test_what_is_no_notification_is_refused_by_name(shop, ids):
    with pytest.raises(psycopg.Error) as caught:
        unended(shop, ids)
    assert caught.value.sqlstate == "ND008"
    assert "no notification of yours: " in caught.value.diag.message_primary
    assert "committed" in caught.value.diag.message_hint


def test_a_null_beside_its_own_is_refused_too(shop):
    with pytest.raises(psycopg.Error, match="yours: null"):
        unended(shop, [None, send(shop)])


def test_others_are_as_unknown_as_what_is_not_there(db, shop):
    [others] = enqueue(db)
    words = []
    for id in (others, put(db, "sent", producer="other"), uuid4()):
        with pytest.raises(psycopg.Error) as caught:
            unended(shop, [id])
        words.append(str(caught.value).replace(str(id), "ID"))
    assert len({*words}) == 1


def test_more_than_a_thousand_are_refused_before_they_are_looked_for(shop):
    with pytest.raises(psycopg.Error) as caught:
        shop.execute("select notify.unended(array_fill(notify.new_id(), '{100000}'))")
    assert caught.value.sqlstate == "ND001"
