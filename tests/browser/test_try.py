"""Try it by hand: what is typed is what is sent, what is wrong is said where, and what arrives."""

import io
import socket

import pytest

from service.inbox.inbox import Inbox
from tests.browser import axe, hostile, keyboard
from tests.browser.tab import DESKTOP, PHONE
from tests.integration.api.serving import serving
from tests.integration.console.arriving import hook, mail, written

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium")]

SIZES = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
WIDTH = "Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)"
TYPED = 'it\'s "<b>" \\ $(x) \U0001f600'


@pytest.fixture
def inbox():
    return Inbox(http_port=0, smtp_port=0, out=io.StringIO())


@pytest.fixture
def api(dsn, inbox):
    with serving(dsn, inbox=inbox) as running:
        yield running


def send(tab):
    tab.click("#compose .verbs button")
    tab.wait("document.getElementById('said').textContent !== ''")


def test_what_is_typed_is_shown_as_requests_and_sent(db, tab):
    tab.go("/console/try?channel=log")
    tab.fill("#f-recipient", TYPED)
    tab.fill("#f-payload", '{"n": 12345678901234567890123}')
    tab.js("document.querySelector('#compose details').open = true")
    tab.fill("#f-priority", "0")
    tab.wait("document.getElementById('as-sql').textContent.includes('12345678901234567890123')")
    assert "it''s" in tab.text("#as-sql")
    assert "it'\"'\"'s" in tab.text("#as-curl")
    assert "client.send" in tab.text("#as-python")
    send(tab)
    row = db.execute(
        "select id, channel, recipient, payload::text, priority from notify.notifications"
    ).fetchone()
    assert row[1:] == ("log", TYPED, '{"n": 12345678901234567890123}', 0)
    assert (
        tab.js("document.querySelector('#said a').pathname") == f"/console/notifications/{row[0]}"
    )
    assert not tab.all_faults()


def test_a_mail_is_made_of_its_fields(db, tab):
    tab.go("/console/try?channel=email")
    tab.fill("#f-payload-subject", TYPED)
    tab.fill("#f-payload-text", "two\nlines")
    tab.fill("#f-payload-headers", '{"X-A": "b"}')
    send(tab)
    [payload] = db.execute("select payload from notify.notifications").fetchone()
    assert payload == {"subject": TYPED, "text": "two\nlines", "headers": {"X-A": "b"}}


@SIZES
def test_what_is_wrong_is_said_at_its_field(db, tab, size):
    tab.look_as(size)
    tab.go("/console/try?channel=email")
    tab.fill("#f-recipient", "nobody")
    tab.fill("#f-payload-subject", "")
    tab.fill("#f-payload-headers", '{"Bcc": "x"}')
    send(tab)
    assert "Nothing was sent" in tab.text("#said")
    assert tab.js("document.activeElement.id") == "f-recipient"
    for name in ("recipient", "payload-subject"):
        assert tab.js(f"document.getElementById('f-{name}').ariaInvalid") == "true"
        described = tab.js(f"document.getElementById('f-{name}').getAttribute('aria-describedby')")
        assert f"fault-{name}" in described.split()
        assert tab.text(f"#fault-{name}")
    assert tab.js(WIDTH) <= size[0]
    tab.fill("#f-recipient", "a@example.org")
    tab.fill("#f-payload-subject", "s")
    send(tab)
    assert not tab.text("#fault-recipient")
    assert "X-" in tab.text("#fault-payload-headers")  # the pointer ends in /headers/Bcc
    tab.fill("#f-payload-headers", "")
    tab.fill("#f-payload-text", "")
    send(tab)
    assert tab.text("#fault-payload") == "Give text, html or both."
    assert db.execute("select count(*) from notify.notifications").fetchone() == (0,)


def test_what_is_no_json_is_not_sent(db, tab):
    tab.go("/console/try?channel=log")
    tab.fill("#f-payload", '{"n": ')
    send(tab)
    assert "This is no JSON" in tab.text("#fault-payload")
    assert tab.js("document.activeElement.id") == "f-payload"
    assert db.execute("select count(*) from notify.notifications").fetchone() == (0,)


def test_an_option_that_is_wrong_is_opened(tab):
    tab.go("/console/try?channel=log")
    tab.js("document.getElementById('f-send_at').value = 'tomorrow'")
    send(tab)
    assert tab.js("document.querySelector('#compose details').open")
    assert tab.js("document.activeElement.id") == "f-send_at"
    assert "RFC 3339" in tab.text("#fault-send_at")


def test_what_arrives_comes_by_itself(inbox, tab):
    tab.go("/console/try")
    tab.fill("#f-recipient", "half typed")
    hook(inbox, b"arrived just now")
    tab.wait("document.body.innerText.includes('arrived just now')")
    assert tab.js("document.getElementById('f-recipient').value") == "half typed"
    assert not tab.all_faults()


@pytest.fixture
def elsewhere():
    """Listen where nothing may come; gives the address, and asks whether something came."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)

        def came():
            try:
                server.accept()[0].close()
            except BlockingIOError:
                return False
            return True

        yield f"http://127.0.0.1:{server.getsockname()[1]}", came


@pytest.mark.needs("axe")
@SIZES
def test_a_hostile_mail_runs_nothing_and_asks_nobody(inbox, tab, elsewhere, size, picture):
    url, came = elsewhere
    loads = (
        f"<img src='{url}/a'><link rel=stylesheet href='{url}/b'><style>@import '{url}/c';"
        f"body {{ background: url({url}/d) }}</style><video src='{url}/e' poster='{url}/f'></video>"
        f"<iframe src='{url}/g'></iframe><object data='{url}/h'></object><base href='{url}/'>"
        f"<meta http-equiv=refresh content='0;url={url}/i'><link rel=prefetch href='{url}/j'>"
        f"<link rel=preload as=image href='{url}/k'><link rel=preconnect href='{url}'>"
        f"<svg><image href='{url}/l'/></svg>"
    )
    html = "<h1>Hello</h1>" + loads + "".join(hostile.SHORT.values())
    mail(
        inbox,
        written(html=html, text="\n".join(hostile.SHORT.values()), subject=hostile.TAGS["image"]),
    )
    tab.look_as(size)
    tab.go("/console/try")
    tab.during_load(lambda: tab.js("document.querySelector('#live a').click()"))
    picture(tab)
    assert tab.js("document.querySelectorAll('[data-xss]').length") == 0
    assert tab.js("window.ran === undefined")
    assert not tab.dialogs
    assert not came()
    assert tab.js("frames.length") == 1
    assert tab.js(WIDTH) <= size[0]
    assert not axe.findings(tab)
    # Of what is in the frame the focus is seen there.
    assert not [line for line in keyboard.walk(tab) if "<iframe" not in line]


@pytest.mark.needs("axe")
@SIZES
def test_a_hostile_request_breaks_nothing(inbox, tab, size, picture):
    for text in (*hostile.SHORT.values(), "x" * 100_000):
        hook(inbox, text.encode(), path=f"/{'a' * 1500}")
    tab.look_as(size)
    tab.go("/console/try")
    assert tab.js("document.querySelectorAll('[data-xss]').length") == 0
    assert tab.js(WIDTH) <= size[0]
    assert not axe.findings(tab)
    tab.during_load(lambda: tab.js("document.querySelector('#live a').click()"))
    picture(tab)
    assert tab.js(WIDTH) <= size[0]
    assert not axe.findings(tab)
    assert not tab.all_faults()
    assert not tab.dialogs
