"""Destinations by hand: the buttons do what they say, and one destination is without faults."""

from urllib.parse import urlencode

import pytest

from tests.browser import axe, hostile, keyboard
from tests.browser.tab import DESKTOP, PHONE
from tests.browser.test_screens import beyond
from tests.explaining import beat, note, state
from tests.integration.api.serving import serving
from tests.integration.console.counted import took

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium")]

A = "https://a.example.org"
SIZES = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
VIEWS = [(DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "light"), (PHONE, "dark")]
WIDTH = "Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)"


@pytest.fixture
def tab(dsn, open_tab):
    with serving(dsn) as api:
        tab = open_tab(api.port)
        tab.look_as(DESKTOP)
        yield tab


def path(name):
    return "/console/destinations?" + urlencode({"channel": "webhook", "name": name})


def press(tab, name, place="#live"):
    """Press the button of a name, and agree if it asks."""
    tab.wait(
        f"(window.pressed = [...document.querySelectorAll('{place} button')]"
        f".find((button) => button.textContent.trim() === '{name}')) !== undefined"
    )
    tab.js("window.pressed.click()")
    tab.wait(
        "Boolean(document.querySelector('dialog') || document.getElementById('said').textContent)"
    )
    if tab.has("dialog"):
        tab.click("dialog button[value=yes]")
        tab.wait("document.getElementById('said').textContent")


def busy(db):
    beat(db)
    for ago in range(1, 55):
        took(db, A, ago=ago, sends=ago * 7, failures=ago % 5, code="503")
    note(db, state(A, code="503"))


def test_a_destination_is_paused_and_resumed(db, tab):
    busy(db)
    tab.go("/console/destinations")
    press(tab, "Pause")
    assert "is paused" in tab.text("#said")
    tab.wait("document.querySelector('#live .badge.warn') !== null")
    [name] = db.execute("select name from notify.pauses where resumed_at is null").fetchone()
    assert name == A
    press(tab, "Resume")
    tab.wait("document.querySelector('#live .badge.warn') === null")
    assert db.execute("select from notify.pauses where resumed_at is null").fetchone() is None
    assert not tab.all_faults()


def test_one_destination_offers_a_pause_while_there_is_none(db, tab):
    busy(db)
    tab.go(path(A))
    offered = "document.querySelector('.to-pause').checkVisibility()"
    tab.fill("#reason", "they move")
    press(tab, "Pause", place=".to-pause")
    tab.wait(f"!{offered}")
    assert "they move" in tab.text("#live")
    tab.js("document.getElementById('said').textContent = ''")
    press(tab, "Resume")
    tab.wait(offered)
    assert not tab.all_faults()


def test_it_is_probed(db, tab):
    busy(db)
    tab.go(path(A))
    press(tab, "Probe now")
    assert "within 2 s" in tab.text("#said")
    assert db.execute("select destination from notify.probes").fetchone() == (A,)


def test_a_producer_is_paused_and_a_mistake_is_said(db, tab):
    tab.go("/console/destinations")
    tab.fill("#name", "no such channel")
    press(tab, "Pause", place="main > form")
    assert "Use webhook, email or log." in tab.text("#said")
    tab.js("document.getElementById('kind').value = 'producer'")
    tab.fill("#name", "shop")
    tab.fill("#reason", "<b>why</b>")
    tab.js("document.getElementById('said').textContent = ''")
    press(tab, "Pause", place="main > form")
    tab.wait("document.getElementById('live').innerText.includes('<b>why</b>')")


@pytest.mark.needs("axe")
@pytest.mark.parametrize("view", VIEWS, ids=lambda view: f"{view[0][0]}-{view[1]}")
def test_one_destination_is_without_faults(db, tab, view, picture):
    busy(db)
    tab.look_as(*view)
    tab.go(path(A))
    picture(tab)
    assert tab.js(WIDTH) <= view[0][0]
    assert not axe.findings(tab)
    assert not keyboard.walk(tab)
    assert not tab.all_faults()


@pytest.mark.needs("axe")
@SIZES
def test_hostile_names_break_nothing(db, tab, size, picture):
    beat(db)
    names = [f"https://{text}"[:500] for text in (*hostile.SHORT.values(), "x" * 490)]
    for number, name in enumerate(names):
        took(db, name, sends=1000 - number, failures=1, code=name[:90])
        note(db, state(name, code=name[:90]))
    tab.look_as(size)
    tab.go("/console/destinations")
    picture(tab)
    assert tab.js("document.querySelectorAll('[data-xss]').length") == 0
    assert tab.js(WIDTH) <= size[0]
    assert not axe.findings(tab)
    for name in (names[0], names[-1]):
        tab.go(path(name))
        assert tab.js("document.querySelectorAll('[data-xss]').length") == 0
        assert tab.js(WIDTH) <= size[0], beyond(tab, size[0])
    assert tab.js("window.ran === undefined")
    assert not tab.dialogs
    assert not tab.all_faults()
