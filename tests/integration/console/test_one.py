"""The screen of one notification: its story, its content for who may see it, and its buttons."""

import html
import json
import re
import subprocess
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests import ledger
from tests.integration.api.serving import HOOK, LINE, MAIL, serving
from tests.integration.console.browsing import Browser
from tests.integration.console.test_session import known

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}&amp;\u202e\u2066"


@pytest.fixture
def browser(api):
    return Browser(api)


def page_of(browser, id, more=""):
    page = browser.get(f"/console/notifications/{id}{more}")
    assert page.status == 200, page.text
    return page.text


def words(text):
    """Give what a person reads of a page, on one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def tried(db, outcome="temporary", **more):
    """Make a notification that was tried once."""
    [id] = ledger.enqueue(db, **more)
    ledger.settle(db, ledger.claim(db, [id]), outcome, code="503", excerpt="busy, come back")
    return id


def test_the_story_of_one_that_waits_for_another_try(browser, db):
    id = tried(db, producer="shop", reference="order-7", traceparent=TRACE)
    told = words(page_of(browser, id))
    row = ledger.row(db, id)
    for part in (
        f"Notification {id}", "queued", "by shop", f"in transaction {row.transaction_id}",
        TRACE[3:35], "Attempt 1 : failed; another try may help 503", "in 10 ms",
        "It counts against the attempts. Worker w:1", "busy, come back", "Next try , attempt 2",
        "order-7", "1 begun, 3 left", "Expires never",
    ):  # fmt: skip
        assert part in told, part
    assert 'title="' in page_of(browser, id)


def test_it_says_what_notify_explain_says(browser, api, db):
    ids = [tried(db), tried(db, "permanent")]
    for id in (*ids, ledger.put(db, "sending"), ledger.put(db, "sent")):
        reasons = api.get(f"/notifications/{id}/explain").json["reasons"]
        told = words(page_of(browser, id)).replace(" ", "")  # a time is an element in it
        for reason in reasons:
            assert "".join(reason["sentence"].split()) in told
            assert (reason["command"] or "").replace(" ", "") in told


def test_one_that_is_being_sent_shows_who_holds_it_and_until_when(browser, db):
    id = ledger.put(db, "sending")
    text = page_of(browser, id)
    assert "Worker w:1 holds it until" in words(text)
    assert ledger.row(db, id).lease_until.isoformat()[:19] in text


def test_an_attempt_that_does_not_count_says_so(browser, db):
    told = words(page_of(browser, tried(db, "throttled")))
    assert "the receiver said: not now" in told
    assert "It does not count against the attempts" in told


def test_attempts_that_were_given_back_unsent_are_told_from_those_that_ended(browser, db):
    id = tried(db)
    for _ in range(3):
        ledger.change(db, id, due_at=ledger.ago(db, "1 s"))
        assert len(ledger.release(db, ledger.claim(db, [id]))) == 1
    assert "4 begun, 3 of them given back unsent, which costs none; 3 left" in words(
        page_of(browser, id)
    )
    ledger.change(db, id, due_at=ledger.ago(db, "1 s"))
    [claimed] = ledger.claim(db, [id])
    assert "5 begun, 3 of them given back unsent, which" in words(page_of(browser, id))
    ledger.settle(db, [claimed], "sent")
    told = words(page_of(browser, id))
    assert "5 begun, 3 of them given back unsent, which costs none Expires" in told
    assert "unsent" not in words(page_of(browser, id, "?before=5"))


def test_what_is_not_there_is_a_page(browser):
    for id in (uuid4(), "none", "0" * 36):
        page = browser.get(f"/console/notifications/{id}")
        assert page.status == 404
        assert "<h1>There is no such notification</h1>" in page.text
    assert browser.get(f"/console/notifications/{uuid4()}?before=x").status == 422


def test_ten_thousand_attempts_are_read_a_hundred_at_a_time(browser, db):
    id = tried(db)
    db.execute(
        "insert into notify.attempts (notification_id, attempt, started_at, outcome, worker)"
        " select %s, n, now() + n * interval '1 s', 'temporary', 'w:1'"
        " from generate_series(2, 10000) n",
        [id],
    )
    text = page_of(browser, id)
    assert "Attempt 10000" in text
    assert len(re.findall(r"<b>Attempt \d+</b>", text)) == 100
    seen, older = 100, re.search(r'href="[^"]*(\?before=\d+)"', text)
    while older:
        text = page_of(browser, id, older[1])
        seen += len(re.findall(r"<b>Attempt \d+</b>", text))
        older = re.search(r'href="[^"]*(\?before=\d+)"', text)
        if seen > 400:
            break
    assert seen > 400
    assert "Enqueued" in page_of(browser, id, "?before=50")


def block(text, heading):
    """Give the first text that is shown as it is below a heading."""
    return html.unescape(re.search(rf"{heading}.*?<pre[^>]*>(.*?)</pre>", text, re.DOTALL)[1])


def test_a_payload_is_indented_and_raw_and_its_numbers_stay(browser, db):
    payload = '{"n": 123456789012345678901234567890, "f": 1.10, "e": 1e400, "t": "a\\u202eb"}'
    id = ledger.enqueue(db, payload=payload)[0]
    text = page_of(browser, id)
    shown, raw = block(text, "Indented"), block(text, "<summary>Raw")
    stored = db.execute("select payload::text from notify.notifications where id = %s", [id])
    assert raw == stored.fetchone()[0].replace("\u202e", "\\u202e")
    assert '  "f": 1.10' in shown
    assert "123456789012345678901234567890" in shown
    assert "".join(shown.split()) == "".join(raw.split())


@pytest.mark.parametrize(
    ("payload", "is_indented"),
    [
        (json.dumps({"text": "x" * 200_000}), True),
        (json.dumps(list(range(30_000))), True),
        ("[" * 3000 + "]" * 3000, False),
        ("[" * 200 + "1," * 50_000 + "1" + "]" * 200, False),
    ],
)
def test_a_large_or_deep_payload_stays_readable(browser, db, payload, is_indented):
    text = page_of(browser, ledger.enqueue(db, payload=payload)[0])
    assert ("nested too deep to be indented" not in text) is is_indented
    assert "<details open>" not in text
    assert len(text) < 4_000_000
    raw = block(text, "<summary>Raw")
    assert "".join(raw.split()) == "".join(payload.split())


def sends(text):
    """Give the words of the command as a shell reads them."""
    command = block(text, "By hand")
    script = f"set -- {command}\n" + 'for word; do printf "%s\\0" "$word"; done'
    made = subprocess.run(["bash", "-c", script], capture_output=True, check=True, timeout=60)
    return made.stdout.decode().split("\0")[:-1]


URLS = [
    "http://127.0.0.1:3080/a'b$(touch${IFS}/tmp/x)`id`;id|id&x=1#f",
    'http://127.0.0.1:3080/{a,b}[1-9]?q="!!"',
    "http://u:p@127.0.0.1:3080/%0a--next",
]
PAYLOADS = ["null", '"\'; id #"', '{"a": "$(id)`id`\\\\", "b": "\\n!!"}', '"@/etc/passwd"', "-1"]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_curl_line_is_that_request_and_nothing_else(browser, db, url, payload):
    id = ledger.enqueue(db, channel="webhook", recipient=url, payload=payload, traceparent=TRACE)[0]
    text = page_of(browser, id)
    stored = db.execute("select payload::text from notify.notifications where id = %s", [id])
    assert sends(text) == [
        "curl", "--globoff", "--request", "POST", "--header", "Content-Type: application/json",
        "--header", "User-Agent: notification-service", "--header", f"webhook-id: {id}",
        "--header", f"traceparent: {TRACE}", "--data-raw", stored.fetchone()[0], "--url", url,
    ]  # fmt: skip
    assert urlsplit(url).netloc in text


RECIPIENTS = ["--url=http://evil", "-x", "a'b\u202e$(id)`id`", "\u2066\\' ; id", "me; id"]


@pytest.mark.parametrize("recipient", RECIPIENTS)
def test_what_is_no_webhook_is_repeated_by_the_command(browser, db, recipient):
    id = ledger.enqueue(db, recipient=recipient, payload='{"a": 1}')[0]
    assert sends(page_of(browser, id)) == ["notify", "send", "log", "--", recipient, '{"a": 1}']


def test_what_is_too_long_for_a_command_comes_from_a_file(browser, db):
    payload = json.dumps("x" * 150_000)
    [id] = ledger.enqueue(db, channel="webhook", recipient="http://127.0.0.1/", payload=payload)
    text = page_of(browser, id)
    assert "--data-binary @payload.json" in text
    assert "save the raw payload as <code>payload.json</code>" in text


def test_the_headers_of_a_webhook_are_those_that_are_sent_but_for_the_signature(browser, db):
    [id] = ledger.enqueue(db, channel="webhook", recipient="http://127.0.0.1/", traceparent=TRACE)
    assert block(page_of(browser, id), "Headers").split("\n")[:-1] == [
        "Content-Type: application/json", "User-Agent: notification-service", f"webhook-id: {id}",
        "webhook-timestamp: (made when it is sent)", "webhook-signature: (made when it is sent)",
        f"traceparent: {TRACE}",
    ]  # fmt: skip


def test_the_headers_of_a_mail_are_those_that_are_sent(dsn, db):
    payload = {
        "text": "t",
        "subject": "Grüße", "headers": {"X-Shop": "7"}, "reply_to": "a@b.example",
    }  # fmt: skip
    with serving(dsn, mail_from='"Shop" <shop@example.com>') as api:
        browser = Browser(api)
        [id] = ledger.enqueue(
            db, channel="email", recipient="me@example.com", payload=json.dumps(payload)
        )
        lines = block(page_of(browser, id), "Headers").split("\n")[:-1]
    assert lines[:2] == ["Date: (made when it is sent)", f"Message-ID: <{id}@example.com>"]
    assert "To: me@example.com" in lines
    assert "From: Shop <shop@example.com>" in lines
    assert "Reply-To: a@b.example" in lines
    assert "X-Shop: 7" in lines
    assert any(line.startswith("Subject: =?utf-8?b?") for line in lines)


def test_a_mail_that_cannot_be_made_says_why(dsn, db):
    with serving(dsn, mail_from="shop@example.com") as api:
        [id] = ledger.enqueue(
            db, channel="email", recipient="me@example.com", payload=json.dumps(MAIL["payload"])
        )
        ledger.change(db, id, payload='{"nothing": 1}')
        assert "None can be made here" in page_of(Browser(api), id)


def test_without_a_sender_the_headers_of_a_mail_are_not_made_up(browser, db):
    [id] = ledger.enqueue(
        db, channel="email", recipient="me@example.com", payload=json.dumps(MAIL["payload"])
    )
    assert "MAIL_FROM is not set for this process" in page_of(browser, id)


@pytest.mark.parametrize("scope", ["read", "operate"])
def test_who_sees_no_payloads_sees_nothing_of_the_content(api, db, browser, scope):
    key = known(api, db, scope)
    browser.log_in(key)
    secret = "https://hooks.example/secret-path?token=abc"
    [id] = ledger.enqueue(
        db, channel="webhook", recipient=secret, payload='{"secret": "word-7"}', producer="shop"
    )
    ledger.settle(db, ledger.claim(db, [id]), "temporary", code="503", excerpt="secret-path word-7")
    text = page_of(browser, id)
    for hidden in ("secret-path", "word-7", "token=abc", "curl", "webhook-id", "<pre"):
        assert hidden not in text, hidden
    assert "https://hooks.example" in text
    assert "read:payload" in text
    assert "<code>503</code>" in text


def test_who_sees_payloads_sees_the_content(api, db, browser):
    browser.log_in(known(api, db, "read:payload"))
    [id] = ledger.enqueue(db, payload='{"secret": "word-7"}', producer="shop")
    text = page_of(browser, id)
    assert "word-7" in text
    assert '<form class="verb"' not in text


def test_another_producers_is_not_there(api, db, browser):
    browser.log_in(known(api, db, "read:payload", producer="shop"))
    [id] = ledger.enqueue(db, producer="other")
    assert browser.get(f"/console/notifications/{id}").status == 404
    assert browser.get(f"/console/notifications/{id}/events").status == 404


VERBS = {
    "queued": {"cancel"}, "sending": set(), "sent": {"send-again"},
    "failed": {"redrive", "send-again"}, "cancelled": {"send-again"}, "expired": {"send-again"},
}  # fmt: skip


def buttons(text):
    return {url.rpartition("/")[2] for url in re.findall(r'class="verb" data-url="([^"]*)"', text)}


@pytest.mark.parametrize("status", VERBS)
def test_the_buttons_are_what_can_be_done(browser, db, status):
    id = ledger.put(db, status)
    assert buttons(page_of(browser, id)) == VERBS[status]


def test_what_was_emptied_cannot_be_sent(browser, db):
    id = ledger.put(db, "failed", emptied_at=ledger.ago(db, "1 s"))
    text = page_of(browser, id)
    assert buttons(text) == set()
    assert "The payload was emptied" in text


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [("read", set()), ("read send", {"cancel"}), ("read send:webhook", set()),
     ("read send:log", {"cancel"}), ("operate", {"cancel"}), ("admin", {"cancel"})],
)  # fmt: skip
def test_who_may_not_has_no_button(api, db, browser, scopes, expected):
    browser.log_in(known(api, db, *scopes.split(), producer="shop"))
    [id] = ledger.enqueue(db, producer="shop")
    assert buttons(page_of(browser, id)) == expected


@pytest.mark.parametrize(
    ("held", "expected"),
    [({"channels": ["log"], "recipients": ["r"]}, {"redrive", "send-again"}),
     ({"channels": ["email"]}, set()), ({"recipients": ["somebody-else"]}, set())],
)  # fmt: skip
def test_who_does_not_reach_its_recipient_has_no_button_that_sends(
    api, db, browser, held, expected
):
    browser.log_in(known(api, db, "operate", **held))
    assert buttons(page_of(browser, ledger.put(db, "failed"))) == expected


def test_each_button_does_what_it_says(browser, db):
    failed = ledger.put(db, "failed")
    form = re.search(r'data-url="/redrive" data-body=\'([^\']*)\'', page_of(browser, failed))
    assert browser.verb("/redrive", form[1].encode()).json["redriven"] == 1
    assert browser.verb(f"/notifications/{failed}/cancel", b"").status == 200
    sent = browser.verb(f"/notifications/{failed}/send-again", b"")
    assert sent.status == 202
    assert sent.headers["Location"] == f"/notifications/{sent.json['id']}"
    text = page_of(browser, sent.json["id"])
    assert f'href="/console/notifications/{failed}"' in text
    assert ledger.status(db, failed) == "cancelled"


def test_sending_again_needs_the_token(browser, db):
    id = ledger.put(db, "sent")
    browser.get("/console")
    refused = browser.verb(f"/notifications/{id}/send-again", b"", has_token=False)
    assert (refused.status, refused.json["code"]) == (403, "csrf_token_invalid")
    assert db.execute("select count(*) from notify.notifications").fetchone() == (1,)


def test_nothing_that_others_wrote_is_markup(browser, db):
    id = ledger.put(
        db, "queued", recipient=HOSTILE, reference=HOSTILE, payload=json.dumps({HOSTILE: HOSTILE}),
        producer=HOSTILE, idempotency_key=HOSTILE, last_error=HOSTILE, last_error_code=HOSTILE,
        traceparent=HOSTILE, attempt=1,
    )  # fmt: skip
    db.execute(
        "insert into notify.attempts (notification_id, attempt, started_at, outcome, code, excerpt,"
        " worker) values (%s, 1, now(), 'temporary', %s, %s, %s)",
        [id, HOSTILE, HOSTILE, HOSTILE],
    )
    for status, more in (
        ("queued", {}), ("sending", {"lease_until": ledger.ago(db, "-1 h"), "claimed_by": HOSTILE}),
        ("failed", {"settled_at": ledger.ago(db, "0"), "lease_until": None, "claimed_by": None}),
    ):  # fmt: skip
        ledger.change(db, id, status=status, **more)
        text = page_of(browser, id)
        assert "<script>alert" not in text
        assert "<img" not in text
        assert "onerror=alert" in html.unescape(text)  # it is shown, as text
        assert "\u202e" not in text
        assert "\u2066" not in text
        assert text.count("<script") == 3
        assert text.count("<html") == text.count("</main>") == text.count('id="live"') == 1
        assert "{{ 7*7 }}" in html.unescape(text)


def test_a_refresh_brings_what_moves_and_not_the_payload_again(api, browser, db):
    [id] = ledger.enqueue(db, payload='"word-7"')
    assert "word-7" in page_of(browser, id)
    part = api.get(f"/console/notifications/{id}", **{"HX-Request": "true"}).body.decode()
    assert 'id="live"' in part
    assert "word-7" not in part


def test_a_webhook_and_a_line_are_shown_through_the_api(browser, api):
    for body in (HOOK, LINE):
        id = api.post(body).json["id"]
        assert str(body["recipient"]) in html.unescape(page_of(browser, id))
