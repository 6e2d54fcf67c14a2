"""The database goes away while somebody looks, and comes back: nobody has to do anything."""

from urllib.parse import urlsplit

import pytest

from service.access.key import minted
from tests.browser import axe
from tests.integration.api.link import Link
from tests.integration.api.serving import serving
from tests.keys import make

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium")]


@pytest.fixture
def link(dsn):
    with Link(dsn) as link:
        yield link


@pytest.fixture
def api(dsn, link):
    url = urlsplit(dsn)
    host = f"{url.netloc.rpartition('@')[0]}@127.0.0.1:{link.port}"
    with serving(url._replace(netloc=host).geturl()) as running:
        yield running


@pytest.mark.needs("axe")
def test_a_page_that_is_asked_for_while_it_is_away(link, tab, picture):
    link.cut()
    tab.go("/console")
    assert tab.text("h1") == "The database is away"
    picture(tab)
    assert not axe.findings(tab)
    link.restore()
    tab.wait("document.querySelector('h1')?.textContent !== 'The database is away'")
    assert tab.has("nav[aria-label=Screens]")


def test_a_page_that_is_open_says_so_and_goes_on(link, tab):
    tab.go("/console")
    link.cut()
    tab.wait("document.getElementById('said').textContent.includes('goes on asking')")
    link.restore()
    tab.wait("document.getElementById('said').textContent === ''")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_it_is_said_once_and_goes_with_the_first_answer(tab, status):
    tab.go("/console")
    tab.js(
        "window.heard = []; new MutationObserver(() => heard.push(said.textContent))"
        ".observe(said, {childList: true})"
    )
    for _ in range(3):
        tab.js(f"htmx.trigger('#live', 'htmx:responseError', {{xhr: {{status: {status}}}}})")
    tab.js("htmx.trigger('#live', 'refresh')")
    tab.wait("said.textContent === ''")
    assert [bool(text) for text in tab.js("heard")] == [True, False]


def test_what_a_verb_said_stays(tab):
    tab.go("/console")
    tab.js("say('No.', true); live.dataset.isOld = true; htmx.trigger('#live', 'refresh')")
    tab.wait("!('isOld' in live.dataset)")
    assert tab.text("#said") == "No."


def test_a_form_that_met_it_is_not_sent_again(api, db, link, tab):
    make(db, "operate")
    api.read_keys()
    tab.go("/console/login")
    link.cut()
    tab.fill("#key", str(minted()))
    tab.during_load(lambda: tab.press("Enter"))
    assert tab.text("h1") == "The database is away"
    link.restore()
    tab.wait("document.getElementById('key') !== null")
    assert tab.js("location.pathname + location.search") == "/console/login?next=%2Fconsole"
