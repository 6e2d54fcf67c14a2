"""send() and send_many() in the transaction of every kind of connection."""

import asyncio
import inspect
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import notification_client
import psycopg
import pytest
import sqlalchemy
from notification_client import Dropped, KeyReused, Refused, send, send_many
from notification_client._drivers import driver_of
from notification_client.outbox import Outbox

from tests.client.databases import ASYNC, SYNC
from tests.ledger import row
from tests.producers import producer
from tests.sql.test_send import DROPS

TOMORROW = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
PAYLOAD = {"text": "✓ 😀 %s :x {y} $1 \\ ' \"", "number": 1.5, "deep": [None, True, {}]}
NO_OPTION: Any = {"tag": "x"}
SET_ENCODING = "select set_config('client_encoding', {encoding}, false)"
COUNT = "select count(*) as n from notify.notifications"


@pytest.fixture
def url(db, dsn):
    """Give the URL of a role that may send, and nothing else."""
    with producer(db, dsn, "shop") as session:
        at = urlsplit(dsn)
        yield f"postgresql://{session.info.user}:p@{at.hostname}:{at.port}{at.path}"


@pytest.fixture(params=[*SYNC, *ASYNC])
def held(request, url):
    with (SYNC | ASYNC)[request.param](url) as held:
        yield held


def stored(db):
    return db.execute(COUNT).fetchone().n


def item(**more):
    return {"channel": "log", "recipient": "r", "payload": {}} | more


def test_every_option_arrives(db, held):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    options: dict[str, Any] = {
        "reference": "order-1", "priority": 0, "send_at": TOMORROW,
        "expires_at": (TOMORROW + timedelta(1)).astimezone(timezone(timedelta(hours=5.5))),
        "idempotency_key": "k", "max_attempts": 7, "traceparent": trace, "notify_on_end": True,
    }  # fmt: skip
    id = held.wait(send("log", "r%s", PAYLOAD, db=held.db, **options))
    assert type(id) is UUID
    held.commit()
    got = row(db, id)
    assert (got.channel, got.recipient, got.payload, got.producer) == (
        "log",
        "r%s",
        PAYLOAD,
        "shop",
    )
    assert {name: getattr(got, name) for name in options} == options


def test_nothing_is_there_before_the_caller_commits_nor_after_they_roll_back(db, held):
    held.wait(send("log", "r", {}, db=held.db))
    held.wait(send_many([item(), item()], db=held.db))
    assert stored(db) == 0
    held.rollback()
    assert stored(db) == 0
    held.wait(send("log", "r", {}, db=held.db))
    held.commit()
    assert stored(db) == 1


def test_many_come_back_in_their_order(db, held):
    keys = [f"{n % 7}-{n}" for n in range(100)]
    ids = held.wait(send_many((item(idempotency_key=key) for key in keys), db=held.db))
    held.commit()
    assert [row(db, id).idempotency_key for id in ids] == keys


def test_a_repetition_gives_the_first_id(held):
    first = held.wait(send("log", "r", {}, db=held.db, idempotency_key="k"))
    assert held.wait(send("log", "r", {}, db=held.db, idempotency_key="k")) == first
    assert held.wait(send_many([item(idempotency_key="k")], db=held.db)) == [first]


def test_what_the_database_refuses_is_refused_by_name_and_the_connection_lives_on(held):
    with pytest.raises(Refused) as caught:
        held.wait(send("fax", "r", {}, db=held.db))
    assert (caught.value.rule, caught.value.column) == ("channel_is_known", "channel")
    assert caught.value.hint == "Use webhook, email or log."
    assert "channel_is_known" in str(caught.value)
    assert caught.value.__cause__ is not None
    held.rollback()
    assert held.wait(send("log", "r", {}, db=held.db))


def test_a_key_of_another_request_is_refused_by_its_class(held):
    held.wait(send("log", "r", {}, db=held.db, idempotency_key="k"))
    with pytest.raises(KeyReused) as caught:
        held.wait(send("log", "other", {}, db=held.db, idempotency_key="k"))
    assert isinstance(caught.value, Refused)
    held.rollback()


def test_what_somebody_dropped_is_told(db, held):
    db.execute(DROPS["a trigger"])
    with pytest.raises(Dropped):
        held.wait(send("log", "r", {}, db=held.db))
    held.rollback()


def test_what_is_no_refusal_stays_the_drivers(db, held, url):
    db.execute("select notify.revoke_producer(%s)", [urlsplit(url).username])
    with pytest.raises(Exception) as caught:
        held.wait(send("log", "r", {}, db=held.db))
    assert type(caught.value).__module__.partition(".")[0] in (
        "psycopg", "asyncpg", "sqlalchemy", "django",
    )  # fmt: skip
    held.rollback()


@pytest.mark.parametrize("name", ASYNC)
def test_with_an_async_connection_it_is_awaited(url, name):
    with ASYNC[name](url) as held:
        waits: Any = send("log", "r", {}, db=held.db)
        assert inspect.iscoroutine(waits)
        waits.close()


@pytest.mark.parametrize("name", ASYNC)
def test_what_is_wrong_is_told_before_anything_is_awaited(url, name):
    with ASYNC[name](url) as held, pytest.raises(TypeError, match="no such option: tag"):
        send("log", "r", {}, db=held.db, **NO_OPTION)


def test_the_rows_of_the_callers_cursor_stay(url):
    with psycopg.connect(url) as db:
        cursor = db.execute("select generate_series(1, 3)")
        send("log", "r", {}, db=cursor)
        assert len(cursor.fetchall()) == 3


@pytest.mark.parametrize("kind", [psycopg.ClientCursor, psycopg.RawCursor, psycopg.Cursor])
def test_whatever_cursor_the_connection_makes(url, kind):
    with psycopg.connect(url, cursor_factory=kind, row_factory=psycopg.rows.dict_row) as db:
        assert send("log", "r\\'", PAYLOAD, db=db)


def broken(_value):
    return "broken"


def test_codecs_of_the_program_change_nothing(db, url):
    with ASYNC["asyncpg"](url) as held:
        for kind in ("jsonb", "uuid", "timestamptz"):
            held.wait(
                held.db.set_type_codec(kind, schema="pg_catalog", encoder=broken, decoder=broken)
            )
        id = held.wait(send("log", "r", PAYLOAD, db=held.db, send_at=TOMORROW))
        held.commit()
    assert (row(db, id).payload, row(db, id).send_at) == (PAYLOAD, TOMORROW)


def lose_the_encoding(held):
    """From here on psycopg reads texts as bytes."""
    held.wait(driver_of(held.db).run(held.db, SET_ENCODING, {"encoding": "SQL_ASCII"}))


def test_without_an_encoding_an_id_is_one(db, held):
    lose_the_encoding(held)
    id = held.wait(send("log", "r", {}, db=held.db))
    ids = held.wait(send_many([item(), item()], db=held.db))
    held.commit()
    assert [type(id), *map(type, ids)] == [UUID] * 3
    assert {row(db, id).recipient for id in [id, *ids]} == {"r"}


def test_without_an_encoding_a_refusal_is_one(held):
    lose_the_encoding(held)
    with pytest.raises(Refused) as caught:
        held.wait(send("fax", "r", {}, db=held.db))
    assert caught.value.rule == "channel_is_known"
    held.rollback()


def test_without_an_encoding_what_was_enqueued_is_shown(dsn, monkeypatch):
    monkeypatch.setenv("PGCLIENTENCODING", "SQL_ASCII")
    with psycopg.connect(dsn) as shop:
        outbox = Outbox(shop)
        id = send("log", "r", PAYLOAD, db=shop)
        assert outbox.assert_one(payload=PAYLOAD).id == id


def test_without_an_encoding_an_async_outbox_shows_it_too(dsn, monkeypatch):
    monkeypatch.setenv("PGCLIENTENCODING", "SQL_ASCII")
    with ASYNC["async psycopg"](dsn) as held:
        held.wait(send("log", "r", PAYLOAD, db=held.db))

        async def look():
            return await Outbox(held.db)

        assert held.wait(look()).assert_one().payload == PAYLOAD


@pytest.mark.parametrize("encoding", ["LATIN1", "WIN1251", "SQL_ASCII"])
def test_a_payload_arrives_whatever_the_encoding_has(db, held, encoding):
    held.wait(driver_of(held.db).run(held.db, SET_ENCODING, {"encoding": encoding}))
    payload = {"text": "€ ✓ 😀 ä \\u20ac", "ключ": "\x7f"}
    ids = [held.wait(send("log", "r", payload, db=held.db))]
    ids += held.wait(send_many([item(payload=payload, reference="✓")], db=held.db))
    held.commit()
    assert [row(db, id).payload for id in ids] == [payload] * 2
    assert row(db, ids[1]).reference == "✓"


def test_a_savepoint_keeps_the_callers_transaction_alive(db, url):
    with psycopg.connect(url) as shop:
        with pytest.raises(Refused), shop.transaction():
            send("fax", "r", {}, db=shop)
        send("log", "r", {}, db=shop)
    assert stored(db) == 1


@pytest.mark.parametrize("autocommit", [True, False])
def test_it_is_part_of_a_transaction_block(db, url, autocommit):
    shop = psycopg.connect(url, autocommit=autocommit)
    with shop, pytest.raises(ZeroDivisionError), shop.transaction():
        send("log", "r", {}, db=shop)
        raise ZeroDivisionError
    assert stored(db) == 0


def test_within_a_pipeline(db, url):
    with psycopg.connect(url) as shop, shop.pipeline():
        ids = [send("log", "r", {}, db=shop) for _ in range(3)]
    assert len(set(ids)) == stored(db) == 3


class Derived(psycopg.Connection):
    """What programs make of a driver's class."""


def test_a_class_of_the_programs_own_is_known_by_its_parent(url):
    with Derived.connect(url) as db:
        assert send("log", "r", {}, db=db)


class Traced:
    """What tracers put around a connection: wrapt's proxy says that its class is the other's."""

    def __init__(self, db):
        self._self_db = db

    @property  # type: ignore[misc]
    def __class__(self):
        return self._self_db.__class__

    def __getattr__(self, name):
        return getattr(self._self_db, name)

    def __call__(self):
        return self._self_db()


def test_what_a_tracer_wrapped_is_known_by_what_is_in_it(db, held):
    traced: Any = Traced(held.db)
    id = held.wait(send("log", "r", PAYLOAD, db=traced))
    ids = held.wait(send_many([item()], db=traced))
    held.commit()
    assert row(db, id).payload == PAYLOAD
    assert stored(db) == 1 + len(ids)


@pytest.mark.parametrize("name", SYNC)
def test_an_outbox_reads_by_what_a_tracer_wrapped(dsn, name):
    with SYNC[name](dsn) as held:
        traced: Any = Traced(held.db)
        outbox = Outbox(traced)
        id = send("log", "r", PAYLOAD, db=traced)
        assert outbox.assert_one(payload=PAYLOAD).id == id


@pytest.mark.parametrize(
    "db",
    [3, "postgresql://localhost", object(), psycopg, psycopg.connect,
     sqlalchemy.create_engine("postgresql+psycopg://x@127.0.0.1:1/x")],
)  # fmt: skip
def test_what_holds_no_transaction_is_refused_by_name(db):
    with pytest.raises(TypeError, match="db is a psycopg Connection") as caught:
        send("log", "r", {}, db=db)
    assert type(db).__name__ in str(caught.value)


def test_a_pool_of_asyncpg_is_refused_since_it_has_no_transaction():
    async def send_by_pool():
        send("log", "r", {}, db=asyncpg.create_pool("postgresql://x@127.0.0.1:1/x"))

    with pytest.raises(TypeError, match="Pool"):
        asyncio.run(send_by_pool())


def test_a_sqlite_of_django_is_refused_by_name():
    from django.db.backends.sqlite3.base import DatabaseWrapper

    with pytest.raises(TypeError, match="sqlite"):
        send("log", "r", {}, db=DatabaseWrapper({"NAME": ":memory:"}))


def in_a_process(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_importing_it_imports_no_driver():
    program = (
        "import sys, notification_client; print({n.partition('.')[0] for n in sys.modules}"
        " & {'psycopg', 'asyncpg', 'sqlalchemy', 'django', 'service', 'workers', 'psycopg2'})"
    )
    assert in_a_process(program) == "set()\n"


def test_without_django_a_missing_db_is_told_as_that():
    program = (
        "import sys; sys.modules['django'] = None; import notification_client as n\n"
        "try: n.send('log', 'r', {})\nexcept TypeError as error: print(error)"
    )
    assert in_a_process(program).startswith("db is missing: without Django it has no default.")


class Kind(StrEnum):
    LOG = "log"


def test_a_member_of_an_enum_is_its_text(db, url):
    with psycopg.connect(url) as shop:
        id = send(Kind.LOG, "r", {}, db=shop)
    assert row(db, id).channel == "log"


def test_more_than_a_thousand_are_refused_before_they_are_sent():
    with pytest.raises(ValueError, match="more than 1000"):
        send_many([item()] * 1001)


def test_everything_of_the_page_is_there():
    assert set(notification_client.__all__) <= set(dir(notification_client))
