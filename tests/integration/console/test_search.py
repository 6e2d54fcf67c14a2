"""The screen Search: what it finds, what it says of its look, and which verbs it offers."""

import json
import re
from html import unescape
from html.parser import HTMLParser
from urllib.parse import quote, urlencode

import pytest

from service.text.printable import printable
from tests import ledger
from tests.integration.console.browsing import Browser
from tests.keys import make

ADA, BO = "ada@example.org", "bo@example.org"


@pytest.fixture
def browser(api):
    return Browser(api)


@pytest.fixture
def search(browser):
    """Search, and give the page."""

    def ask(**fields):
        page = browser.get(f"/console/search?{urlencode(fields)}")
        page.ids = re.findall(r'href="/console/notifications/([0-9a-f-]{36})"', page.text)
        page.links = [unescape(href) for href in re.findall(r'href="([^"]+)"', page.text)]
        return page

    return ask


def log_in(browser, api, db, *scopes, **more):
    """Log in with a new key."""
    key = make(db, *scopes, **more)
    api.read_keys()
    assert browser.log_in(key).status == 303


def place(db, status="failed", **columns):
    return str(ledger.put(db, status, **columns))


def sent_by(db, producer, **columns):
    """Place one that a producer has sent."""
    return place(db, producer=producer, **columns)


def mail(db, producer, recipient):
    return sent_by(db, producer, channel="email", recipient=recipient)


def test_without_a_filter_it_shows_the_newest_first(search, db):
    ids = [str(id) for id in ledger.enqueue(db, 3)]
    page = search()
    assert page.status == 200
    assert page.ids == ids[::-1]
    assert '<a href="/console/search" aria-current="page">Search</a>' in page.text


def test_nothing_there_says_how_to_send_one(search):
    page = search()
    assert page.ids == []
    assert "There are no notifications yet" in page.text


def test_each_filter_narrows_and_stands_in_the_form(search, db):
    ledger.insert(db)
    wanted = place(
        db, last_error_code="503", reference="order 1", producer="shop", channel="webhook",
        recipient="http://a.example/x",
    )  # fmt: skip
    db.execute("insert into notify.attempts (notification_id, attempt, started_at, outcome, worker)"
               " values (%s, 1, now(), 'temporary', 'host:77-ab')", [wanted])  # fmt: skip
    for name, value in {
        "status": "failed", "channel": "webhook", "reference": "order 1", "producer": "shop",
        "recipient": "http://a.example/x", "destination": "http://a.example",
        "last_error_code": "503", "worker": "host:77",
    }.items():  # fmt: skip
        page = search(**{name: value})
        assert page.ids == [wanted], name
        chosen = (
            f'value="{value}"'
            if name not in ("status", "channel")
            else f"<option selected>{value}<"
        )
        assert chosen in page.text, name


def test_a_time_range_is_of_created_at_in_any_offset(search, db):
    ledger.insert(db)
    assert len(search(created_from="2020-01-01T00:00:00Z").ids) == 1
    assert search(created_from="2998-01-01T00:00:00+02:00").ids == []
    assert search(created_until="2020-01-01T00:00:00Z").ids == []
    both = search(created_from="2020-01-01T00:00:00Z", created_until="2998-01-01T00:00:00Z")
    assert len(both.ids) == 1


@pytest.mark.parametrize("text", ["{}", " {} ", "http://127.0.0.1:3000/console/notifications/{}",
                                  "https://x/notifications/{}?a=b#c"])  # fmt: skip
def test_an_id_or_a_link_leads_straight_to_it(search, db, text):
    [id] = ledger.enqueue(db)
    page = search(id=text.format(str(id).upper()), status="failed")
    assert (page.status, page.headers["Location"]) == (303, f"/console/notifications/{id}")


def test_what_is_no_id_is_told_so(search):
    page = search(id="order-1", status="failed")
    assert page.status == 422
    assert "no id" in page.text
    assert 'value="order-1"' in page.text
    assert "<option selected>failed<" in page.text


@pytest.mark.parametrize(
    ("name", "value"),
    [("status", "done"), ("channel", "sms"), ("created_from", "yesterday"), ("reference", "a\0"),
     ("created_until", "2020-01-01T00:00:00"), ("cursor", "x"), ("recipient", "r" * 3000),
     ("last_error_code", "c" * 300), ("destination", "d" * 301), ("worker", "w" * 300),
     ("nonsense", "1"), ("limit", "9")],
)  # fmt: skip
def test_a_wrong_filter_is_told_beside_it_and_the_rest_stays(search, db, name, value):
    ledger.insert(db)
    page = search(**{"producer": "shop", name: value})
    assert page.status == 422
    assert 'class="fault"' in page.text
    assert 'value="shop"' in page.text
    assert page.ids == []


def test_pages_follow_by_link_without_gap_or_repeat(browser, search, db):
    for _ in range(120):
        ledger.insert(db, reference="a&b=c")
    ledger.insert(db)
    page, seen, headings = search(reference="a&b=c"), [], []
    while True:
        seen += page.ids
        headings.append(re.search(r'id="found">(.*?)<', page.text)[1])
        older = re.search(r'href="([^"]+)">Older<', page.text)
        if older is None:
            break
        page = browser.get(unescape(older[1]))
        page.ids = re.findall(r'href="/console/notifications/([0-9a-f-]{36})"', page.text)
        assert ">Newest</a>" in page.text
    assert (len(set(seen)), len(seen)) == (120, 120)
    assert seen == sorted(seen, reverse=True)
    assert headings == [
        "The newest 50; older ones below", "The next 50; older ones below", "The last 20",
    ]  # fmt: skip


def test_only_the_first_page_refreshes_by_itself(browser, search, db):
    for _ in range(60):
        ledger.insert(db)
    first = search(channel="log")
    assert 'hx-get="/console/search?channel=log"' in first.text
    assert 'hx-trigger="every 5s, refresh"' in first.text
    [older] = re.findall(r'href="([^"]+)">Older<', first.text)
    second = browser.get(unescape(older))
    assert 'hx-trigger="refresh"' in second.text


def test_a_bounded_look_says_how_far_it_came_and_goes_on(browser, search, db, monkeypatch):
    monkeypatch.setattr("service.console.search.LOOK_ENOUGH", 1)
    monkeypatch.setattr("service.ledger.read_store.PAGE", look_of(510))
    wanted = place(db, "sent", recipient="rare")
    for _ in range(25):
        place(db, "sent")
    page = search(recipient="rare")
    assert page.ids == []
    assert "Looked through 10 rows back to" in page.text
    assert "None found yet" in page.text
    for _ in range(9):
        go_on = re.search(r'href="([^"]+)">Go on from there<', page.text)
        if go_on is None:
            break
        page = browser.get(unescape(go_on[1]))
    assert wanted in page.text


def look_of(rows):
    from service.ledger import read_store

    return read_store.PAGE.replace(str(read_store.PAGE_LOOK_MAX), str(rows))


def test_a_producers_key_sees_its_own_alone_and_masked(api, db, browser, search):
    own, others = mail(db, "shop", ADA), mail(db, "bank", BO)
    log_in(browser, api, db, "read", producer="shop")
    page = search()
    assert page.ids == [own]
    assert "a…@example.org" in page.text
    assert ADA not in page.text
    assert 'name="producer"' not in page.text
    assert "sees what shop has sent" in page.text
    assert search(producer="shop").ids == [own]
    assert search(producer="bank").ids == []
    assert others not in search(producer="bank").text


def test_no_filter_tells_to_whom_others_send(api, db, browser, search):
    """One's own recipients one knows: of them a whole address is found."""
    own, others = mail(db, "shop", ADA), mail(db, "bank", BO)
    log_in(browser, api, db, "operate", producer="shop")
    assert sorted(search().ids) == sorted([own, others])
    assert search(recipient=BO).ids == []
    assert search(recipient=BO, producer="bank").ids == []
    page = search(recipient=ADA)
    assert page.ids == [own]
    assert "does not see recipients" in page.text
    assert api.get(f"/notifications?recipient={quote(BO)}", **cookies(browser)).json["items"] == []


def test_a_test_key_finds_no_recipient_of_others_either(api, db, browser, search):
    mail(db, "bank", BO)
    log_in(browser, api, db, "operate", "read:payload", producer="shop", kind="test")
    assert search(recipient=BO).ids == []


def test_who_sees_payloads_finds_by_recipient_everywhere(api, db, browser, search):
    others = mail(db, "bank", BO)
    log_in(browser, api, db, "operate", "read:payload", producer="shop")
    page = search(recipient=BO)
    assert page.ids == [others]
    assert "bo@example.org" in page.text


def cookies(browser):
    return {"Cookie": "; ".join(f"{n}={v}" for n, v in browser.cookies.items())}


def test_without_operate_there_are_no_verbs(api, db, browser, search):
    sent_by(db, "shop")
    log_in(browser, api, db, "read", producer="shop")
    page = search(status="failed")
    assert len(page.ids) == 1
    assert 'type="checkbox"' not in page.text
    assert "data-all" not in page.text
    assert "data-selected" not in page.text


def offered(page):
    """Give the verb for all that match, and its filter; or why there is none."""
    found = re.search(r'data-all="(\w+)" data-filter=\'([^\']*)\'', page.text)
    if found:
        return found[1], json.loads(unescape(found[2]))
    return None, re.search(r'<p class="hint">((?:To|There is no) [^<]+)<', page.text)[1]


def test_all_that_match_are_redriven_or_cancelled_by_their_filter(search, db):
    ledger.insert(db)
    since = "2020-01-01T00:00:00+00:00"
    verb, given = offered(search(status="failed", last_error_code="503", created_from=since))
    assert (verb, given) == ("redrive", {"last_error_code": "503", "created_from": since})
    verb, given = offered(search(status="queued", producer="o'hara<&\"", channel="log"))
    assert (verb, given) == ("cancel", {"producer": "o'hara<&\"", "channel": "log"})
    assert offered(search(status="failed")) == ("redrive", {})


@pytest.mark.parametrize(
    ("asked", "why"),
    [({}, "search for status failed"), ({"status": "sent"}, "search for status failed"),
     ({"status": "failed", "worker": "w"}, "no redrive of all that match by worker"),
     ({"status": "queued", "last_error_code": "503", "worker": "w"},
      "cancel of all that match by code and worker")],
)  # fmt: skip
def test_a_verb_that_is_not_offered_says_why(search, db, asked, why):
    verb, words = offered(search(**asked))
    assert verb is None
    assert why in words


@pytest.mark.parametrize(
    ("held", "offers"),
    [({"channels": ["log"]}, {"log": "redrive", "": "one of your key's", "email": "one of your"}),
     ({"recipients": ["r"]}, {"log": "select rows that yours reaches"})],
)  # fmt: skip
def test_a_key_is_offered_to_redrive_what_the_api_lets_it(api, db, browser, held, offers):
    log_in(browser, api, db, "operate", **held)
    for channel, offer in offers.items():
        query = urlencode({"status": "failed", "channel": channel})
        verb, why = offered(browser.get(f"/console/search?{query}"))
        assert offer in (verb or unescape(why))


def test_what_the_button_sends_is_what_the_api_takes(browser, search, db):
    ids = {place(db, last_error_code="503") for _ in range(3)}
    place(db, last_error_code="404")
    page = search(status="failed", last_error_code="503")
    _, given = offered(page)
    given["created_until"] = re.search(r'data-now="([^"]+)"', page.text)[1]
    body = json.dumps({"filter": given, "dry_run": True, "limit": 10_000}).encode()
    counted = browser.verb("/redrive", body)
    assert (counted.status, counted.json["matched"], counted.json["redriven"]) == (200, 3, 0)
    moved = browser.verb("/redrive", json.dumps({"filter": given}).encode())
    assert moved.json["redriven"] == 3
    assert {ledger.status(db, id) for id in ids} == {"queued"}


CORPUS = [
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "'onfocus='alert(1)",
    "{{7*7}}", "</td></table>", "\u202egnp.exe", "javascript:alert(1)", "a" * 250, "=1+1",
]  # fmt: skip


class Tags(HTMLParser):
    """The elements of a page with their attributes, and the texts of its table."""

    def __init__(self, text):
        super().__init__()
        self.found, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, frozenset(name for name, _ in attrs)))

    def handle_data(self, data):
        self.texts.append(data)


@pytest.mark.parametrize("text", CORPUS)
def test_what_producers_write_stays_text(search, db, text):
    """The same elements as of a harmless one."""
    texts = {"recipient": text, "reference": text, "producer": text[:60]}
    harmless = Tags(search_with(search, db, dict.fromkeys(texts, "x"), "w"))
    hostile = Tags(search_with(search, db, texts, text))
    assert hostile.found == harmless.found
    shown = printable(text)
    assert shown in hostile.texts
    assert text == shown or text not in hostile.texts


def search_with(search, db, texts, worker):
    """Place one with these texts, find it by them, and give the page."""
    id = place(db, last_error_code=texts["producer"], **texts)
    db.execute("insert into notify.attempts (notification_id, attempt, started_at, outcome, worker)"
               " values (%s, 1, now(), 'temporary', %s)", [id, worker])  # fmt: skip
    page = search(worker=worker, last_error_code=texts["producer"], **texts)
    assert (page.status, page.ids) == (200, [id])
    return page.text


def test_a_long_recipient_is_clamped(search, db):
    place(db, recipient="r" * 2048)
    page = search()
    assert f'<span class="clamp">{"r" * 2048}</span>' in page.text
