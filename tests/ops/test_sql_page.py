"""Every example of ops/SQL.md, as pasted, by a role that may send; where its language is here."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.ledger import claim, settle
from tests.producers import producer
from tests.selection import GO_MODULES, JDBC, NODE_MODULES

PAGE = (Path(__file__).resolve().parents[2] / "ops" / "SQL.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
BY_LANGUAGE = {language: text for language, text in BLOCKS if language != "sql"}


def in_sql(heading: str) -> list[str]:
    """Give the SQL examples below one heading, up to the next."""
    section = re.split(r"^#+ ", PAGE.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)
    return re.findall(r"^```sql\n(.*?)^```$", section[0], re.MULTILINE | re.DOTALL)


SEND, TRIGGER = in_sql("Send")
[INSERT] = in_sql("A plain INSERT, COPY, a million at once")
[OUTCOMES] = in_sql("What became of it")
WAIT, LISTEN = in_sql("Wait for it")
[AUDIT] = in_sql("Which transaction sent it")
[VALIDATE] = in_sql("Would it be refused")
ORDERS = """
create table public.orders (id bigint primary key, total numeric);
alter table public.orders owner to {0};
grant create on schema public to {0};
"""


def by_node(file: Path) -> list[str | Path]:
    (file.parent / "node_modules").symlink_to(NODE_MODULES)
    return ["node", file.rename(file.with_suffix(".mjs"))]


def by_go(file: Path) -> list[str | Path]:
    """Build with Debian's pgx, which is version 4: what is used of it is the same in 5."""
    file.write_text(file.read_text().replace("pgx/v5", "pgx/v4"))
    return ["go", "run", file]


COMMANDS: dict[str, Callable[[Path], list[str | Path]]] = {
    "python": lambda file: [sys.executable, file],
    "js": by_node,
    "java": lambda file: ["java", "-cp", JDBC, file],
    "go": by_go,
    "ruby": lambda file: ["ruby", file],
    "php": lambda file: ["php", file],
}
MARKS = {
    "js": [pytest.mark.needs("node")],
    "java": [pytest.mark.needs("java")],
    "go": [pytest.mark.needs("go"), pytest.mark.slow],  # it builds the driver
    "ruby": [pytest.mark.needs("ruby")],
    "php": [pytest.mark.needs("php")],
}


@pytest.fixture
def shop(db, dsn):
    """A producer's session, with a table of orders of its own."""
    with producer(db, dsn, "shop") as session:
        db.execute(SQL(ORDERS).format(Identifier(session.info.user)))
        yield session


def url(dsn: str, session: psycopg.Connection) -> dict[str, str]:
    """Name the database and the producer as each driver wants it."""
    at = urlsplit(dsn)
    user, name = session.info.user, at.path[1:]
    return {
        "DATABASE_URL": f"postgresql://{user}:p@{at.hostname}:{at.port}/{name}",
        "JDBC_URL": f"jdbc:postgresql://{at.hostname}:{at.port}/{name}?user={user}&password=p",
        "PDO_DSN": f"pgsql:host={at.hostname};port={at.port};dbname={name};user={user};password=p",
        "GO111MODULE": "off",
        "GOPATH": str(GO_MODULES),
    }


def sent(db: psycopg.Connection) -> list[tuple[object, ...]]:
    query = (
        "select producer, channel, recipient, payload, reference, idempotency_key"
        " from notify.notifications"
    )
    return [tuple(row) for row in db.execute(query)]


def order(n: int = 42, reference: str | None = "order-42") -> tuple[object, ...]:
    hook = "https://example.org/hooks/orders"
    return ("shop", "webhook", hook, {"order": n}, reference, f"order-{n}")


def test_every_language_is_run():
    assert BY_LANGUAGE.keys() == COMMANDS.keys()


@pytest.mark.parametrize(
    "language", [pytest.param(name, marks=MARKS.get(name, [])) for name in COMMANDS]
)
def test_a_program_sends_with_its_order(db, dsn, shop, tmp_path, language):
    file = tmp_path / f"Order.{language}"
    file.write_text(BY_LANGUAGE[language], encoding="utf-8")
    environment = os.environ | url(dsn, shop)
    done = subprocess.run(
        COMMANDS[language](file), env=environment, capture_output=True, text=True, timeout=250,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert sent(db) == [order()]
    assert shop.execute("select id from orders").fetchall() == [(42,)]


@pytest.mark.needs("psql")
def test_psql_sends_with_its_order(db, dsn, shop, tmp_path):
    file = tmp_path / "order.sql"
    file.write_text(SEND)
    at = url(dsn, shop)["DATABASE_URL"]
    subprocess.run(["psql", at, "-X", "-v", "ON_ERROR_STOP=1", "-f", file], check=True)
    assert sent(db) == [order()]


def test_a_trigger_sends_for_each_order(db, shop):
    shop.execute(TRIGGER)
    shop.execute("insert into orders (id) values (42), (43)")
    assert sent(db) == [order(), order(43, "order-43")]


def test_an_insert_from_a_table_is_harmless_to_repeat(db, shop):
    shop.execute("insert into orders (id) values (42), (43)")
    assert [shop.execute(INSERT).rowcount for _ in range(2)] == [2, 0]
    assert sent(db) == [order(42, None), order(43, None)]


def test_outcomes_are_found_as_the_page_says(dsn, shop):
    shop.execute(SEND)
    assert [tuple(row) for row in shop.execute(OUTCOMES)] == [("queued", None)]
    by_key = re.findall(r"`(select [^`]*by_key[^`]*)`", PAGE)
    join = re.findall(r"`(from orders [^`]*)`", PAGE)
    recent = re.findall(r"`(id >= notify[^`]*)`", PAGE)
    [found] = shop.execute(by_key[0])
    for query in (f"select n.id {join[0]}", f"select id from notify.outcomes where {recent[0]}"):
        assert [row.id for row in shop.execute(query)] == [found.id]


def test_waiting_is_as_the_page_says(db, shop):
    shop.execute(SEND)
    [id] = [row.id for row in db.execute("select id from notify.notifications")]
    call = WAIT.replace("30 seconds", "0")
    example = re.findall(r"'(\w{8}-[^']*)'", call)[0]
    assert shop.execute(call.replace(example, str(id))).fetchone().pending == [id]
    settle(db, claim(db))
    assert shop.execute(call.replace(example, str(id))).fetchone().pending == []


def test_who_listens_hears_the_end_and_finds_it(db, shop):
    listen, send, look = (text for text in LISTEN.split(";\n") if text.strip())
    shop.execute(listen)
    shop.execute(send)
    assert shop.execute(look).fetchall() == []
    settle(db, claim(db))
    assert [bell.payload for bell in shop.notifies(timeout=60, stop_after=1)] == [""]
    assert [row.status for row in shop.execute(look)] == ["sent"]


def test_the_column_rings_as_the_option_does(db, shop):
    shop.execute("listen notify_end")
    shop.execute(
        "insert into notify.notifications (channel, recipient, payload, notify_on_end)"
        " values ('log', 'r', '{}', true)"
    )
    settle(db, claim(db))
    assert [bell.payload for bell in shop.notifies(timeout=60, stop_after=1)] == [""]


def test_a_transaction_names_what_it_has_enqueued(db, shop):
    shop.execute(SEND)
    with shop.transaction():
        shop.execute("insert into orders (id) values (43)")
        shop.execute(INSERT.replace("from orders", "from orders where id = 43"))
        [found] = shop.execute(AUDIT)
    query = "select id from notify.notifications where idempotency_key = 'order-43'"
    assert found.id == db.execute(query).fetchone().id
    assert shop.execute(AUDIT).fetchall() == []


def test_what_would_be_refused_is_said(shop):
    [found] = shop.execute(VALIDATE)
    assert (found.rule, found.column_name) == ("email_recipient_is_one_mailbox", "recipient")


def test_a_definers_trigger_lets_anybody_insert_into_the_table(db, dsn, shop):
    """As the page says; the row is of the role that speaks."""
    shop.execute(TRIGGER.replace("language plpgsql", "language plpgsql security definer"))
    with producer(db, dsn) as clerk:
        db.execute("select notify.revoke_producer(%s)", [clerk.info.user])
        shop.execute(SQL("grant insert on orders to {}").format(Identifier(clerk.info.user)))
        clerk.execute("insert into orders (id) values (42)")
        assert [row[0] for row in sent(db)] == [clerk.info.user]


def test_fifty_thousand_rows_of_one_statement_ring_once(db, dsn, shop):
    db.execute("listen notify_wake")
    db.execute("select notify.arm(1000)")
    many = (
        "insert into notify.notifications (channel, recipient, payload)"
        " select 'log', 'user' || n, '{}' from generate_series(1, 50000) n"
    )
    assert shop.execute(many).rowcount == 50_000
    db.execute("select pg_notify('notify_wake', 'the last one')")
    assert [bell.payload for bell in db.notifies(timeout=60, stop_after=2)] == ["", "the last one"]
    count = "select count(*) as n from notify.notifications"
    with shop.transaction(force_rollback=True):
        shop.execute(many)
    assert db.execute(count).fetchone().n == 50_000
