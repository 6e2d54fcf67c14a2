"""notify.outcomes(): what became of a producer's own notifications, and of nobody else's."""

import psycopg
import pytest

from tests.ledger import ago, cancel, claim, put, row, settle
from tests.producers import role, rows_of_others

LIST = "select * from notify.outcomes({}) "


def send(session, more=""):
    query = f"select notify.send('log', 'somebody', '{{}}'{more and ', ' + more}) as id"
    return session.execute(query).fetchone().id


def outcomes(session, which="", given=()):
    return session.execute(LIST.format(which), given).fetchall()


def ids(session, which="", given=()):
    return [o.id for o in outcomes(session, which, given)]


def test_it_tells_what_became_of_each(db, shop):
    sent, cancelled, queued = (send(shop) for _ in range(3))
    settle(db, claim(db, [sent]))
    cancel(db, [cancelled])
    assert [(o.id, o.status) for o in outcomes(shop)] == [
        (queued, "queued"), (cancelled, "cancelled"), (sent, "sent")]  # fmt: skip


def test_it_tells_why_it_failed(db, shop):
    id = send(shop, "reference => 'order-1', options => '{\"max_attempts\": 1}'")
    settle(db, claim(db), "permanent", code="410")
    [got] = outcomes(shop, "by_id => %s", [id])
    assert (got.status, got.reference, got.attempt, got.max_attempts) == ("failed", "order-1", 1, 1)
    assert got.last_error_code == "410"
    assert got.settled_at == row(db, id).settled_at


def test_it_shows_neither_recipient_nor_payload(shop):
    send(shop)
    [got] = outcomes(shop)
    assert {"recipient", "payload", "producer", "claimed_by"} & set(got._fields) == set()


@pytest.mark.parametrize(
    "which", ["", "by_id => %(id)s", "by_reference => 'r'", "by_key => 'k'", "since => '-infinity'"]
)
def test_others_rows_are_not_there(shop, other, which):
    id = send(shop, "reference => 'r', idempotency_key => 'k'")
    given = {"id": id}
    assert ids(shop, which, given) == [id]
    assert ids(other, which, given) == []


def test_a_plain_insert_is_among_them(shop):
    shop.execute("insert into notifications (channel, recipient, payload) values ('log', 'r', '1')")
    assert len(ids(shop)) == 1


def test_a_key_shows_the_row_that_a_repeated_insert_did_not_make(shop):
    insert = (
        "insert into notifications (channel, recipient, payload, idempotency_key)"
        " values ('log', 'r', '1', 'order-1')"
    )
    assert shop.execute(insert).rowcount == 1
    [id] = ids(shop, "by_key => 'order-1'")
    assert shop.execute(insert).rowcount == 0
    assert ids(shop, "by_key => 'order-1'") == [id]


def test_a_reference_of_several_is_newest_first(shop):
    sent = [send(shop, "reference => 'r'") for _ in range(5)]
    send(shop, "reference => 'another'")
    assert ids(shop, "by_reference => 'r'") == sorted(sent, reverse=True)  # ids: see new_id()


def test_an_older_row_is_found_by_what_it_is_called_and_since_when_it_is(db, shop):
    made = ago(db, "3 days")
    id = db.execute("select notify.id_floor(%s) as id", [made]).fetchone().id
    old = put(db, "sent", id=id, producer="shop", reference="r", created_at=made)
    assert ids(shop, "by_id => %s", [old]) == [old]
    assert ids(shop, "by_reference => 'r'") == [old]
    assert ids(shop) == []
    assert ids(shop, "since => now() - interval '4 days'") == [old]
    assert ids(shop, "since => now() - interval '2 days'") == []


@pytest.mark.parametrize("since", ["infinity", "-infinity", "4713-01-01 BC", "294276-01-01"])
def test_a_time_far_away_is_a_time(shop, since):
    id = send(shop)
    is_past = since in ("-infinity", "4713-01-01 BC")
    assert ids(shop, "since => %s", [since]) == [id] * is_past


WHICH_IS_NONE = [
    "by_id => gen_random_uuid()",
    "by_id => '00000000-0000-0000-0000-000000000000'",
    "by_reference => ''",
    "by_key => ''",
]


@pytest.mark.parametrize("which", WHICH_IS_NONE)
def test_what_is_not_there_is_no_row(shop, which):
    send(shop)
    assert ids(shop, which) == []


def test_it_returns_a_thousand_at_most(shop):
    shop.execute(
        "insert into notifications (channel, recipient, payload, reference)"
        " select 'log', 'r', '1', 'many' from generate_series(1, 1001)"
    )
    assert len(ids(shop)) == 1000
    assert len(ids(shop, "by_reference => 'many'")) == 1000


def test_it_can_be_joined_with_a_table_of_the_callers(db, shop):
    shop.execute("create temp table orders (id int); insert into orders values (1), (2)")
    send(shop, "reference => 'order-1'")
    query = (
        "select o.id, n.status from orders o"
        " left join lateral notify.outcomes(by_reference => 'order-' || o.id) n on true order by 1"
    )
    assert [tuple(r) for r in shop.execute(query)] == [(1, "queued"), (2, None)]


def test_a_role_that_changes_speaks_for_whom_it_became(db, dsn, shop):
    id = send(shop)
    with role(db) as second:
        db.execute("select notify.grant_producer(%s)", [second])
        db.execute(f"grant {second} to {shop.info.user}")
        shop.execute(f"set role {second}")
        assert ids(shop) == []
        shop.execute("reset role")
        assert ids(shop) == [id]


def test_whoever_was_not_granted_it_may_not_ask(db, dsn):
    with role(db) as user:
        db.execute(f"grant usage on schema notify to {user}")
        with (
            psycopg.connect(dsn, user=user, password="p") as session,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            session.execute("select * from notify.outcomes()")


@pytest.mark.parametrize("which", ["", "by_reference => 'r'", "since => '-infinity'"])
def test_rows_that_others_are_too_many_to_look_through_hide_none_in_silence(db, shop, which):
    id = send(shop, "reference => 'r'")
    rows_of_others(db, 99_999, "r")
    assert ids(shop, which) == [id]
    rows_of_others(db, 1, "r")
    with pytest.raises(psycopg.errors.DatabaseError) as caught:
        outcomes(shop, which)
    assert caught.value.sqlstate == "ND010"
    by_view = "select id from notify.outcomes where reference = 'r'"
    assert [o.id for o in shop.execute(by_view)] == [id]


def test_a_thousand_of_its_own_are_enough_however_many_others_have(db, shop):
    rows_of_others(db, 100_001, "many")
    shop.execute(
        "insert into notifications (channel, recipient, payload, reference)"
        " select 'log', 'r', '1', 'many' from generate_series(1, 1000)"
    )
    assert len(ids(shop)) == 1000
    assert len(ids(shop, "by_reference => 'many'")) == 1000
