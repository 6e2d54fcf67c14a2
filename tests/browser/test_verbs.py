"""A verb's button asks, does, says what came of it, and refreshes what is shown."""

import json

import pytest

from tests import ledger
from tests.browser import axe
from tests.browser.tab import PHONE
from tests.keys import make

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium")]

# A form as the templates write them, put on a page that is there.
FORM = """
document.querySelector("main").insertAdjacentHTML("beforeend",
  '<form class="verb" data-url="URL" data-ask="Call it off?" data-done="Called off.">'
  + '<button>Cancel</button></form>')
"""
SAID = "document.getElementById('said').textContent"
DIALOG = "document.querySelector('dialog[open]')"


def offer(tab, id):
    """Put a button on the page that cancels one notification."""
    tab.js(FORM.replace("URL", f"/notifications/{id}/cancel"))


def press(tab):
    """Press the button, and wait for its question."""
    tab.click("main form.verb button")
    tab.wait(f"{DIALOG} !== null")
    assert tab.text("dialog p") == "Call it off?"


def test_nothing_happens_until_one_agrees(tab, db):
    [id] = ledger.enqueue(db)
    tab.go("/console")
    offer(tab, id)
    press(tab)
    tab.click("dialog button[value=no]")
    tab.wait(f"{DIALOG} === null")
    press(tab)
    tab.press("Escape")
    tab.wait(f"{DIALOG} === null")
    assert tab.js(SAID) == ""
    assert ledger.status(db, id) == "queued"
    press(tab)
    tab.press("Enter")  # which is no consent
    tab.wait(f"{DIALOG} === null")
    assert ledger.status(db, id) == "queued"
    press(tab)
    tab.press("Tab", shift=True)
    tab.press("Enter")
    tab.wait(f"{SAID} === 'Called off.'")
    assert ledger.status(db, id) == "cancelled"
    assert not tab.all_faults()


def test_what_is_refused_says_why(api, tab, db):
    key = make(db, "read", producer="shop")
    api.read_keys()
    [id] = ledger.enqueue(db, producer="shop")
    tab.go("/console/login")
    tab.fill("#key", str(key))
    tab.during_load(lambda: tab.press("Enter"))
    offer(tab, id)
    press(tab)
    tab.click("dialog button[value=yes]")
    assert "may not do this" in tab.wait(SAID)
    assert tab.js("document.getElementById('said').className") == "fault"
    assert ledger.status(db, id) == "queued"


def test_what_a_dialog_asks_is_text(tab):
    tab.go("/console")
    offer(tab, "x")
    question = "<img src=x onerror=alert(1)>"
    tab.js(f"document.querySelector('main form.verb').dataset.ask = {json.dumps(question)}")
    tab.click("main form.verb button")
    tab.wait(f"{DIALOG} !== null")
    assert tab.text("dialog p") == question
    assert not tab.dialogs


def test_where_it_says_something_is_there_before_it_does(tab):
    tab.go("/console")
    said = "document.getElementById('said')"
    assert tab.js(f"{said}.checkVisibility() && {said}.getAttribute('aria-live')") == "polite"
    assert tab.js(f"{said}.offsetHeight") == 0


@pytest.mark.needs("axe")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_a_dialog_asks_is_its_name(tab, scheme):
    tab.look_as(PHONE, scheme)
    tab.go("/console")
    offer(tab, "x")
    press(tab)
    labelled_by = tab.js("document.querySelector('dialog').getAttribute('aria-labelledby')")
    assert tab.text(f"#{labelled_by}") == "Call it off?"
    assert tab.js("document.activeElement.value") == "no"
    assert not axe.findings(tab)
