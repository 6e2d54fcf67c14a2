"""The screen Search in a browser: its times, what is selected, and verbs for all that match."""

import json

import pytest

from tests import ledger
from tests.browser.tab import DESKTOP
from tests.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium")]
SAID = 'document.getElementById("{}").textContent.includes({})'


@pytest.fixture
def tab(open_tab, api):
    tab = open_tab(api.port)
    tab.look_as(DESKTOP, zone="America/New_York")
    yield tab
    assert not tab.all_faults()


def failed(db, n, **columns):
    return [ledger.put(db, "failed", last_error_code="503", **columns) for _ in range(n)]


def says(tab, text, place="all-said"):
    """Wait until the page says this."""
    tab.wait(SAID.format(place, json.dumps(text)))


def statuses(db, ids):
    return {ledger.status(db, id) for id in ids}


def test_a_time_is_typed_in_the_viewers_zone_and_asked_for_in_utc(tab, db):
    ledger.insert(db)
    tab.go("/console/search?created_from=2030-01-31T12:00:00%2B00:00")
    assert tab.js("document.getElementById('created_from').value") == "2030-01-31 07:00:00"
    tab.js("document.getElementById('created_until').value = '2030-02-01 00:30'")
    tab.during_load(lambda: tab.click("#search button"))
    query = "Object.fromEntries(new URLSearchParams(location.search))"
    assert tab.js(query) == {
        "created_from": "2030-01-31T12:00:00Z", "created_until": "2030-02-01T05:30:00Z",
    }  # fmt: skip
    assert tab.js("document.getElementById('created_until').value") == "2030-02-01 00:30:00"


def test_an_age_becomes_the_time_that_it_was(tab, db):
    ledger.insert(db)
    tab.go("/console/search")
    tab.fill("#created_from", "2h")
    tab.during_load(lambda: tab.press("Enter"))
    ago = "Date.now() - new Date(new URLSearchParams(location.search).get('created_from'))"
    assert 7_200_000 <= tab.js(ago) < 7_800_000
    assert len(tab.js("[...document.querySelectorAll('[name=selected]')].map((b) => b.value)")) == 1


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("2030-01-31", "2030-01-31T05:00:00Z"),  # midnight where the viewer is
        (" 2030-01-31 12:00:30 ", "2030-01-31T17:00:30Z"),
        ("2030-01-31T12:00:00+02:00", "2030-01-31T10:00:00Z"),
        ("2030-01-31 12:00z", "2030-01-31T12:00:00Z"),
        *((text, text) for text in ("5", "2030", "2030-02-30", "2030-1-1", "Jan 5 2030", "12:00")),
    ],
)
def test_only_what_is_a_whole_time_is_taken_for_one(tab, typed, sent):
    tab.go("/console/search")
    assert tab.js(f"utc({json.dumps(typed)})") == sent


def test_what_is_wrong_stays_as_it_was_typed(tab):
    for typed in ("yesterday", "5"):
        tab.go(f"/console/search?created_from={typed}")
        assert tab.js("document.getElementById('created_from').value") == typed
    tab.faults.clear()  # the page is a 422


def test_a_refresh_shows_what_is_new_but_not_while_one_selects(tab, db):
    [first] = failed(db, 1)
    tab.go("/console/search?status=failed")
    tab.js("document.querySelector('#live').setAttribute('hx-trigger', 'refresh');"
           " htmx.process(document.querySelector('#live'))")  # fmt: skip
    [second] = failed(db, 1)
    tab.js("htmx.trigger('#live', 'refresh')")
    tab.wait(f"document.querySelector('[value=\"{second}\"]') !== null")
    tab.click(f'[value="{first}"]')
    assert tab.text("button[data-selected=redrive]") == "Redrive 1 selected"
    [third] = failed(db, 1)
    asked = len(tab.asked)
    tab.js("htmx.trigger('#live', 'refresh')")
    assert tab.js("document.querySelector('[name=selected]:checked').value") == str(first)
    assert len(tab.asked) == asked
    tab.click(f'[value="{first}"]')
    tab.js("document.activeElement.blur(); htmx.trigger('#live', 'refresh')")
    tab.wait(f"document.querySelector('[value=\"{third}\"]') !== null")


def test_selected_rows_are_redriven_and_others_are_not(tab, db):
    ids = failed(db, 3)
    tab.go("/console/search")
    for id in ids[:2]:
        tab.click(f'[value="{id}"]')
    tab.click("button[data-selected=redrive]")
    tab.wait("document.querySelector('dialog[open] button') !== null")
    tab.click("dialog[open] button[value=yes]")
    says(tab, "2 of 2 redriven", "said")
    assert statuses(db, ids[:2]) == {"queued"}
    assert statuses(db, ids[2:]) == {"failed"}
    tab.wait("document.querySelectorAll('.badge.queued').length === 2")


def test_select_all_takes_what_each_verb_fits(tab, db):
    failed(db, 2)
    queued = ledger.enqueue(db, 3)
    tab.go("/console/search")
    tab.click("#select-all")
    assert tab.text("button[data-selected=redrive]") == "Redrive 2 selected"
    assert tab.text("button[data-selected=cancel]") == "Cancel 3 selected"
    tab.click("button[data-selected=cancel]")
    tab.click("dialog[open] button[value=yes]")
    says(tab, "3 of 3 cancelled", "said")
    assert statuses(db, queued) == {"cancelled"}


def test_all_that_match_are_counted_first_and_redriven_then(tab, db):
    ids = failed(db, 130)
    others = [ledger.put(db, "failed", last_error_code="404") for _ in range(2)]
    tab.go("/console/search?status=failed&last_error_code=503")
    later = failed(db, 1)  # it was not there when the page was made
    tab.click("button[data-all]")
    says(tab, "130 match, created before")
    shown = "[...document.querySelectorAll('#all button')].filter((b) => b.checkVisibility())"
    assert tab.js(f"{shown}.map((b) => b.id)") == ["all-go", "all-back"]
    assert tab.js("document.activeElement.id") == "all-back"
    assert statuses(db, ids) == {"failed"}
    tab.click("#all-go")
    says(tab, "130 redriven.")
    assert tab.js(f"{shown}.map((b) => b.id)") == ["all-back"]
    assert statuses(db, ids) == {"queued"}
    assert statuses(db, others + later) == {"failed"}
    tab.click("#all-back")
    tab.wait("!document.getElementById('all').open")
    tab.wait("document.querySelectorAll('[name=selected]').length === 1")


def test_all_that_match_are_cancelled_in_parts_and_it_can_be_stopped(tab, db):
    ids = ledger.enqueue(db, 25, reference="a")
    tab.go("/console/search?status=queued&reference=a")
    tab.js("window.heard = 0; const whole = window.fetch; window.fetch = (url, given) => {"
           " const body = JSON.parse(given.body); body.limit = Math.min(body.limit, 10);"
           " if (!body.dry_run && ++window.heard === 2)"
           " document.getElementById('all-stop').click();"
           " return whole(url, { ...given, body: JSON.stringify(body) }); }")  # fmt: skip
    tab.click("button[data-all]")
    says(tab, "25 match")
    tab.click("#all-go")
    says(tab, "20 cancelled. Stopped")
    assert sum(ledger.status(db, id) == "cancelled" for id in ids) == 20
    tab.click("#all-go")
    says(tab, "25 cancelled.")
    assert statuses(db, ids) == {"cancelled"}


def test_more_than_ten_thousand_are_not_counted_to_the_end(tab, db):
    ledger.enqueue(db, 10_050)
    tab.go("/console/search?status=queued")
    tab.click("button[data-all]")
    says(tab, "10,000 and more match")
    tab.press("Escape")
    tab.wait("!document.getElementById('all').open")
    assert db.execute(
        "select count(*) from notify.notifications where status = 'queued'"
    ).fetchone() == (10_050,)
    assert tab.js("document.activeElement.dataset.all") == "cancel"


def test_a_fault_on_the_way_is_said_and_one_can_go_on(api, tab, db):
    ids = failed(db, 3)
    tab.go("/console/search?status=failed")
    tab.click("button[data-all]")
    says(tab, "3 match")
    token = tab.js("document.cookie")
    tab.js(f"document.cookie = 'notify_csrf_{api.port}=x; path=/'")
    tab.click("#all-go")
    says(tab, "0 redriven. The session's token is missing or wrong")
    assert tab.js("document.getElementById('all-rate').checkVisibility()")
    tab.js(f"document.cookie = {json.dumps(token.split('; ')[0] + '; path=/')}")
    tab.click("#all-go")
    says(tab, "3 redriven.")
    assert statuses(db, ids) == {"queued"}
    tab.faults.clear()  # the browser tells of the 403


def test_a_rate_that_is_none_is_said_and_can_be_mended(tab, db):
    ids = failed(db, 3)
    tab.go("/console/search?status=failed")
    tab.click("button[data-all]")
    says(tab, "3 match")
    for rate in ("20000", "0", ""):
        tab.js(f"rate.value = '{rate}'")
        tab.js("document.getElementById('all-said').textContent = ''")
        tab.click("#all-go")
        says(tab, "Give a rate of 0.1 to 10,000 a second.")
        assert tab.js("document.activeElement.id") == "rate"
    assert statuses(db, ids) == {"failed"}
    tab.fill("#rate", "5000")
    tab.click("#all-go")
    says(tab, "3 redriven.")
    assert not tab.js("document.getElementById('all-rate').checkVisibility()")
    assert statuses(db, ids) == {"queued"}


def test_an_export_is_a_download(tab, api, db):
    ledger.enqueue(db)
    tab.go("/console/search")
    href = tab.js("document.querySelector('a[download]').href")
    text = tab.js(f"fetch({json.dumps(href)}).then((answer) => answer.text())")
    assert text.splitlines()[-1].rstrip(",").endswith("that is all")
    wait_for(lambda: api.metric("api_requests_in_progress") == 0)
