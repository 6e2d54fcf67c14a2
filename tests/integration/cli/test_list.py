"""`notify list`: the filters of GET /notifications, pages, and both forms."""

import json
import re

import pytest

from service.cli import reading
from tests.integration.cli.terminal import Terminal
from tests.ledger import enqueue, put


@pytest.fixture
def lists(notify, api):
    """Run `notify list`; gives the ids in the table, or the whole outcome."""

    def run(*argv):
        done = notify("list", "--url", f"http://127.0.0.1:{api.port}", *argv)
        return re.findall(r"^[0-9a-f-]{36}", done.out, re.MULTILINE), done

    return run


def test_the_newest_come_first_under_a_head(lists, db):
    ids = [str(id) for id in enqueue(db, 3)]
    found, done = lists()
    assert found == ids[::-1]
    assert done.out.startswith("id ")
    assert (done.code, done.err) == (0, "")


def test_nothing_is_a_head_alone(lists):
    found, done = lists()
    assert (found, done.code, done.out.count("\n")) == ([], 0, 1)


@pytest.mark.parametrize(
    "option",
    [("--status", "failed"), ("--channel", "webhook"), ("--reference", "order-1"),
     ("--recipient", "http://x/"), ("--code", "503"), ("--producer", "shop"),
     ("--worker", "host:1"), ("--since", "2020-01-01T00:00:00Z", "--code", "503"),
     ("--until", "2998-01-01T00:00:00Z", "--code", "503")],
)  # fmt: skip
def test_each_filter_narrows(lists, db, option):
    enqueue(db)
    wanted = put(db, "failed", last_error_code="503")
    db.execute("update notify.notifications set channel = 'webhook', recipient = 'http://x/',"
               " reference = 'order-1', producer = 'shop' where id = %s", [wanted])  # fmt: skip
    db.execute("insert into notify.attempts (notification_id, attempt, started_at, outcome, worker)"
               " values (%s, 1, now(), 'temporary', 'host:1-ab')", [wanted])  # fmt: skip
    found, done = lists(*option)
    assert found == [str(wanted)]
    assert "503" in done.out


def test_more_than_a_page_of_the_api_is_asked_for_page_by_page(lists, db, monkeypatch):
    monkeypatch.setattr(reading, "PAGE_MAX", 2)
    ids = [str(id) for id in enqueue(db, 6)]
    found, done = lists("--limit", "5")
    assert found == ids[:0:-1]
    following = re.search(r"more: notify list --limit 5 --url \S+ --cursor (\S+)\n", done.err)
    assert lists("--cursor", following[1])[0] == ids[:1]


def test_json_has_the_items_of_all_pages_and_the_cursor(lists, db, monkeypatch):
    monkeypatch.setattr(reading, "PAGE_MAX", 2)
    ids = [str(id) for id in enqueue(db, 4)]
    document = json.loads(lists("--json", "--limit", "3")[1].out)
    assert [item["id"] for item in document["items"]] == ids[:0:-1]
    rest = json.loads(lists("--json", "--cursor", document["next"])[1].out)
    assert ([item["id"] for item in rest["items"]], rest["next"]) == (ids[:1], None)


def test_a_line_is_cut_where_a_terminal_ends_and_nowhere_else(bare, api, db):
    enqueue(db, recipient="r" * 300)
    with Terminal(60, "list", "--url", f"http://127.0.0.1:{api.port}") as terminal:
        shown = terminal.until_it_ends()
    assert max(map(len, shown.splitlines())) == 60
    assert shown.splitlines()[1].endswith("…")


def test_what_a_receiver_wrote_reaches_no_terminal_as_it_is(lists, db):
    enqueue(db, recipient="\u202eevil")
    assert "\\u202eevil" in lists()[1].out
