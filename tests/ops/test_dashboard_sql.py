"""What the dashboards ask of the ledger, as Grafana sends it, by a role that may only read."""

import os

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from psycopg.rows import namedtuple_row
from psycopg.sql import SQL, Identifier

from tests.grafana import DASHBOARDS, panel, queries, sql
from tests.ledger import attempts_of, claim, enqueue, insert, put, settle, status

ONE = "one-notification.json"
NOTHING = {"id": "", "reference": "", "notification": "(none)"}
ODD = ["", " ", "'", "''", "x", "'; drop table notify.notifications; --", "\\", "%", "ä", "0" * 32]


@pytest.fixture
def reader(db):
    """A role that may read the tables, as notify_reader may; the connection speaks as it."""
    role = Identifier(f"notify_reader_{os.getpid()}")
    db.execute(SQL("create role {}").format(role))
    db.execute(SQL("grant usage on schema notify to {}").format(role))
    db.execute(SQL("grant select on all tables in schema notify to {}").format(role))
    with psycopg.connect(db.info.dsn, password=db.info.password, autocommit=True,
                         row_factory=namedtuple_row) as connection:  # fmt: skip
        connection.execute(SQL("set role {}").format(role))
        yield connection
    db.execute(SQL("drop owned by {}").format(role))
    db.execute(SQL("drop role {}").format(role))


def ask(reader, title, **values):
    """Ask what the one query of a panel asks."""
    (target,) = panel(ONE, title)["targets"]
    return reader.execute(sql(target["rawSql"], **(NOTHING | values))).fetchall()


def offered(reader, **values):
    """List what the variable `notification` offers."""
    variables = {v["name"]: v for v in DASHBOARDS[ONE]["templating"]["list"]}
    text = sql(variables["notification"]["query"], **(NOTHING | values))
    return [row.id for row in reader.execute(text)]


@pytest.mark.parametrize("query", queries("postgres"), ids=str)
def test_a_reader_may_ask_everything_and_nothing_chosen_is_no_error(reader, query):
    cursor = reader.execute(sql(query.text, **NOTHING))
    if query.dashboard == ONE and query.title != "notification":
        assert cursor.fetchall() == []
    else:
        assert cursor.description


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("query", [q for q in queries("postgres") if q.dashboard == ONE], ids=str)
def test_whatever_is_typed_is_a_text_and_never_an_error(db, reader, query, odd):
    row = insert(db)
    found = reader.execute(sql(query.text, id=odd, reference=odd, notification=odd)).fetchall()
    assert all(one == ("(none)",) for one in found)
    assert status(db, row.id) == "queued"


def test_the_reader_of_these_tests_may_only_read(reader):
    with pytest.raises(InsufficientPrivilege):
        reader.execute("update notify.notifications set status = status")


def test_an_id_is_found_however_it_is_typed(db, reader):
    row = insert(db)
    assert offered(reader, id=str(row.id)) == [str(row.id), "(none)"]
    assert offered(reader, id=f"  {str(row.id).upper()}\t") == [str(row.id), "(none)"]


def test_a_reference_offers_its_notifications_newest_first(db, reader):
    ids = [str(id) for id in enqueue(db, 3, reference="order 7's")]
    enqueue(db, 1, reference="another")
    assert offered(reader, reference=" order 7's ") == [*reversed(ids), "(none)"]
    assert [row.id for row in ask(reader, "By reference", reference="order 7's")] == ids[::-1]


def test_an_id_goes_before_a_reference(db, reader):
    enqueue(db, 2, reference="r")
    one = insert(db)
    assert offered(reader, id=str(one.id), reference="r") == [str(one.id), "(none)"]


def test_no_more_than_a_hundred_are_offered(db, reader):
    enqueue(db, 101, reference="r")
    assert len(offered(reader, reference="r")) == 100 + len(["(none)"])
    assert len(ask(reader, "By reference", reference="r")) == 100


def test_the_panels_tell_the_story_that_the_ledger_has(db, reader):
    row = insert(db, channel="webhook", recipient="https://a.example/secret", payload='{"p": 1}')
    settle(db, claim(db, [row.id]), "temporary", code="503", excerpt="busy", started_ago_ms=0)
    db.execute("update notify.notifications set due_at = now()")
    settle(db, claim(db, [row.id]), "permanent", code="410", excerpt="gone", started_ago_ms=0)
    chosen = {"notification": str(row.id)}

    assert ask(reader, "Status", **chosen) == [("failed",)]
    assert ask(reader, "Attempts made", **chosen) == [(2,)]
    assert 0 <= ask(reader, "Took", **chosen)[0].took < 600
    assert ask(reader, "Due", **chosen) == []
    told = attempts_of(db, row.id)
    assert [tuple(a) for a in ask(reader, "Its attempts", **chosen)] == [
        (a.attempt, a.started_at, a.took_ms, a.outcome, a.code, a.excerpt, a.worker) for a in told
    ]
    story = ask(reader, "Its story", **chosen)
    assert [s.what for s in story] == [
        "enqueued", "attempt 1: temporary", "attempt 2: permanent", "failed",
    ]  # fmt: skip
    assert "410, 10 ms, by w:1, gone" in story[2].detail
    (shown,) = ask(reader, "Its row", **chosen)
    assert (shown.attempt, shown.last_error_code) == ("2 of 4", "410")
    assert "secret" not in str(shown)
    assert '"p"' not in str(shown)


@pytest.mark.parametrize(
    ("state", "last"), [("queued", "due for attempt 1"), ("sending", "lease of attempt 1 ends")]
)
def test_the_story_says_what_comes_next(db, reader, state, last):
    id = put(db, state)
    assert ask(reader, "Its story", notification=str(id))[-1].what == last
    assert len(ask(reader, "Due", notification=str(id))) == (state == "queued")


def test_the_objective_is_computed_from_what_ended(db, reader):
    db.execute(
        "insert into notify.slo_daily (day, channel, priority, in_time, late, failed, expired)"
        " values ((now() at time zone 'utc')::date, 'webhook', 2, 990, 4, 5, 1),"
        " ((now() at time zone 'utc')::date, 'email', 0, 1000, 0, 0, 0),"
        " ((now() at time zone 'utc')::date - 31, 'webhook', 2, 0, 1000, 0, 0)"
    )

    def figures(title):
        (target,) = panel("overview.json", title)["targets"]
        return reader.execute(sql(target["rawSql"])).fetchall()

    assert figures("Sent in time, 30 days") == [(0.995,)]
    assert figures("Budget left, 30 days") == [(0.75,)]
    assert figures("By channel and priority, 30 days") == [
        ("webhook", 2, 990, 4, 5, 1, 0.99),
        ("email", 0, 1000, 0, 0, 0, 1.0),
    ]
    assert [(r.metric, r.share) for r in figures("Sent in time, by day")] == [
        ("email", 1.0), ("webhook", 0.99),
    ]  # fmt: skip
