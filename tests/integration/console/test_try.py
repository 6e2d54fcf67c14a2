"""Try it: the form, the request that it makes elsewhere, and what the inbox caught of it."""

import io
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest

from service.inbox.inbox import Inbox
from tests.integration.api.serving import serving
from tests.integration.console.arriving import hook, mail, written
from tests.integration.console.browsing import Browser
from tests.keys import bearer, make
from tests.waiting import LIMIT_S

CLIENT = Path(__file__).resolve().parents[3] / "service" / "client"
HOSTILE = [
    "it's", "'; drop table notify.notifications; --", "$(exit 3) `exit 3` $HOME", "a\\",
    "a\\' or 1", 'say "hi" \\"', "two\nlines\r\n\ttab", "</pre><script>",
    "%s {0} :name ${x} \u2028 \u00e9\U0001f600", '"""', "!history", "-- x", "#", "\\u0041\\n",
]  # fmt: skip
XSS = "<img src=x onerror=alert(1)>\"'</pre></script><script>alert(1)</script>\u202e"


@pytest.fixture
def inbox():
    return Inbox(http_port=0, smtp_port=0, out=io.StringIO())


@pytest.fixture
def api(dsn, inbox):
    with serving(dsn, inbox=inbox) as running:
        yield running


@pytest.fixture
def browser(api):
    browser = Browser(api)
    browser.get("/console/try")
    return browser


def newest(browser):
    """Give the path of the newest arrival, as the list links to it."""
    page = browser.get("/console/try").text
    return page.partition('href="/console/try/caught/')[2].partition('"')[0]


def preview(browser, body, **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return browser.verb("/console/try/preview", data, **headers)


@pytest.mark.parametrize(
    ("channel", "pointers"),
    [
        ("webhook", ["/recipient", "/payload"]),
        ("log", ["/recipient", "/payload"]),
        ("email", ["/recipient", "/payload/subject", "/payload/text", "/payload/html",
                   "/payload/reply_to", "/payload/headers"]),
    ],
)  # fmt: skip
def test_each_channel_has_its_fields(browser, channel, pointers):
    page = browser.get(f"/console/try?channel={channel}").text
    options = [
        "/priority",
        "/send_at",
        "/expires_at",
        "/max_attempts",
        "/reference",
        "/idempotency_key",
    ]
    found = [part.partition('"')[0] for part in page.split('data-pointer="')[1:]]
    assert found == pointers + options
    for pointer in found:
        name = pointer[1:].replace("/", "-")
        assert f'<label for="f-{name}">' in page
        assert f'id="f-{name}"' in page
        assert f'id="fault-{name}"' in page
    assert 'type="number" min="0" max="3"' in page
    assert f'?channel={channel}" aria-current="page"' in page


def test_hints_and_what_is_required_come_from_the_schema(browser):
    page = browser.get("/console/try?channel=email").text
    assert "Up to 998 characters." in page
    assert "Use one address." in page
    assert "It takes subject, and text or html or both." in page
    assert 'Subject <span class="soft">(required)</span>' in page
    assert "Use RFC 3339 with an offset, such as 2030-01-31T12:00:00Z." in page


def test_the_inbox_is_the_recipient_to_begin_with(browser, inbox):
    page = browser.get("/console/try").text
    assert f'value="http://127.0.0.1:{inbox.http_port}/hook"' in page
    assert (
        "All mail of this service goes to its inbox"
        in browser.get("/console/try?channel=email").text
    )


def test_without_an_inbox_it_says_so_and_how_to_get_one(dsn):
    with serving(dsn) as api:
        page = Browser(api).get("/console/try")
        assert page.status == 200
        assert "This is no rehearsal" in page.text
        assert "<code>notify up</code>" in page.text
        assert "<code>notify inbox</code>" in page.text
        assert Browser(api).get("/console/try/caught/00000000-1").status == 404


def test_a_channel_that_is_not_configured_says_what_is_missing(dsn):
    with serving(dsn, smtp_url=None) as api:
        page = Browser(api).get("/console/try?channel=email").text
        assert "SMTP_URL is not set: this service sends no email." in page
        assert "<button disabled>Send</button>" in page
        assert 'channel=webhook" aria-current' in Browser(api).get("/console/try?channel=fax").text


def test_a_key_sends_on_its_channels_and_sees_nothing_of_others(api, db, inbox):
    hook(inbox)
    key = make(db, "read", "send:log", "read:payload")
    api.read_keys()
    browser = Browser(api)
    browser.log_in(key)
    assert "<button>Send</button>" in browser.get("/console/try").text  # log is what it may
    page = browser.get("/console/try?channel=webhook").text
    assert "Your key has no scope send:webhook." in page
    assert "To see it takes a key with scopes" in page
    assert "/console/try/caught/" not in page
    path = inbox.arrivals.cursor(1)
    for end in ("", "/mail", "/source"):
        assert browser.get(f"/console/try/caught/{path}{end}").status == 403


def test_who_may_not_send_is_not_let_in(api, db):
    key = make(db, "operate")
    api.read_keys()
    browser = Browser(api)
    browser.log_in(key)
    assert browser.get("/console/try").status == 403
    assert preview(browser, {}).status == 403


def test_what_is_sent_is_accepted_and_caught(api, browser, inbox, db):
    body = {"channel": "webhook", "recipient": "http://127.0.0.1:1/x", "payload": {"n": 1}}
    assert browser.verb("/notify", json.dumps(body).encode()).status == 202
    problem = browser.verb("/notify", b'{"channel": "email", "recipient": "x", "payload": {}}')
    assert {fault["pointer"] for fault in problem.json["errors"]} == {
        "/recipient",
        "/payload/subject",
    }


@pytest.mark.parametrize("text", HOSTILE)
def test_each_preview_sends_exactly_what_was_typed(api, browser, db, text):
    tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    body = {"channel": "log", "recipient": "me", "payload": {"k": [text, 1.5, None, True]},
            "priority": 1, "send_at": tomorrow.isoformat()}  # fmt: skip
    if text.isprintable():
        body["reference"] = body["recipient"] = text
    made = preview(browser, body).json
    db.autocommit = True
    run(["sh", "-c", made["curl"]])
    db.execute(made["sql"].encode())
    run([sys.executable, "-W", "error", "-c", made["python"]], PYTHONPATH=str(CLIENT))
    rows = db.execute(
        "select channel, recipient, payload, priority, reference, send_at::text"
        " from notify.notifications"
    ).fetchall()
    assert len(rows) == 3
    assert set(map(str, rows)) == {str(rows[0])}
    assert rows[0][:3] == ("log", body["recipient"], body["payload"])
    assert rows[0][3:5] == (1, body.get("reference"))


def run(command, **environment):
    done = subprocess.run(command, env={"PATH": "/usr/bin:/bin", **environment},
                          capture_output=True, text=True, timeout=LIMIT_S, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_preview_keeps_every_digit(browser):
    made = preview(browser, b'{"channel": "log", "payload": 12345678901234567890123}').json
    assert made and all("12345678901234567890123" in text for text in made.values())


def test_a_preview_asks_by_https_where_the_browser_does(api, browser):
    body, host = {"channel": "log", "payload": 1}, f"127.0.0.1:{api.port}"
    proto = {"X-Forwarded-Proto": "HTTPS, http"}
    for headers in ({"Origin": f"https://{host}"}, proto):
        assert f"https://{host}/notify" in preview(browser, body, **headers).json["curl"]
    plain = {"Origin": f"http://{host}"} | proto
    assert f"http://{host}/notify" in preview(browser, body, **plain).json["curl"]


def test_with_keys_a_preview_takes_the_key_from_the_environment(api, db):
    key = make(db, "send", "read")
    api.read_keys()
    browser = Browser(api)
    browser.log_in(key)
    made = preview(browser, {"channel": "log", "recipient": "x", "payload": 1}).json
    assert '-H "authorization: Bearer $NOTIFY_KEY"' in made["curl"]
    assert 'os.environ["NOTIFY_KEY"]' in made["python"]
    assert str(key) not in str(made)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"7", b"{", b'{"payload": NaN}', b'{"payload": "\xff"}', b"[" * 20_000,
     b'{"payload": ' + b"[" * 20_000, b'{"payload": 1e999}', b'{"payload": ' + b"1" * 5000 + b"}",
     b'{"payload": "' + b"x" * 40_000 + b'"}'],
)  # fmt: skip
def test_what_cannot_be_shown_is_refused(browser, body):
    assert 400 <= preview(browser, body).status < 500


def test_names_that_are_no_columns_do_not_reach_sql(browser):
    made = preview(browser, {"channel": "log", "x) values (1); drop table y; --": 1}).json
    assert "drop" not in made["sql"] + made["python"]


def test_what_arrives_is_listed_newest_first(browser, inbox):
    assert "Nothing has arrived yet" in browser.get("/console/try").text
    hook(inbox, b'{"n": "first"}')
    mail(inbox, written(subject="second =?utf-8?q?=C3=A9?="))
    page = browser.get("/console/try").text
    assert 0 < page.index("second \u00e9") < page.index("{&#34;n&#34;: &#34;first&#34;}")
    assert "200, unsigned" in page


def test_the_list_is_bounded(browser, inbox):
    for number in range(60):
        hook(inbox, f"body {number:02}".encode())
    page = browser.get("/console/try").text
    assert page.count('id="caught-') == 50
    assert "body 59" in page
    assert "body 09" not in page


def test_a_request_is_shown_with_its_headers_and_its_body_indented(browser, inbox):
    hook(inbox, b'{"a":{"b":[1,12345678901234567890]}}', path="/x?y=1", webhook_id="msg_1", X_A="b")
    page = browser.get(f"/console/try/caught/{newest(browser)}").text
    assert "  &#34;a&#34;: {\n    &#34;b&#34;: [\n      1,\n      12345678901234567890" in page
    assert "/x?y=1" in page
    assert '<th scope="row">X-A</th><td class="mono">b</td>' in page


def test_a_hostile_request_is_text(browser, inbox):
    for body in (json.dumps({"k": XSS}).encode(), XSS.encode(), b"\xff\x00\x1b[31m" + XSS.encode()):
        hook(inbox, body, path="/<b>", X_Evil="<script>alert(1)</script>")
        path = newest(browser)
        for page in (
            browser.get("/console/try").text,
            browser.get(f"/console/try/caught/{path}").text,
        ):
            assert "<script>alert" not in page
            assert "<img" not in page
            assert "\u202e" not in page
            assert "\x00" not in page
        source = browser.get(f"/console/try/caught/{path}/source")
        assert source.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert source.headers["X-Content-Type-Options"] == "nosniff"


def test_a_large_request_is_cut_and_whole_a_link_away(browser, inbox):
    hook(inbox, b"x" * 1_000_000)
    path = newest(browser)
    page = browser.get(f"/console/try/caught/{path}")
    assert len(page.text) < 100_000
    assert "934,464 more characters are not shown here" in page.text
    assert len(browser.get(f"/console/try/caught/{path}/source").body) == 1_000_000


@pytest.mark.parametrize("body", [b"[" * 500_000, b"[" * 60 + b"1," * 60_000 + b"1" + b"]" * 60])
def test_deep_json_does_not_grow_on_the_page(browser, inbox, body):
    hook(inbox, body)
    page = browser.get(f"/console/try/caught/{newest(browser)}")
    assert page.status == 200
    assert len(page.text) < 100_000


def test_a_mail_is_shown_in_a_frame_that_can_do_nothing(browser, inbox):
    html = f"<h1 style='color: red'>Hi</h1><img src='https://evil.example/x.png'>{XSS}"
    mail(inbox, written(html=html, text=f"As text\n{XSS}", subject="<script>alert(1)</script>"))
    path = newest(browser)
    page = browser.get(f"/console/try/caught/{path}").text
    assert f'sandbox="" src="/console/try/caught/{path}/mail"' in page
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "As text\n&lt;img" in page
    assert "Subject: &lt;script&gt;" in unescape(page).replace("<", "&lt;").replace(">", "&gt;")
    frame = browser.get(f"/console/try/caught/{path}/mail")
    assert frame.text.removesuffix("\n") == html
    policy = {part.strip() for part in frame.headers["Content-Security-Policy"].split(";")}
    assert {"default-src 'none'", "img-src data:", "sandbox", "form-action 'none'",
            "frame-ancestors 'self'"} <= policy  # fmt: skip
    assert frame.headers["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    "tag", ["link", "LINK", "meta", "base", "embed", "iframe", "Frame", "frameset", "object"]
)
def test_no_tag_that_connects_elsewhere_reaches_the_frame(browser, inbox, tag):
    mail(inbox, written(html=f"<p>a<{tag} href=//b.example src='//b.example'>c</{tag}><b>d</b>"))
    frame = browser.get(f"/console/try/caught/{newest(browser)}/mail").text
    assert f"<{tag}".lower() not in frame.lower()
    assert f"</{tag}".lower() not in frame.lower()
    assert frame.startswith("<p>a<")
    assert "<b>d</b>" in frame


@pytest.mark.parametrize(
    "source",
    [b"", b"\r\n", b"no header", b"Subject: " + b"\r\n ".join([b"=?utf-8?q?x?="] * 80_000),
     b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 20_000,
     b"Content-Type: text/html; charset=none\r\n\r\n\xff<script>",
     b"Content-Type: message/rfc822\r\n\r\n" * 5_000, b"X: y\r\n" * 50_000],
)  # fmt: skip
def test_whatever_arrives_as_a_mail_has_a_page(browser, inbox, source):
    mail(inbox, source)
    assert browser.get("/console/try").status == 200
    page = browser.get(f"/console/try/caught/{newest(browser)}")
    assert page.status == 200
    assert len(page.text) < 400_000


@pytest.mark.parametrize("key", ["x", "00000000-1", "..%2f", "%00", "1" * 500])
def test_what_is_gone_says_why(browser, inbox, key):
    hook(inbox)
    page = browser.get(f"/console/try/caught/{key}")
    assert page.status == 404
    run, _, number = inbox.arrivals.cursor(1).partition("-")
    assert browser.get(f"/console/try/caught/{run}-{number}").status == 200
    for other in ("0", "2", "999999999999999"):
        page = browser.get(f"/console/try/caught/{run}-{other}")
        assert page.status == 404
        assert "newer arrivals took its room" in page.text


def test_what_made_room_is_gone_and_the_others_are_not(browser, inbox, monkeypatch):
    monkeypatch.setattr("service.inbox.arrivals.KEPT_MAX", 2)
    for number in range(3):
        hook(inbox, f"body {number}".encode())
    paths = [f"/console/try/caught/{inbox.arrivals.cursor(number)}" for number in (1, 2, 3)]
    assert browser.get(paths[0]).status == 404
    assert "body 1" in browser.get(paths[1]).text
    assert "body 2" in browser.get(paths[2]).text


def test_a_header_without_end_is_cut(browser, inbox):
    mail(inbox, b"X-Long: " + b"\r\n ".join([b"y" * 900] * 1000) + b"\r\n\r\nbody\r\n")
    page = browser.get(f"/console/try/caught/{newest(browser)}").text
    assert page.partition("<h2>Source</h2>")[0].count("y") < 3000


def test_its_notification_is_a_link(api, browser, inbox):
    id = "019a0b6e-2f31-7c11-9d5e-7a4b1c2d3e4f"
    hook(inbox, webhook_id=id)
    assert f'href="/console/notifications/{id}"' in browser.get("/console/try").text
    hook(inbox, webhook_id=f"{id}<")
    assert "not ours" in browser.get("/console/try").text


def test_a_program_may_read_it_with_its_key(api, db):
    key = make(db, "admin")
    api.read_keys()
    assert api.get("/console/try", **bearer(key)).status == 200
