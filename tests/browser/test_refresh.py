"""A page that refreshes itself takes nothing from whoever is in it, and is not stale for long."""

import pytest

from tests import ledger
from tests.browser.tab import DESKTOP, PHONE

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium")]

# As its timer asks: without an event of somebody's.
POLL = """
htmx.ajax("GET", location.pathname,
  {source: "#live", target: "#live", swap: "outerHTML", select: "#live"})
"""
IS_NEW = "!('isOld' in document.getElementById('live').dataset)"
IS_HELD = "!document.getElementById('held').hidden"
FOCUS = "document.activeElement.outerHTML"
A_MINUTE_LATER = """
{ const now = performance.now.bind(performance); performance.now = () => now() + 61000; }
"""


@pytest.fixture
def tab(open_tab, api):
    tab = open_tab(api.port)
    tab.look_as(DESKTOP)
    yield tab
    assert not tab.all_faults()


def look_at(tab, path):
    """Open a page, and mark what is on it."""
    tab.go(path)
    mark(tab)


def mark(tab):
    tab.js("document.getElementById('live').dataset.isOld = true")


def focus_by_key(tab):
    """Let Tab come to a button that has no id; returns its HTML."""
    tab.js("document.querySelector('#live button').focus()")
    tab.press("Tab")
    tab.press("Tab", shift=True)
    assert tab.js("document.activeElement.matches('#live button:not([id])')")
    return tab.js(FOCUS)


def test_what_has_the_focus_is_not_replaced_before_it_is_left(tab):
    look_at(tab, "/console")
    focused = focus_by_key(tab)
    tab.js(POLL)
    assert not tab.js(IS_NEW)
    assert tab.js(IS_HELD)
    assert tab.js(FOCUS) == focused
    tab.js("document.activeElement.blur()")
    tab.wait(IS_NEW)
    assert not tab.js(IS_HELD)


def test_after_a_minute_without_a_key_it_is_replaced_and_the_focus_stays(tab):
    look_at(tab, "/console")
    focused = focus_by_key(tab)
    tab.js(POLL)
    assert tab.js(IS_HELD)
    tab.js(A_MINUTE_LATER)
    tab.wait(IS_NEW)
    assert not tab.js(IS_HELD)
    assert tab.js(FOCUS) == focused
    assert tab.js("document.getElementById('live').contains(document.activeElement)")
    mark(tab)
    tab.js(POLL)
    tab.wait(IS_NEW)


def test_a_text_stays_selected(tab):
    look_at(tab, "/console")
    tab.js("getSelection().selectAllChildren(document.querySelector('#live h2'))")
    tab.press("Escape")
    selected = tab.js("getSelection().toString()")
    tab.js(POLL)
    assert not tab.js(IS_NEW)
    assert tab.js("getSelection().toString()") == selected != ""
    tab.js("getSelection().removeAllRanges()")
    tab.wait(IS_NEW)


def test_a_region_stays_scrolled(db, tab):
    ledger.enqueue(db, 3)
    tab.look_as(PHONE)
    look_at(tab, "/console/search")
    tab.js("document.querySelector('#live .scroll').scrollLeft = 150")
    tab.js(POLL)
    tab.wait(IS_NEW)
    assert tab.js("document.querySelector('#live .scroll').scrollLeft") == 150


def test_a_verb_takes_neither_the_focus_nor_what_it_shows(db, tab):
    """What somebody asks for comes at once, also while the focus is there."""
    ledger.enqueue(db)
    look_at(tab, "/console/search")
    tab.js("document.querySelector('#live .scroll').focus()")
    tab.press("Tab")
    focused = tab.js(FOCUS)
    tab.js("refresh()")
    tab.wait(IS_NEW)
    assert tab.js(FOCUS) == focused


def test_a_notification_can_be_kept_as_it_is(db, tab):
    [id] = ledger.enqueue(db)
    tab.go(f"/console/notifications/{id}")
    tab.click("#still")
    tab.wait("!document.querySelector('.htmx-request')")  # its stream begins with an event
    mark(tab)
    tab.js(
        "document.addEventListener('htmx:beforeRequest', (event) =>"
        " { window.wasKept = event.defaultPrevented; })"
    )
    ledger.cancel(db, [id])
    tab.wait("window.wasKept")
    assert not tab.js(IS_NEW)
    tab.click("#still")
    tab.wait(IS_NEW)
    assert "cancelled" in tab.text("#live")
    tab.wait("document.getElementById('still').hidden")  # it moves no more; htmx settles it later
