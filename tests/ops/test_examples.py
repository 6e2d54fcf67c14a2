"""Every example of ops/examples/, run as it stands, by a role that may send and no more."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.producers import producer
from tests.selection import GO_MODULES, JDBC, NODE_MODULES

EXAMPLES = Path(__file__).resolve().parents[2] / "ops" / "examples"
HOOK = "https://example.org/hooks/orders"


@pytest.fixture
def shop(db: Any, dsn: str) -> Iterator[psycopg.Connection[Any]]:
    """A producer's session; it may make its table of orders."""
    with producer(db, dsn, "shop") as session:
        role = Identifier(session.info.user)
        db.execute(SQL("grant create on schema public to {}").format(role))
        yield session


def url(dsn: str, session: psycopg.Connection[Any], scheme: str = "postgresql") -> str:
    at = urlsplit(dsn)
    return f"{scheme}://{session.info.user}:p@{at.hostname}:{at.port}/{at.path[1:]}"


def run(command: list[str | Path], **environment: str) -> str:
    """Run an example; gives what it prints."""
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=250,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def sent(db: Any) -> list[tuple[Any, ...]]:
    query = "select producer, channel, recipient, reference, payload from notify.notifications"
    return [tuple(row) for row in db.execute(query)]


def orders(shop: Any) -> list[int]:
    return [row.id for row in shop.execute("select id from orders order by id")]


def by_node(program: Path) -> list[str | Path]:
    (program.parent / "node_modules").symlink_to(NODE_MODULES)
    return ["node", program]


def by_go(program: Path) -> list[str | Path]:
    """Build with Debian's pgx, which is version 4: what is used of it is the same in 5."""
    program.write_text(program.read_text().replace("pgx/v5", "pgx/v4"))
    return ["go", "run", program]


PROGRAMS: dict[str, Callable[[Path], list[str | Path]]] = {
    "node/orders.mjs": by_node,
    "ruby/orders.rb": lambda program: ["ruby", program],
    "php/orders.php": lambda program: ["php", program],
    "java/Orders.java": lambda program: ["java", "-cp", JDBC, program],
    "go/orders.go": by_go,
}
MARKS = {name: [pytest.mark.needs(name.partition("/")[0])] for name in PROGRAMS}
MARKS["go/orders.go"].append(pytest.mark.slow)  # it builds the driver


def test_every_example_is_run():
    files = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.glob("[!.]*/*.*")}
    mine = {name for name in files if not name.startswith("django_shop/")}
    assert mine == PROGRAMS.keys() | {"fastapi/shop.py", "psql/trigger.sql", "psql/watch.sql"}


@pytest.mark.parametrize("name", [pytest.param(name, marks=MARKS[name]) for name in PROGRAMS])
def test_a_program_sends_with_its_order_and_reads_what_became_of_it(db, dsn, shop, tmp_path, name):
    program = tmp_path / Path(name).name
    program.write_text((EXAMPLES / name).read_text())
    at = urlsplit(url(dsn, shop))
    place = f"host={at.hostname};port={at.port};dbname={at.path[1:]}"
    printed = run(
        PROGRAMS[name](program),
        DATABASE_URL=at.geturl(),
        JDBC_URL=f"jdbc:postgresql://{at.hostname}:{at.port}{at.path}?user={at.username}&password=p",
        PDO_DSN=f"pgsql:{place};user={at.username};password=p",
        GO111MODULE="off",
        GOPATH=str(GO_MODULES),
    )
    assert sent(db) == [("shop", "webhook", HOOK, "order-42", {"order": 42, "total": 99.5})]
    assert orders(shop) == [42]
    refused, outcome = printed.splitlines()
    assert refused.startswith("order 43 was rolled back")
    assert outcome.strip() == "order-42 queued"


def test_fastapi_with_sqlalchemys_asyncio(db, dsn, shop, monkeypatch):
    from fastapi.testclient import TestClient

    monkeypatch.setenv("DATABASE_URL", url(dsn, shop, "postgresql+psycopg"))
    monkeypatch.syspath_prepend(EXAMPLES / "fastapi")
    sys.modules.pop("shop", None)
    shop.execute("create table orders (id bigint primary key, total numeric not null)")
    example = import_module("shop")
    with ExitStack() as stack:
        stack.callback(sys.modules.pop, "shop")
        client = stack.enter_context(TestClient(example.app))
        stack.callback(client.portal.call, example.engine.dispose)
        assert client.post("/orders", json={"id": 42, "total": "99.50"}).status_code == 201
        assert client.post("/orders", json={"id": 43, "total": "0"}).status_code == 422
        found = client.get("/orders/42/notification").json()
        assert client.get("/orders/43/notification").status_code == 404
    assert found == {"status": "queued", "code": None}
    assert sent(db) == [("shop", "webhook", HOOK, "order-42", {"order": 42, "total": "99.50"})]
    assert orders(shop) == [42]


@pytest.mark.needs("psql")
def test_a_trigger_by_psql(db, dsn, shop):
    printed = by_psql("trigger.sql", url(dsn, shop))
    assert sent(db) == [("shop", "webhook", HOOK, "order-42", {"order": 42, "total": 99.5})]
    assert orders(shop) == [42]
    assert "order-42  | queued | " in printed


@pytest.mark.needs("psql")
def test_a_watch_by_psql(db, dsn, shop):
    printed = by_psql("watch.sql", url(dsn, shop))
    [(producer_, channel, recipient, reference, payload)] = sent(db)
    assert (producer_, channel, recipient, reference) == ("shop", "webhook", HOOK, "order-42")
    assert (payload["op"], payload["old"]["status"]) == ("update", "new")
    assert payload["new"] == {"id": 42, "total": 99.50, "status": "paid"}
    assert orders(shop) == [41, 42]
    assert "order-42  | queued | " in printed
    assert "order-41" not in printed


def by_psql(name: str, at: str) -> str:
    return run(["psql", at, "-X", "-v", "ON_ERROR_STOP=1", "-f", EXAMPLES / "psql" / name])
