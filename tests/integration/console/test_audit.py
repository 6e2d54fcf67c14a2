"""The screen Audit: who did what, of what, and what came of it."""

import html
import json
import re

import pytest

from tests import ledger
from tests.integration.console.browsing import Browser
from tests.integration.console.test_one import HOSTILE, words
from tests.integration.console.test_session import known
from tests.keys import bearer


@pytest.fixture
def browser(api):
    return Browser(api)


def used(db, verb="cancel", actor="shop", key_id=None, detail=None):
    db.execute(
        "select notify.record_use(%s, %s, %s, %s::jsonb)",
        [actor, key_id, verb, json.dumps(detail or {})],
    )


def rows(browser, query=""):
    """Give the page's text, and the words of each row of its table."""
    page = browser.get(f"/console/audit{query}")
    assert page.status == 200, page.text
    return page.text, [
        words(row) for row in re.findall(r"<tr>(.*?)</tr>", page.text, re.DOTALL)[1:]
    ]


def test_nobody_has_used_a_verb_yet(browser):
    text, found = rows(browser)
    assert found == []
    assert "Nobody has used a verb yet" in text


def test_who_did_what_with_which_key_and_what_came_of_it(api, db, browser):
    failed = ledger.put(db, "failed", last_error_code="503")
    queued = ledger.put(db, "queued")
    ops = known(api, db, "operate", producer="ops")
    asked = {"filter": {"last_error_code": "503", "reference": None}, "limit": 7}
    assert api.post(asked, to="/redrive", **bearer(ops)).json["redriven"] == 1
    api.post({}, to=f"/notifications/{queued}/cancel", **bearer(ops))
    api.post({}, to=f"/notifications/{queued}/send-again", **bearer(ops))
    browser.log_in(ops)
    text, found = rows(browser)
    again, cancel, redrive, _ = found
    assert f"send_again ops {ops.id} id {queued}" in again
    assert f"cancel ops {ops.id} id {queued}" in cancel
    assert f"redrive ops {ops.id} " in redrive
    for part in ("filter.last_error_code 503", "limit 7", "matched 1", "redriven 1"):
        assert part in redrive
    assert text.count(f'href="/console/notifications/{queued}"') == 2
    copy = re.search(r"copy ([0-9a-f-]{36})", again)[1]
    assert f'href="/console/notifications/{copy}"' in text
    assert str(failed) not in text


def test_a_dry_run_is_no_use_and_a_redrive_that_fails_is_none(api, db):
    ledger.put(db, "failed")
    asked = {"filter": {"channel": "log"}, "dry_run": True}
    assert api.post(asked, to="/redrive").json["matched"] == 1
    assert db.execute("select count(*) from notify.audit").fetchone() == (0,)
    db.execute("alter table notify.audit add constraint none check (verb <> 'redrive')")
    assert api.post(asked | {"dry_run": False}, to="/redrive").status >= 400
    assert db.execute("select count(*) from notify.audit").fetchone() == (0,)
    status = "select status from notify.notifications"
    assert db.execute(status).fetchone() == ("failed",)


def test_it_goes_on_page_by_page_without_a_row_lost_or_shown_twice(browser, db):
    for n in range(120):
        used(db, detail={"n": n})
    seen, query = [], ""
    while query is not None:
        text, found = rows(browser, query)
        seen += [re.search(r" n (\d+)$", row)[1] for row in found]
        older = re.search(r'href="/console/audit(\?[^"]*before=\d+)">Older', text)
        query = html.unescape(older[1]) if older else None
    assert seen == [str(n) for n in reversed(range(120))]
    assert "No older use matches" in rows(browser, "?before=1")[0]


@pytest.mark.parametrize(
    ("query", "expected"),
    [("?verb=redrive", 2), ("?actor=shop", 2), ("?key=k1", 1), ("?verb=redrive&actor=shop", 1),
     ("?verb=nothing", 0), ("?verb=%27%20or%201=1--", 0), ("?key=%00", 0),
     ("?verb=&actor=&key=", 4)],
)  # fmt: skip
def test_a_filter_narrows(browser, db, query, expected):
    used(db, "redrive", "shop", "k1")
    used(db, "redrive", "ops")
    used(db, "cancel", "shop")
    used(db, "erase", "postgres")
    text, found = rows(browser, query)
    assert len(found) == expected
    assert ("No use matches" in text) is (expected == 0)


def test_the_filter_stays_in_the_link_that_goes_on(browser, db):
    for n in range(60):
        used(db, "redrive", "sh&op", detail={"n": n})
    text, _ = rows(browser, "?actor=sh%26op&verb=redrive")
    [older] = re.findall(r'href="([^"]*before=[^"]*)"', text)
    assert "verb=redrive" in older
    assert "actor=sh%26op" in html.unescape(older)
    assert 'value="sh&amp;op"' in text


def test_what_is_found_rarely_is_looked_for_some_way_at_a_time(browser, db):
    used(db, "erase")
    db.execute(
        "insert into notify.audit (actor, verb)"
        " select 'shop', 'cancel' from generate_series(1, 25000)"
    )
    text, found = rows(browser, "?verb=erase")
    assert found == []
    assert "There are older ones" in text
    older = html.unescape(re.search(r'href="/console/audit(\?[^"]*)">Older', text)[1])
    assert len(rows(browser, older)[1]) == 1


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "9" * 19, "9" * 30, "%00", "%D9%A1"])
def test_an_odd_cursor_is_a_page_that_says_so(browser, cursor):
    page = browser.get(f"/console/audit?before={cursor}")
    assert page.status == 422
    assert "<h1>" in page.text


@pytest.mark.parametrize("scope", ["read", "read:payload"])
def test_who_does_not_operate_sees_none_of_it(api, db, browser, scope):
    used(db, "cancel", "secret-actor")
    browser.log_in(known(api, db, scope))
    page = browser.get("/console/audit")
    assert page.status == 403
    assert "secret-actor" not in page.text
    assert "scope operate" in page.text


def test_nothing_that_others_wrote_is_markup(browser, db):
    used(
        db, HOSTILE[:63], HOSTILE, HOSTILE[:63], {HOSTILE: HOSTILE, "id": HOSTILE, "ids": [HOSTILE]}
    )
    text, found = rows(browser)
    assert len(found) == 1
    assert "<script>alert" not in text
    assert "<img" not in text
    assert "\u202e" not in text
    assert HOSTILE[:25] in html.unescape(text)
    assert 'href="/console/notifications/' not in text
    text, _ = rows(browser, "?verb=%3Cscript%3Ealert(1)%3C/script%3E&actor=%22%3E%3Cimg%20src=x%3E")
    assert "<script>alert" not in text
    assert "<img" not in text


@pytest.mark.parametrize("detail", [[1, 2], 5, None, "x", True])
def test_a_detail_that_is_no_object_is_shown(db, browser, detail):
    text = json.dumps(detail)
    db.execute("select notify.record_use('a', null, 'odd', %s::jsonb)", [text])
    db.execute("insert into notify.audit (actor, verb, detail) values ('a', 'odd', %s)", [text])
    assert len(rows(browser)[1]) == 2
