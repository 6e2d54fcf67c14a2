"""A column that a producer may set is in every place that "Add a producer's column" names.

ops/ARCHITECTURE.md has the list. Besides, tests/sql/test_faults.py holds the columns that faults()
names, tests/unit/test_length_first.py the length of each text, tests/unit/api/test_openapi.py the
descriptions of the fields.
"""

import re
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from notification_client._notification import HTTP_OPTIONS, REQUIRED

from service.api.body import NewNotification
from service.api.views import AttemptView, Detail, Summary
from service.cli.parser import parser
from service.cli.reading import STORY
from service.http.problem_kinds import KINDS
from service.ledger.read_store import ATTEMPT_TEXTS, TEXTS
from service.model.notification import Attempt, Notification
from tests.grafana import panel

ROOT = Path(__file__).resolve().parents[2]
PRODUCERS = NewNotification.__struct_fields__
TOMORROW = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
# A row that sets them all; no value is its column's default.
EXAMPLE = {
    "channel": "log",
    "recipient": "somebody",
    "payload": {"n": 1},
    "priority": 1,
    "send_at": TOMORROW,
    "expires_at": TOMORROW + timedelta(days=1),
    "max_attempts": 7,
    "reference": "order-42",
    "idempotency_key": "order-42",
}
CALLS = {
    "sql/enqueue_all.sql": ("select id from notify.enqueue_all(%s::jsonb)", 2),
    "sql/enqueue_keyed.sql": ("select id from notify.enqueue_keyed(%s::jsonb, '9 s')", 2),
    "sql/send_many.sql": ("select notify.send_many(%s::jsonb) as id", 2),
    "sql/enqueue.sql, one row": ("select id from notify.enqueue(%s::jsonb, '9 s', '9 s')", 1),
    "sql/enqueue.sql, several rows": ("select id from notify.enqueue(%s::jsonb, '9 s', '9 s')", 20),
}
BOUNDS = {"text": "texts_are_short", "timestamptz": "times_are_within_1970_and_9999"}
OURS = ("status", "outcome")  # words of ours: constraints say which
IN_STORY_OTHERWISE = ("id", "status", "channel", "recipient", "attempt", "max_attempts", "links")
ON_DASHBOARD_OTHERWISE = ("id", "status", "recipient", "payload", "attempts")


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def names(kind: type[Any]) -> list[str]:
    return [field.name for field in fields(kind)]


def texts(kind: type[Any]) -> set[str]:
    """Name the fields that are texts, and whose words a constraint does not limit."""
    return {f.name for f in fields(kind) if f.type in (str, str | None)} - {*OURS}


def option(field: str) -> bool:
    send = parser().commands["send"]
    positional = ("channel", "recipient", "payload")
    return field in positional or field in send.get_default("fields").values()


def row_of_dashboard() -> str:
    [query] = panel("one-notification.json", "Its row")["targets"]
    return str(query["rawSql"])


ROW = row_of_dashboard()
# By place, whether it has a field that a producer may set.
PLACES: dict[str, Callable[[str], bool]] = {
    "sql/accept.sql: new.FIELD, for unmet_rule()": lambda f: f"new.{f}" in text("sql/accept.sql"),
    "sql/unmet_rule.sql: an argument p_FIELD, and a rule": (
        lambda f: len(re.findall(rf"\bp_{f}\b", text("sql/unmet_rule.sql"))) > 1
    ),
    "sql/producer_rights.sql: in the list of columns": (
        lambda f: bool(re.search(rf"[{{, \n]{f}[,}}]", text("sql/producer_rights.sql")))
    ),
    "service/http/problem_kinds.py: a code invalid_FIELD": lambda f: f"invalid_{f}" in KINDS,
    "service/model/notification.py: Notification": lambda f: f in names(Notification),
    "service/cli/api_commands.py: an option of add_send(), among its fields": option,
    "README.md: the table of Three ways in": (
        lambda f: bool(re.search(rf"^\| `{f}` \|", text("README.md"), re.MULTILINE))
    ),
    "service/client/notification_client/_notification.py: in HttpOptions": (
        lambda f: f in {*REQUIRED, *HTTP_OPTIONS}
    ),
    "this file: EXAMPLE": lambda f: f in EXAMPLE,
}


@pytest.mark.parametrize("place", PLACES)
def test_what_a_producer_may_set_is_in(place):
    missing = [field for field in PRODUCERS if not PLACES[place](field)]
    assert not missing, f"{place}: {missing} is missing"


def test_post_notify_takes_what_an_insert_takes():
    table = text("README.md").partition("| column |")[2].partition("\n\n")[0]
    columns = {*re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE), *EXAMPLE}
    missing = columns - {*PRODUCERS}
    assert not missing, f"service/api/body.py: NewNotification lacks {missing}"


def test_what_a_producer_may_set_is_a_column(db):
    query = "select attname from pg_attribute where attrelid = 'notify.notifications'::regclass"
    missing = set(PRODUCERS) - {row.attname for row in db.execute(query)}
    assert not missing, f"migrations/: {missing} is no column"


@pytest.mark.parametrize("kind", BOUNDS)
def test_what_a_producer_may_set_has_bounds_in_every_row(db, kind):
    name = BOUNDS[kind]
    query = "select pg_get_constraintdef(oid) from pg_constraint where conname = %s"
    [words] = db.execute(query, [name]).fetchone()
    query = (
        "select attname from pg_attribute where attrelid = 'notify.notifications'::regclass"
        " and atttypid = %s::regtype and attname = any (%s)"
    )
    columns = [row.attname for row in db.execute(query, [kind, list(PRODUCERS)])]
    missing = [column for column in columns if not re.search(rf"\b{column}\b", words)]
    assert not missing, f"migrations/: the constraint {name} does not look at {missing}"


@pytest.mark.parametrize("place", CALLS)
def test_what_a_producer_may_set_is_stored_by(db, place):
    query, rows = CALLS[place]
    examples = [EXAMPLE | {"idempotency_key": f"order-{n:02}"} for n in range(rows)]
    db.execute(query, [msgspec.json.encode(examples).decode()])
    stored = db.execute("select * from notify.notifications").fetchall()
    assert len(stored) == rows
    stored.sort(key=attrgetter("idempotency_key"))
    for row, example in zip(stored, examples, strict=True):
        lost = [field for field in example if getattr(row, field) != example[field]]
        assert not lost, f"{place}: {lost} is not stored"


def test_the_views_show_what_the_ledger_has():
    hidden = {"payload", "attempts"}
    missing = {*names(Notification)} - hidden - {*Summary.__struct_fields__}
    assert not missing, f"service/api/views.py: Summary lacks {missing}"
    missing = {*Summary.__struct_fields__} - {*names(Notification), "links"}
    assert not missing, f"service/model/notification.py: Notification lacks {missing}"
    assert hidden <= {*Detail.__struct_fields__}
    assert list(AttemptView.__struct_fields__) == names(Attempt)


@pytest.mark.parametrize(("kind", "longest"), [(Notification, TEXTS), (Attempt, ATTEMPT_TEXTS)])
def test_every_text_that_is_read_has_its_longest(kind, longest):
    missing = texts(kind) - longest.keys()
    assert not missing, f"service/ledger/read_store.py: {missing} could be of megabytes"
    assert longest.keys() <= texts(kind)


def test_notify_status_tells_everything():
    missing = {*Summary.__struct_fields__} - {*STORY, *IN_STORY_OTHERWISE}
    assert not missing, f"service/cli/reading.py: STORY lacks {missing}"


def test_the_dashboard_of_one_notification_shows_everything():
    shown = {*names(Notification)} - {*ON_DASHBOARD_OTHERWISE}
    missing = [name for name in shown if not re.search(rf"\bn\.{name}\b", ROW)]
    assert not missing, f"ops/dashboards: 'Its row' of One notification lacks {missing}"
