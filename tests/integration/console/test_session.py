"""Who sees the console, and that no verb of a browser's session works without its token."""

import json

import pytest

from service.access.key import minted
from tests import ledger
from tests.integration.api.serving import LINE, serving
from tests.integration.console.browsing import Browser
from tests.keys import bearer, make

FORGED = "csrf_token_invalid"


@pytest.fixture
def browser(api):
    return Browser(api)


def known(api, db, *scopes, **more):
    """Make a key that the edge knows."""
    key = make(db, *scopes, **more)
    api.read_keys()
    return key


def test_without_keys_it_is_open_and_says_so(browser):
    page = browser.get("/console")
    assert page.status == 200
    assert "open: no keys" in page.text
    assert browser.cookies.keys() == {browser.session_name, browser.token_name}


def test_with_keys_a_page_leads_to_the_login_and_back(api, db, browser):
    key = known(api, db, "operate")
    page = browser.get("/console?x=1&y=2")
    assert page.status == 303
    login = browser.get(page.headers["Location"])
    assert login.status == 200
    assert 'value="/console?x=1&amp;y=2"' in login.text
    answer = browser.submit("/console/login", key=f" {key} ", next="/console?x=1&y=2")
    assert (answer.status, answer.headers["Location"]) == (303, "/console?x=1&y=2")
    assert browser.get("/console").status == 200


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.example", "//evil.example", "/\\evil.example", "/console/\\..", "/docs",
     "/consoleevil", "javascript:alert(1)", "/console/\r\nSet-Cookie: a=b", "", " /console"],
)  # fmt: skip
def test_a_login_leads_nowhere_else(api, db, browser, wanted):
    key = known(api, db, "read")
    answer = browser.submit("/console/login", key=str(key), next=wanted)
    assert (answer.status, answer.headers["Location"]) == (303, "/console")


def test_what_is_no_valid_key_is_told_so(api, db, browser):
    revoked = known(api, db, "read")
    db.execute("select notify.revoke_key(%s, null, null)", [revoked.id])
    api.read_keys()
    for text in ("", "nk_", str(minted()), str(revoked), "<script>alert(1)</script>", "x" * 3000):
        answer = browser.log_in(text)
        assert answer.status == 401
        assert "not valid" in answer.text
        assert "<script>alert" not in answer.text
        assert not browser.cookies


def test_a_key_that_may_only_send_sees_nothing(api, db, browser):
    assert browser.log_in(known(api, db, "send")).status == 401


def test_a_session_ends_with_its_key(api, db, browser):
    key = known(api, db, "operate")
    browser.log_in(key)
    assert browser.get("/console").status == 200
    db.execute("select notify.revoke_key(%s, null, null)", [key.id])
    api.read_keys()
    assert browser.get("/console").status == 303


def test_logging_out_takes_the_cookies_back(api, db, browser):
    browser.log_in(known(api, db, "operate"))
    assert browser.submit("/console/logout", token="wrong").status == 403
    answer = browser.submit("/console/logout", token=browser.cookies[browser.token_name])
    assert answer.status == 303
    assert not browser.cookies


def test_consoles_on_two_ports_of_a_host_have_a_session_each(api, dsn, db, browser):
    shop, bank = make(db, "read", producer="shop"), make(db, "read", producer="bank")
    with serving(dsn) as other:
        for edge in (api, other):
            edge.read_keys()
        beside = Browser(other)
        beside.cookies = browser.cookies  # a browser knows hosts, and no ports
        browser.log_in(shop)
        beside.log_in(bank)
        assert '<span class="name">shop</span>' in browser.get("/console").text
        assert '<span class="name">bank</span>' in beside.get("/console").text
        browser.submit("/console/logout", token=browser.cookies[browser.token_name])
        assert browser.get("/console").status == 303
        assert beside.get("/console").status == 200


def test_the_cookie_is_hidden_from_scripts_and_from_other_sites(api, db, browser):
    answer = browser.log_in(known(api, db, "operate"))
    session, token = answer.headers.get_all("Set-Cookie")
    assert session.startswith(f"{browser.session_name}=nk_")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(session.split("; "))
    assert token.startswith(f"{browser.token_name}=")
    assert "SameSite=Lax" in token
    assert "HttpOnly" not in token


BY_HTTPS = {"Origin": "https://localhost"}
BY_HTTP = {"Origin": "http://localhost"}


def proxied(proto):
    return {"X-Forwarded-Proto": proto}


@pytest.mark.parametrize(
    ("headers", "is_secure"),
    [
        (proxied("https"), True), (proxied("HTTPS"), True), (proxied(" https , http"), True),
        (proxied("http"), False), (proxied("http, https"), False), (proxied(", https"), False),
        ({}, False), (BY_HTTP, False), (BY_HTTPS, True), (BY_HTTPS | proxied("http"), True),
        (BY_HTTP | proxied("https"), False),  # it would drop a Secure cookie: nobody got in
    ],
)  # fmt: skip
def test_both_cookies_are_secure_where_the_browser_came_by_https(
    api, db, browser, headers, is_secure
):
    answer = browser.log_in(known(api, db, "operate"), Host="localhost", **headers)
    cookies = answer.headers.get_all("Set-Cookie")
    assert ["Secure" in cookie.split("; ") for cookie in cookies] == [is_secure] * 2


def test_an_origin_that_hides_says_nothing_of_tls(browser):
    page = browser.get("/console", Origin="null", **proxied("https"))
    assert all("; Secure" in cookie for cookie in page.headers.get_all("Set-Cookie"))


@pytest.mark.parametrize("has_keys", [False, True])
def test_no_verb_works_without_the_token(api, db, browser, has_keys):
    if has_keys:
        browser.log_in(known(api, db, "operate", "send"))
    else:
        browser.get("/console")
    [id] = ledger.enqueue(db)
    paths = {
        "/notify": json.dumps(LINE).encode(),
        "/notify/batch": json.dumps([LINE]).encode(),
        "/redrive": json.dumps({"ids": [str(id)]}).encode(),
        f"/notifications/{id}/cancel": b"",
        "/cancel": json.dumps({"filter": {"channel": "log"}}).encode(),
    }
    for path, body in paths.items():
        refused = browser.verb(path, body, has_token=False)
        assert (refused.status, refused.json["code"]) == (403, FORGED), path
    assert ledger.status(db, id) == "queued"
    assert db.execute("select count(*) from notify.notifications").fetchone() == (1,)
    for path, body in paths.items():
        assert browser.verb(path, body).status in (200, 202), path


def test_a_token_of_another_session_is_none(api, db, browser):
    browser.get("/console")
    other = Browser(api)
    other.get("/console")
    browser.cookies[browser.token_name] = other.cookies[other.token_name]
    assert browser.verb("/notify", json.dumps(LINE).encode()).json["code"] == FORGED


def test_a_program_with_a_key_needs_no_token(api, db, browser):
    key = known(api, db, "send")
    sent = api.post(LINE, **bearer(key), Cookie=f"{browser.session_name}={minted()}")
    assert sent.status == 202


@pytest.mark.parametrize("theirs", ["Basic b3A6c2VjcmV0", "Bearer eyJhbGciOiJub25lIn0.e30.", ""])
def test_a_login_of_a_proxy_in_front_leaves_a_session_as_it_is(api, db, browser, theirs):
    """The browser sends it along with the cookie, also where another site's page asks."""
    browser.log_in(known(api, db, "operate", "send"))
    assert browser.get("/console", Authorization=theirs).status == 200
    body = json.dumps(LINE).encode()
    refused = browser.verb("/notify", body, has_token=False, Authorization=theirs)
    assert (refused.status, refused.json["code"]) == (403, FORGED)
    assert browser.verb("/notify", body, Authorization=theirs).status == 202


def test_a_login_of_a_proxy_is_no_key(api, db, browser):
    known(api, db, "operate", "send")
    for theirs in ("Basic b3A6c2VjcmV0", "Bearer nk_mistyped", ""):
        assert api.post(LINE, Authorization=theirs).json["code"] == "key_invalid"
        assert browser.get("/console", Authorization=theirs).status == 303


def test_a_cookie_does_no_more_than_its_key(api, db, browser):
    browser.log_in(known(api, db, "read"))
    [id] = ledger.enqueue(db)
    assert browser.verb(f"/notifications/{id}/cancel", b"").json["code"] == "scope_missing"
    assert browser.verb("/keys", b'{"producer": "x"}').json["code"] == "scope_missing"


@pytest.mark.parametrize("cookie", ["", "x", "nk_", "open_", "é", "a" * 5000, '"', "nk_0_0"])
def test_an_odd_cookie_is_no_key(api, db, browser, cookie):
    known(api, db, "operate")
    brought = f"{browser.session_name}={cookie}".encode().decode("latin1")
    answer = api.ask("GET", "/notifications", Cookie=brought)
    assert answer.status == 401


def test_pages_load_nothing_but_their_own(browser, api):
    page = browser.get("/console")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["Cache-Control"] == "no-store"
    for name in ("console.css", "console.js", "htmx.min.js", "icon.svg"):
        [url] = [part for part in page.text.split('"') if f"/static/{name}?v=" in part]
        asset = api.get(url)
        assert asset.status == 200
        assert "immutable" in asset.headers["Cache-Control"]
    for name in ("README.md", "..%2fconsole.py", "none.js"):
        assert api.get(f"/console/static/{name}").status == 404


def test_each_page_names_the_cookie_of_its_token(api, db, browser):
    """Its script cannot know: a proxy may pass on another Host than the browser shows."""
    known(api, db, "read")
    for host, name in (("localhost:3999", "notify_csrf_3999"), ("localhost", "notify_csrf")):
        page = browser.get("/console/login", Host=host)
        assert f'<meta name="csrf-cookie" content="{name}">' in page.text


@pytest.mark.parametrize("version", ["", "?v=", "?v=0123456789ab", "?v=other&v=", "?w=1"])
def test_what_another_release_asks_for_is_not_kept_under_its_url(version, api):
    asset = api.get(f"/console/static/console.js{version}")
    assert (asset.status, asset.headers["Cache-Control"]) == (200, "no-store")


def test_a_failed_page_is_a_page(api, db, browser):
    browser.log_in(known(api, db, "read"))
    page = browser.get("/console/nowhere")
    assert page.status == 404
    assert "<h1>There is nothing at this path</h1>" in page.text
    assert "No screen has this path" in page.text
    assert "on this page" not in page.text


def test_a_slash_too_much_leads_to_the_first_screen_and_nowhere_else(browser):
    page = browser.get("/console/?next=//evil.example")
    assert (page.status, page.headers["Location"]) == (303, "/console")
    for path in ("/console//", "/console//evil.example", "/console/%2F", "/console/\\evil.example"):
        page = browser.get(path)
        assert (page.status, page.headers["Location"]) == (404, None), path


def test_a_form_is_little_and_in_utf8(api):
    form = "application/x-www-form-urlencoded"
    for charset in ("punycode", "bogus", "hex", "idna", "utf-16", "undefined"):
        answer = api.ask(
            "POST", "/console/login", b"key=a", **{"Content-Type": f"{form}; charset={charset}"}
        )
        assert answer.status == 415, charset
    for body in (b"key=\xff", b"\xff=\xff", b"", b"&&&", b"key", b"%ff%00=%"):
        assert api.ask("POST", "/console/login", body, **{"Content-Type": form}).status == 401, body
    many = iter([b"a" * 1000] * 100)  # chunked: no Content-Length says how much
    assert api.ask("POST", "/console/login", many, **{"Content-Type": form}).status == 413


def test_an_odd_token_is_none(api, browser):
    browser.get("/console")
    for token in ("\xe9", "", "x" * 5000, "\u00b2"):
        browser.cookies[browser.token_name] = token
        assert browser.verb("/notify", json.dumps(LINE).encode()).status in (400, 403), token


def test_a_link_that_fits_no_login_leads_to_it_all_the_same(api, db, browser):
    known(api, db, "operate")
    answer = browser.get("/console/search?recipient=" + "%C3%A9" * 600)
    assert (answer.status, answer.headers["Location"]) == (303, "/console/login")


def test_the_rate_of_a_key_holds_for_pages_as_well(api, db, browser):
    key = known(api, db, "read", rate_per_s=0.001, burst=2)
    assert browser.log_in(key).status == 303
    assert [browser.get("/console/search/export").status for _ in range(4)] == [200, 200, 429, 429]


def test_a_page_that_cannot_be_rendered_says_so(api, db, browser):
    db.execute(
        "insert into notify.figures (at, leader, queued, quiet, sending, is_estimate)"
        " values (clock_timestamp(), 'x', '{null,null}', 0, 0, false)"
    )
    page = browser.get("/console")
    assert page.status == 500
    assert "<h1>" in page.text
