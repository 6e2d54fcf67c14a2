"""page() with the filters of a search: what it finds, and how far it says that it looked."""

import random
from datetime import timedelta

import pytest
from psycopg.sql import SQL, Identifier, Placeholder

from tests.ledger import ago, attempts_of, change, claim, enqueue, insert, put, row, settle

LOOK_MAX = 20_000
SEARCH = {
    "producer": None, "status": None, "channel": None, "reference": None, "recipients": None,
    "destination": None, "code": None, "worker": None, "from": None, "until": None, "before": None,
    "limit": 50, "look_max": LOOK_MAX,
}  # fmt: skip


@pytest.fixture
def db(shared_db):
    return shared_db


def search(db, **which):
    """Call page() once; arguments by their names in SQL, without the `p_`."""
    which = SEARCH | which
    named = SQL(", ").join(
        SQL("{} => {}").format(Identifier(f"p_{name}"), Placeholder(name)) for name in which
    )
    return db.execute(SQL("select * from notify.page({})").format(named), which).fetchone()


def searches(db, **which):
    """Follow the cursors to the end."""
    found = [search(db, **which)]
    while found[-1].following is not None:
        assert len(found) < 1000
        found.append(search(db, **(which | {"before": found[-1].following})))
    return found


def ids_of(db, **which):
    return [id for page in searches(db, **which) for id in page.ids]


def made_ago(db, interval):
    """Give an id that was made then, and its time."""
    return db.execute(
        "select (left(notify.id_floor(at)::text, 14) || '7' || substr(gen_random_uuid()::text, 16))"
        "::uuid as id, at from (select now() - %s::interval) as a(at)", [interval],
    ).fetchone()  # fmt: skip


def some_of_each(db, n=150):
    """Place rows of every kind over some days, each with an attempt or none."""
    chance = random.Random(11)
    for _ in range(n):
        made = made_ago(db, f"{chance.choice([0, 0, 30, 700, 3000])} minutes")
        is_mail = chance.random() < 0.5
        to = chance.choice(["ada@example.org", "Ada@example.org", "bo@example.org"])
        id = put(
            db, chance.choice(["queued", "sending", "sent", "failed", "cancelled", "expired"]),
            id=made.id, created_at=made.at, channel="email" if is_mail else "log", recipient=to,
            reference=chance.choice([None, "a"]), producer=chance.choice([None, "shop", "bank"]),
            last_error_code=chance.choice([None, "503", "404"]),
        )  # fmt: skip
        if row(db, id).status == "sending":
            change(db, id, claimed_by=chance.choice(["a:1", "b:2"]))
        if chance.random() < 0.7:
            db.execute(
                "insert into notify.attempts"
                " (notification_id, attempt, started_at, outcome, worker)"
                " values (%s, 1, now(), 'temporary', %s)",
                [id, chance.choice(["a:1", "a:10", "b:2"])],
            )


# Each filter, and the same in the words of SQL.
FILTERS = {
    "recipient": (
        {"recipients": ["ada@example.org"]},
        "n.recipient = 'ada@example.org'"
        " or n.channel = 'email' and n.recipient = 'Ada@example.org'",
    ),
    "code": ({"code": "503"}, "n.last_error_code = '503'"),
    "worker": (
        {"worker": "a:1"},
        "starts_with(n.claimed_by, 'a:1') or exists (select from notify.attempts a"
        " where a.notification_id = n.id and starts_with(a.worker, 'a:1'))",
    ),
    "another worker": (
        {"worker": "b:2"},
        "n.claimed_by = 'b:2' or exists (select from notify.attempts a"
        " where a.notification_id = n.id and a.worker = 'b:2')",
    ),
    "nobody's worker": ({"worker": "c"}, "false"),
    "destination": ({"destination": "example.org"}, "n.channel = 'email'"),
    "nobody's destination": ({"destination": "example.com"}, "false"),
    "from": ({"from": "@ 31 minutes ago"}, "n.created_at >= now() - interval '31 minutes'"),
    "until": ({"until": "@ 29 minutes ago"}, "n.created_at < now() - interval '29 minutes'"),
    "both": (
        {"from": "@ 750 minutes ago", "until": "@ 29 minutes ago"},
        "n.created_at >= now() - interval '750 minutes'"
        " and n.created_at < now() - interval '29 minutes'",
    ),
    "producer": ({"producer": "shop"}, "n.producer = 'shop'"),
    "all": (
        {"recipients": ["ada@example.org"], "code": "503", "worker": "a", "channel": "email",
         "destination": "example.org"},
        "lower(n.recipient) = 'ada@example.org' and n.last_error_code = '503'"
        " and n.channel = 'email'"
        " and (n.claimed_by = 'a:1' or exists (select from notify.attempts a"
        " where a.notification_id = n.id and starts_with(a.worker, 'a')))",
    ),
}  # fmt: skip


def with_times(db, which):
    """Turn times that are written as an age into moments of the database's clock."""
    return {
        name: ago(db, value[2:].removesuffix(" ago")) if str(value).startswith("@") else value
        for name, value in which.items()
    }


@pytest.mark.parametrize(("limit", "look"), [(50, LOOK_MAX), (7, 513), (3, 2100)])
def test_every_filter_finds_each_row_once_newest_first(db, limit, look):
    some_of_each(db)
    for name, (which, words) in FILTERS.items():
        for status in (None, "queued", "sending", "sent", "failed", "expired"):
            for reference in (None, "a"):
                wanted = db.execute(
                    f"select n.id from notify.notifications n where ({words})"
                    " and (%s::text is null or n.status = %s)"
                    " and (%s::text is null or n.reference = %s) order by n.id desc",
                    [status, status, reference, reference],
                ).fetchall()
                found = ids_of(
                    db, **with_times(db, which), status=status, reference=reference, limit=limit,
                    look_max=look,
                )  # fmt: skip
                assert found == [r.id for r in wanted], (name, status, reference)


def test_every_filter_alone_finds_something(db):
    some_of_each(db)
    for name, (which, words) in FILTERS.items():
        assert bool(ids_of(db, **with_times(db, which))) == (words != "false"), name


def test_a_mail_is_found_in_any_case_and_any_spelling_another_recipient_exactly(db):
    mail = insert(db, channel="email", recipient="Ada@Example.org",
                  payload='{"subject": "s", "text": "t"}').id  # fmt: skip
    line = insert(db, recipient="Ada").id
    assert ids_of(db, recipients=["ada@example.ORG"]) == [mail]
    assert ids_of(db, recipients=["x", "Ada"]) == [line]
    assert ids_of(db, recipients=["ada"]) == []


def test_a_worker_is_found_by_what_it_sends_and_by_what_it_sent(db):
    ids = enqueue(db, 3)
    [sent] = settle(db, claim(db, ids[:1], worker="host:1-aa"), worker="host:1-aa")
    claim(db, ids[1:2], worker="host:1-bb")
    claim(db, ids[2:], worker="host_1")
    assert [a.worker for a in attempts_of(db, sent.id)] == ["host:1-aa"]
    assert ids_of(db, worker="host:1") == ids[1::-1]
    assert ids_of(db, worker="host:1-aa") == ids[:1]
    assert ids_of(db, worker="ost") == ids_of(db, worker="host%") == []


def test_an_id_of_a_producers_own_is_found_by_a_time_close_to_its_making(db):
    """What is said in the header: ten minutes."""
    created = insert(db).created_at
    close, far = (insert(db, id=made_ago(db, f"{n} minutes").id).id for n in (9, 11))
    found = ids_of(db, **{"from": created})
    assert close in found
    assert far not in found


@pytest.mark.parametrize("end", ["-infinity", "infinity", "0001-01-01", "9999-12-31"])
@pytest.mark.parametrize("status", [None, "queued", "failed"])
def test_any_time_is_a_bound(db, end, status):
    id = insert(db).id
    if status == "failed":
        change(db, id, status="failed", attempt=1, max_attempts=1, settled_at=ago(db, "0"))
    is_past = end in ("-infinity", "0001-01-01")
    assert ids_of(db, **{"from": end}, status=status) == ([id] if is_past else [])
    assert ids_of(db, until=end, status=status) == ([] if is_past else [id])
    assert ids_of(db, **{"from": end, "until": end}, status=status) == []


def test_a_look_says_how_many_rows_it_saw_and_how_far_it_came(db):
    made = [made_ago(db, f"{n} seconds") for n in range(40, 0, -1)]
    for m in made:
        put(db, "sent", id=m.id, created_at=m.at)
    first = search(db, recipients=["nobody"], look_max=510)
    assert (first.ids, first.looked) == ([], 10)
    assert first.following == made[-10].id
    assert made[-10].at - first.back_to < timedelta(milliseconds=1)
    assert sum(page.looked for page in searches(db, recipients=["nobody"], look_max=510)) == 40
    last = searches(db, recipients=["nobody"])[-1]
    assert (last.looked, last.following, last.back_to) == (40, None, None)


def test_a_full_page_looks_no_further_than_to_the_next_row(db):
    enqueue(db, 20)
    assert search(db, recipients=["r"], limit=5).looked <= 20
    for id in enqueue(db, 20):
        change(db, id, status="sent", attempt=1, max_attempts=1, settled_at=ago(db, "0"))
    assert search(db, status="sent", recipients=["r"], limit=5).looked == 6
