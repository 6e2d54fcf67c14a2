"""Logging in and out by hand, and what a browser's session may not do."""

import pytest

from tests import ledger
from tests.integration.api.serving import serving
from tests.keys import make

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium")]

# A verb as a page of ours sends it, with another token or none.
FORGED = """
fetch("/notifications/ID/cancel", {method: "POST", headers: TOKEN}).then((answer) => answer.json())
  .then((answer) => answer.code)
"""


def log_in(tab, key):
    tab.fill("#key", str(key))
    tab.during_load(lambda: tab.press("Enter"))


def test_one_logs_in_where_one_was_going_and_out_again(api, db, tab):
    key = make(db, "operate")
    api.read_keys()
    tab.go("/console?x=1")
    assert tab.js("location.pathname") == "/console/login"
    log_in(tab, "nk_wrong")
    assert "not valid" in tab.text("[role=alert]")
    log_in(tab, key)
    assert tab.js("location.pathname + location.search") == "/console?x=1"
    assert tab.js("document.cookie").startswith(f"notify_csrf_{api.port}=")
    tab.during_load(lambda: tab.click(".who button"))
    assert tab.js("location.pathname") == "/console/login"
    assert not tab.js("document.cookie")
    tab.go("/console")
    assert tab.js("location.pathname") == "/console/login"


def test_a_verb_without_its_token_does_nothing(db, tab):
    [id] = ledger.enqueue(db)
    tab.go("/console")
    for headers in ("{}", "{'X-CSRF-Token': 'forged'}"):
        forged = FORGED.replace("ID", str(id)).replace("TOKEN", headers)
        assert tab.js(forged) == "csrf_token_invalid"
    assert ledger.status(db, id) == "queued"


def test_a_page_of_the_release_before_finds_its_token(tab):
    """It does not name the cookie, and may load this script while releases change."""
    tab.go("/console")
    tab.js("document.querySelector('meta[name=csrf-cookie]').remove()")
    token = tab.js("token()")
    assert token
    assert token == tab.js("document.cookie").partition("=")[2]


def test_another_origin_makes_a_browser_move_nothing(api, dsn, db, tab):
    [id] = ledger.enqueue(db)
    tab.go("/console")
    # Another port is another origin of the same site: its requests bring our cookies.
    with serving(dsn) as other:
        tab.origin = f"http://127.0.0.1:{other.port}"
        tab.call("Page.setBypassCSP", enabled=True)
        tab.go("/docs")
        tab.js(
            f"fetch('http://127.0.0.1:{api.port}/notifications/{id}/cancel',"
            " {method: 'POST', credentials: 'include', mode: 'no-cors'}).catch(() => null)"
        )
    assert api.metric("api_requests_refused_total", code="cross_site_request") == 1
    assert ledger.status(db, id) == "queued"


def test_a_page_is_in_no_frame(api, tab):
    tab.call("Page.setBypassCSP", enabled=True)
    tab.go("/docs")
    tab.js(
        "new Promise((done) => { const frame = document.createElement('iframe');"
        " frame.src = '/console'; frame.onload = done; document.body.append(frame); })"
    )
    assert any("frame-ancestors" in fault for fault in tab.faults)


def test_two_consoles_of_a_host_work_behind_proxies_that_hide_their_ports(db, tab, two_proxied):
    ids = {origin: ledger.enqueue(db)[0] for origin in two_proxied}
    for tab.origin in two_proxied:
        tab.go("/console")
    for tab.origin, id in ids.items():
        tab.go(f"/console/notifications/{id}")
        tab.js(f"ask('POST', '/notifications/{id}/cancel')")
        assert ledger.status(db, id) == "cancelled"
    assert not tab.all_faults()
