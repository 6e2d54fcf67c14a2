"""What was found, as a file: whole, masked as it is on the page, and read as it is taken."""

import csv
import io
import json
import re
import socket
import time
from itertools import product
from urllib.parse import urlencode

import pytest

from service.console import export
from service.errors import DatabaseAway
from service.http.connections import LOOK_S, Limits
from tests import ledger
from tests.integration.api.serving import LIMIT_S, serving
from tests.integration.console.browsing import Browser
from tests.keys import make
from tests.waiting import wait_for

SHORT_S = 3.0
FORMULA = ("=", "+", "-", "@")
PIECES = 110


@pytest.fixture
def browser(api):
    return Browser(api)


@pytest.fixture
def exported(browser):
    """Export, and give the answer with its lines."""

    def ask(kind="ndjson", **fields):
        answer = browser.get(f"/console/search/export?{urlencode({'format': kind, **fields})}")
        if answer.status == 200:
            text = answer.text
            answer.lines = (
                list(csv.reader(io.StringIO(text, newline=""))) if kind == "csv"
                else [json.loads(line) for line in text.splitlines()]
            )  # fmt: skip
        return answer

    return ask


@pytest.fixture
def before_page(api, db, monkeypatch):
    """Change keys, and have them read, while an export waits for its page of a number."""
    pages, asked = api.reads.page, []

    def when(number, change):
        async def page(*args, **more):
            asked.append(args)
            if len(asked) == number:
                db.execute(change)
                await api._read_keys()
            return await pages(*args, **more)

        monkeypatch.setattr(api.reads, "page", page)

    return when


def log_in(browser, api, db, *scopes, **more):
    key = make(db, *scopes, **more)
    api.read_keys()
    assert browser.log_in(key).status == 303


def audit(db):
    return db.execute("select actor, detail from notify.audit where verb = 'export'").fetchall()


def test_ndjson_has_a_line_for_each_as_the_list_has_it(exported, api, db):
    ledger.enqueue(db, 450)
    answer = exported()
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    name = r'attachment; filename="notifications-\d{8}T\d{6}Z\.ndjson"'
    assert re.fullmatch(name, answer.headers["Content-Disposition"])
    *lines, last = answer.lines
    assert last == {"end": {"lines": 450, "is_cut": False, "why": None, "next": None}}
    listed = api.get("/notifications?limit=200").json["items"]
    assert lines[:200] == listed
    ids = [line["id"] for line in lines]
    assert ids == sorted(set(ids), reverse=True)


def test_csv_is_of_the_same_fields_and_the_same_length_in_each_line(exported, db):
    id = ledger.put(db, "queued", recipient='a "b", c\n\u00e9', reference="order,1")
    answer = exported("csv")
    assert answer.headers["Content-Type"].startswith("text/csv; charset=utf-8")
    assert answer.headers["Content-Disposition"].endswith('.csv"')
    head, row, last = answer.lines
    assert len(head) == len(row) == len(last)
    found = dict(zip(head, row, strict=True))
    assert (found["id"], found["recipient"]) == (str(id), 'a "b", c\n\u00e9')
    assert (found["reference"], found["settled_at"], found["is_test"]) == ("order,1", "", "False")
    assert last[0] == "# 1 lines; that is all"
    assert not any(last[1:])
    assert answer.body.count(b"\r\n") == 3


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_is_a_formula(exported, db, begin):
    ledger.put(db, "queued", recipient=f"{begin}1+1")
    head, row, _ = exported("csv").lines
    assert row[head.index("recipient")] == f"'{begin}1+1"
    assert not any(value.startswith(begin) for value in row)


def test_no_cell_is_a_formula_where_others_than_commas_separate(exported, db):
    between = ["", "  ", '"', '" "', ";;", "\t", "\r\n"]
    for separator, blank, begin in product([";", "\t", "\n", "\r"], between, FORMULA):
        text = f"x{separator}{blank}{begin}1+1{separator}{begin}2"
        ledger.put(db, "queued", recipient=text, reference=f"x;{begin}1+1")
    answer = exported("csv")
    assert len(answer.lines) == 4 * 7 * 4 + 2
    head = answer.lines[0]
    references = {row[head.index("reference")] for row in answer.lines[1:-1]}
    assert references == {f"x;'{begin}1+1" for begin in FORMULA}
    readings = [
        csv.reader(io.StringIO(answer.text, newline=""), delimiter=delimiter)
        for delimiter in (",", ";", "\t")
    ]
    cells = [cell for reading in readings for line in reading for cell in line]
    cells += re.split(r"[;\t\r\n]", answer.text)
    assert not [cell for cell in cells if cell.lstrip('" ').startswith(FORMULA)]


@pytest.mark.parametrize("text", ["a;b", "a; b-1", "x=1;y=2", 'a;"b"', "1-2=3", "a,=1"])
def test_a_cell_that_is_no_formula_stays_as_it_is(exported, db, text):
    ledger.put(db, "queued", recipient="me", reference=text)
    head, row, _ = exported("csv").lines
    assert row[head.index("reference")] == text


def test_filters_are_those_of_the_page(exported, db):
    ledger.enqueue(db, 3)
    wanted = ledger.put(db, "failed", last_error_code="503")
    for fields in ({"status": "failed"}, {"last_error_code": "503"}):
        one, _ = exported(**fields).lines
        assert one["id"] == str(wanted)
    assert [line.keys() for line in exported(status="expired").lines] == [{"end"}]


@pytest.mark.parametrize("fields", [{"kind": "xls"}, {"status": "done"}, {"page": "2"}])
def test_what_is_wrong_is_told_before_it_begins(exported, fields):
    answer = exported(**fields)
    assert answer.status == 422
    assert "Content-Disposition" not in answer.headers


@pytest.mark.parametrize("kind", ["ndjson", "csv"])
def test_a_cut_export_says_so_and_goes_on_where_it_ended(exported, browser, db, monkeypatch, kind):
    monkeypatch.setattr(export, "EXPORT_LINES_MAX", 250)
    ids = [str(id) for id in ledger.enqueue(db, 300)][::-1]
    first = exported(kind, channel="log")
    if kind == "csv":
        first_ids = [row[0] for row in first.lines[1:-1]]
        where = first.lines[-1][0].partition("go on with ")[2]
        assert first.lines[-1][0].startswith("# 250 lines; cut: an export has 250 at most")
    else:
        first_ids = [line["id"] for line in first.lines[:-1]]
        end = first.lines[-1]["end"]
        assert (end["lines"], end["is_cut"]) == (250, True)
        where = end["next"]
    assert first_ids == ids[:250]
    rest = browser.get(where).text.splitlines()
    assert len(rest) == 50 + (2 if kind == "csv" else 1)
    assert all(id in line for id, line in zip(ids[250:], rest[kind == "csv" :], strict=False))


def test_a_long_look_is_cut_too(exported, db, monkeypatch):
    monkeypatch.setattr(export, "LOOK_MAX", 300)
    monkeypatch.setattr(export, "PAGE_ROWS_MAX", 100)
    ledger.enqueue(db, 500)
    *lines, last = exported().lines
    assert len(lines) == 300
    assert last["end"]["why"].startswith("it looked at")


def test_a_database_that_goes_away_is_told_in_the_last_line(exported, db, monkeypatch, api):
    ledger.enqueue(db, 300)
    pages = api.reads.page
    asked = []

    async def page(*args, **more):
        asked.append(args)
        if len(asked) > 1:
            raise DatabaseAway("gone")
        return await pages(*args, **more)

    monkeypatch.setattr(api.reads, "page", page)
    *lines, last = exported().lines
    assert len(lines) == 200
    assert last["end"]["is_cut"]
    assert f"cursor={lines[-1]['id']}" in last["end"]["next"]


@pytest.fixture
def operator(browser, api, db):
    """Log in with a key that exports whole recipients of all."""
    log_in(browser, api, db, "operate", "read:payload")


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize(
    ("lost", "why"),
    [("revoked_at = now()", "the key is not valid any more"),
     ("scopes = '{send}'", "the rights of the key were changed"),
     ("scopes = '{operate}'", "the rights of the key were changed")],
)  # fmt: skip
def test_nothing_more_is_written_for_a_key_that_lost_its_right(
    db, exported, before_page, lost, why
):
    ledger.enqueue(db, 500)
    before_page(3, f"update notify.api_keys set {lost}")
    *lines, last = exported().lines
    assert len(lines) == 400
    assert (last["end"]["is_cut"], last["end"]["why"]) == (True, why)
    assert f"cursor={lines[-1]['id']}" in last["end"]["next"]


@pytest.mark.usefixtures("operator")
def test_an_export_that_waited_for_its_first_page_begins_with_no_revoked_key(
    db, exported, before_page
):
    ledger.enqueue(db)
    before_page(1, "update notify.api_keys set revoked_at = now()")
    assert exported().status == 303
    assert audit(db) == []


def test_a_producers_key_exports_its_own_alone_masked_and_unaudited(api, db, browser, exported):
    own = ledger.put(db, "sent", producer="shop", channel="email", recipient="ada@example.org")
    ledger.put(db, "sent", producer="bank", channel="email", recipient="bo@example.org")
    log_in(browser, api, db, "read", producer="shop")
    for kind in ("ndjson", "csv"):
        text = exported(kind).text
        assert str(own) in text
        assert "a…@example.org" in text
        assert "ada@" not in text
        assert "bank" not in text
    assert audit(db) == []
    assert len(exported(producer="bank").lines) == 1


def test_who_sees_recipients_is_audited_without_them(api, db, browser, exported):
    ledger.put(db, "sent", channel="email", recipient="ada@example.org", reference="Ada's")
    log_in(browser, api, db, "operate", "read:payload", producer="ops")
    answer = exported(recipient="ada@example.org", reference="Ada's", status="sent")
    assert answer.lines[0]["recipient"] == "ada@example.org"
    [(actor, detail)] = audit(db)
    assert actor == "ops"
    assert detail == {"filter": {"recipient": "…", "reference": "…", "status": "sent"}}


def test_the_audit_names_a_destination_and_no_url(api, db, browser, exported):
    log_in(browser, api, db, "operate", "read:payload", producer="ops")
    exported(destination="https://hooks.example/T0/SECRET")
    [(_, detail)] = audit(db)
    assert detail == {"filter": {"destination": "https://hooks.example"}}


def test_nobody_without_a_key_exports(api, db, exported):
    make(db, "operate")
    api.read_keys()
    assert exported().status == 303


def test_a_head_writes_no_line(api, db):
    ledger.enqueue(db)
    answer = api.ask("HEAD", "/console/search/export?format=csv")
    assert (answer.status, answer.body) == (200, b"")


@pytest.fixture
def waiting(monkeypatch):
    """Say whether the edge waits for the reader of the last export."""
    requests = []

    def is_gone(request):
        requests.append(request)
        return request.transport is None

    monkeypatch.setattr(export, "is_gone", is_gone)
    return lambda: bool(requests) and requests[-1].protocol.writing_paused


def asking(port):
    """Ask for an export, and read nothing of it."""
    reader = socket.socket()
    reader.connect(("127.0.0.1", port))
    reader.settimeout(LIMIT_S)
    reader.sendall(b"GET /console/search/export HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return reader


@pytest.fixture
def long_ledger(db):
    """32 MB of lines, which no buffer holds."""
    for _ in range(20):
        ledger.enqueue(db, 1000, recipient="x" * 1000, reference="r" * 250)


@pytest.mark.usefixtures("long_ledger")
def test_who_does_not_read_holds_no_connection_of_the_database(api, waiting):
    with asking(api.port) as reader:
        wait_for(waiting)
        wait_for(lambda: waiting() and api.reads.pool.stats().used == 0)
        assert api.get("/notifications?limit=1").status == 200
        taken = b""
        while not taken.endswith(b"0\r\n\r\n"):
            more = reader.recv(1 << 20)
            assert more, "it ended early"
            taken = taken[-4096:] + more
        assert b'"lines":20000' in taken


@pytest.mark.usefixtures("long_ledger")
def test_no_more_is_read_than_is_taken(api, waiting, monkeypatch):
    pages, asked = api.reads.page, []

    async def page(*args, **more):
        asked.append(args)
        return await pages(*args, **more)

    monkeypatch.setattr(api.reads, "page", page)
    with asking(api.port):
        wait_for(waiting)
        assert 0 < len(asked) < 80  # of 100: the sockets hold some megabytes


@pytest.mark.usefixtures("long_ledger")
def test_it_ends_when_its_reader_goes(api, waiting):
    with asking(api.port):
        wait_for(waiting)
        assert api.metric("api_requests_in_progress") >= 1
    wait_for(lambda: api.metric("api_requests_in_progress") == 0)


@pytest.mark.usefixtures("long_ledger")
def test_who_reads_slowly_but_steadily_is_not_cut_off(dsn, waiting):
    """It keeps the edge waiting at each look, and yet reads on in between: 3 MB a second."""
    limits = Limits(connections_max=100, answer_s=SHORT_S)
    with serving(dsn, limits=limits) as api, asking(api.port) as reader:
        began = time.monotonic()
        for piece in range(1, PIECES + 1):
            left = 150_000
            while left > 0:
                left -= len(reader.recv(left) or pytest.fail("it was cut off"))
            wait_for(lambda at=began + piece * 0.05: time.monotonic() > at and waiting())
        assert time.monotonic() - began > SHORT_S + 2 * LOOK_S


@pytest.mark.usefixtures("long_ledger")
def test_who_reads_nothing_is_cut_off(dsn, waiting):
    limits = Limits(connections_max=100, answer_s=SHORT_S)
    with serving(dsn, limits=limits) as api, asking(api.port):
        wait_for(waiting)
        wait_for(lambda: api.metric("api_requests_in_progress") == 0)
