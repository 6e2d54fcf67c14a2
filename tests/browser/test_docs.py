"""The page of the API: one finds what one looks for, and tries it there."""

import json

import pytest

from service.http.problem_kinds import KINDS
from tests import ledger
from tests.browser import axe, keyboard
from tests.browser.tab import PHONE
from tests.browser.test_screens import VIEWS, WIDTH, beyond
from tests.keys import make

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium")]

READY = "!document.getElementById('loading')"
SHOWN = """
[...document.querySelectorAll(".entry")].filter((entry) => entry.checkVisibility())
  .map((entry) => entry.id)
"""
IN_SIGHT = """
(() => {
  const top = document.querySelector(":target").getBoundingClientRect().top;
  return top > -10 && top < innerHeight;
})()
"""
DEAD_LINKS = """
[...document.querySelectorAll('a[href^="#"]')].map((link) => link.getAttribute("href").slice(1))
  .filter((id) => !document.getElementById(id))
"""


def read(tab, place=""):
    """Open the page at a place in it."""
    tab.go(f"/docs{place}")
    tab.wait(READY)


def send(tab, operation):
    """Open the form of an operation, press its button, and return what the page shows."""
    tab.js(f"document.querySelector('#op-{operation} .try').open = true")
    tab.js(f"document.querySelector('#op-{operation} .result').textContent = ''")
    tab.click(f"#op-{operation} button.main")
    return tab.wait(f"document.querySelector('#op-{operation} .result').innerText")


@pytest.mark.needs("axe")
@pytest.mark.parametrize("view", VIEWS, ids=lambda view: f"{view[0][0]}-{view[1]}")
def test_the_page_is_without_faults(view, tab, picture):
    tab.look_as(*view)
    read(tab, "#op-enqueue")
    picture(tab)
    tab.js("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    width = view[0][0]
    assert tab.js(WIDTH) <= width, beyond(tab, width)
    assert not axe.findings(tab)
    assert not tab.all_faults()
    assert tab.strangers() == []


def test_tab_comes_to_everything(tab):
    tab.look_as(PHONE)
    read(tab)
    assert not keyboard.walk(tab)


def test_code_looks_like_code_and_a_field_stands_apart_from_the_next(tab):
    read(tab)
    style = "getComputedStyle(document.querySelector('{}')).{}"
    for element in ("main code", "main pre", "main textarea", ".method"):
        assert "ui-monospace" in tab.js(style.format(element, "fontFamily")), element
        assert tab.js(style.format(element, "overflowWrap")) == "anywhere", element
    assert tab.js(style.format(".fields dt", "marginTop")) != "0px"
    assert tab.js(style.format("main code", "marginTop")) == "0px"


def test_every_code_and_operation_is_a_place_to_link_to(tab):
    read(tab)
    document = tab.js("fetch('/openapi.json').then((answer) => answer.json())")
    operations = [o["operationId"] for path in document["paths"].values() for o in path.values()]
    ids = set(tab.js("[...document.querySelectorAll('[id]')].map((element) => element.id)"))
    assert ids >= {*KINDS, *(f"op-{name}" for name in operations)}
    assert tab.js(DEAD_LINKS) == []


@pytest.mark.parametrize("place", ["rate_limited", "op-redrive", "type-Receipt", "status-422"])
def test_a_link_from_elsewhere_leads_to_its_place(place, tab):
    read(tab, f"#{place}")
    assert tab.wait("document.querySelector(':target')?.id === " + json.dumps(place))
    assert tab.wait(IN_SIGHT)


def test_the_filter_leaves_what_has_every_word(tab):
    read(tab)
    tab.fill("#filter", "already_sending")
    assert tab.wait("document.getElementById('count').textContent").startswith("1 of ")
    assert tab.js(SHOWN) == ["already_sending"]
    tab.fill("#filter", "no such words")
    assert tab.js(SHOWN) == []
    tab.js("location.hash = '#key_missing'")
    tab.wait("document.getElementById('filter').value === ''")
    assert tab.wait(IN_SIGHT)


def test_a_language_counts_for_every_example(tab):
    read(tab)
    tab.click("#op-find [data-language=Python]")
    assert "urlopen" in tab.text("#op-enqueue")
    assert "curl" not in tab.text("#op-redrive pre:not([hidden])")
    tab.click("#op-find [data-language=SQL]")
    assert "notify.send(" in tab.text("#op-enqueue")
    assert "curl" in tab.text("#op-redrive")  # which SQL does not say


def test_trying_enqueues_and_asks_what_became_of_it(tab, db):
    read(tab)
    tab.js("document.querySelector('#op-enqueue .try').open = true")
    tab.fill("#try-enqueue-Idempotency-Key", "once")
    tab.fill(
        "#try-enqueue-body", '{"channel": "log", "recipient": "it\'s me", "payload": {"a": 1}}'
    )
    assert "'{\"channel\": \"log\", \"recipient\": \"it'\\''s me\"" in tab.js(
        "document.querySelector('#op-enqueue .try pre').textContent")  # fmt: skip
    shown = send(tab, "enqueue")
    assert shown.startswith("202 Accepted, ")
    [row] = db.execute("select recipient, idempotency_key from notify.notifications").fetchall()
    assert tuple(row) == ("it's me", "once")
    tab.click("#op-enqueue .result button")
    assert '"status": "queued"' in tab.wait(
        "document.querySelector('#op-enqueue .result').innerText.includes('attempts')"
        " && document.querySelector('#op-enqueue .result').innerText"
    )
    assert send(tab, "enqueue").startswith("200 OK, ")
    assert not tab.all_faults()


NUMBERS = '{"n": [12345678901234567890123.4567890123456789, 1.10, 9007199254740993], "": [{}, []]}'
FIND = "document.querySelector('#op-find .result pre[aria-label^=Body]')"


def test_a_payload_is_shown_as_it_came(tab, db):
    query = "select notify.send('log', %s, %s::jsonb) as id"
    [id] = db.execute(query, ['a "quoted" {one}, here', NUMBERS]).fetchone()
    read(tab)
    tab.js("document.querySelector('#op-find .try').open = true")
    tab.fill("#try-find-id", str(id))
    send(tab, "find")
    shown = tab.js(f"{FIND}.textContent")
    assert "\n      12345678901234567890123.4567890123456789,\n      1.10,\n" in shown
    assert "9007199254740993" in shown
    assert "\n      {},\n      []\n" in shown
    answer = tab.js(f"fetch('/notifications/{id}').then((answer) => answer.text())")
    assert "".join(shown.split()) == "".join(answer.split())
    assert json.loads(shown)["recipient"] == 'a "quoted" {one}, here'
    plain = json.dumps(json.loads(answer.replace("1.10", "1")), indent=2, ensure_ascii=False)
    assert len(shown.splitlines()) == len(plain.splitlines())


def test_trying_with_a_key_and_without(api, tab, db):
    key = make(db, "operate", "send")
    api.read_keys()
    [id] = ledger.enqueue(db)
    read(tab)
    tab.js("document.querySelector('#op-cancel .try').open = true")
    tab.fill("#try-cancel-id", str(id))
    assert "key_missing" in send(tab, "cancel")
    tab.fill("#key", str(key))
    assert send(tab, "cancel").startswith("200 OK, ")
    assert ledger.status(db, id) == "cancelled"


def test_trying_in_a_session_brings_its_token(api, tab, db):
    key = make(db, "operate", "send")
    api.read_keys()
    tab.go("/console/login")
    tab.fill("#key", str(key))
    tab.during_load(lambda: tab.press("Enter"))
    read(tab)
    assert send(tab, "enqueue").startswith("202 Accepted, ")
    tab.js(f"document.cookie = 'notify_csrf_{api.port}=forged; path=/'")
    assert "csrf_token_invalid" in send(tab, "enqueue")


def test_trying_in_one_of_two_sessions_finds_its_token(tab, two_proxied):
    for tab.origin in two_proxied:
        tab.go("/console")
    for tab.origin in two_proxied:
        read(tab)
        assert send(tab, "enqueue").startswith("202 Accepted, ")


def test_there_is_a_way_to_the_console_and_back(tab):
    read(tab)
    tab.during_load(lambda: tab.click("a[href='/console']"))
    assert tab.js("location.pathname") == "/console"
    tab.during_load(lambda: tab.click("a[href='/docs']"))
    assert tab.js("location.pathname") == "/docs"
