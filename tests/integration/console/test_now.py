"""The screen Now: the numbers, what is wrong and what helps, and who sees what of it."""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from service.console.now import KEEP_S
from tests import ledger
from tests.explaining import beat, leading, note, state
from tests.integration.api.link import Link
from tests.integration.api.serving import serving
from tests.integration.console.browsing import Browser
from tests.keys import make
from tests.rollups import add_minutes, counts, now_s
from tests.waiting import wait_for

LEAD = "select pg_advisory_lock(1852798057, 2)"
HOST = "https://hooks.dead.example"
FIGURES = """
insert into notify.figures (at, leader, queued, quiet, sending, is_estimate, oldest_due_s)
values (clock_timestamp() - %s::interval, 'h:1', '{1,20,1300,0}', 0, 77, false, %s)
"""
VIEWERS = 50
NO_LEADER = "No dispatcher leads"


@pytest.fixture
def browser(api):
    return Browser(api)


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Let each page wait for the doctor, however slow the machine is."""
    monkeypatch.setattr("service.console.now.GLANCE_WAIT_S", 60.0)


@pytest.fixture
def lead(dsn):
    with leading(dsn):
        yield


def figures(db, age="2 s", oldest_due_s=0.4):
    """Let the leader have counted so long ago."""
    db.execute(FIGURES, [age, oldest_due_s])


def titles(page):
    """Give the headings of what is wrong."""
    found = re.findall(r'trouble">\s*<h3>(.*?)</h3>', page.text, re.DOTALL)
    return [re.sub(r"<small.*|<[^>]+>", "", title, flags=re.DOTALL).strip() for title in found]


def verbs(page):
    """Give the buttons of a page: where each asks, and with which body."""
    found = re.findall(r"""data-url="([^"]*)" data-body='([^']*)'""", page.text)
    return [(url, json.loads(body)) for url, body in found]


def test_an_empty_ledger_says_what_comes_and_how(browser):
    page = browser.get("/console")
    assert page.status == 200
    assert titles(page) == [NO_LEADER, "No worker is heard of"]
    for words in (
        "No dispatcher has counted yet", "No minute is counted",
        "Nothing that is still kept",
        "No destination is kept back", "No worker was heard of in the last 30 s",
        "<code>notify dispatcher</code>", "<code>notify worker</code>",
    ):  # fmt: skip
        assert words in page.text, words


def test_on_a_calm_day_it_says_that_nothing_is_wrong(db, browser, lead):
    beat(db)
    figures(db)
    page = browser.get("/console")
    assert titles(page) == []
    assert "data-is-bad" not in page.text
    assert "<title>Now · Notifications</title>" in page.text
    assert re.search(r"Queued</dt>\s*<dd>1,321", page.text)
    assert "1 · 20 · 1,300 · 0" in page.text
    assert re.search(r"Sending</dt>\s*<dd>77\s*<small>of 512 places", page.text)
    assert re.search(r"counted \d+\.\d s ago", page.text)
    assert "A dispatcher leads: pid" in page.text


def test_a_stopped_dispatcher_is_named_with_its_time_and_command(db, browser):
    beat(db)
    figures(db, age="4 min")
    page = browser.get("/console")
    assert titles(page) == [NO_LEADER]
    assert re.search(r"since <time[^>]*>[^<]*</time>, 4 min", page.text)
    assert ">notify dispatcher</code>" in page.text
    assert "These figures are old" in page.text
    assert "<title>(1) Now · Notifications</title>" in page.text
    assert "data-is-bad" in page.text


def test_a_standby_has_time_to_take_over(db, browser):
    beat(db)
    figures(db, age="9 s")
    assert titles(browser.get("/console")) == []


def test_a_dispatcher_that_leads_and_counts_nothing_is_named(db, browser, lead):
    beat(db)
    figures(db, age="4 min")
    assert titles(browser.get("/console")) == ["A dispatcher leads, but counts nothing"]


def test_who_holds_the_lock_of_the_lead_is_named_with_its_end(db, dsn, browser):
    beat(db)
    figures(db, age="4 min")
    with psycopg.connect(dsn, autocommit=True, application_name="<b>psql</b>") as session:
        session.execute(LEAD)
        page = browser.get("/console")
        assert f">select pg_terminate_backend({session.info.backend_pid})" in page.text
    assert NO_LEADER in titles(page)
    assert "<b>psql" not in page.text


def test_workers_that_went_away_are_missed(db, browser, lead):
    beat(db)
    db.execute("update notify.workers set beat_at = beat_at - interval '5 minutes'")
    figures(db)
    page = browser.get("/console")
    assert titles(page) == ["No worker is heard of"]
    assert "the last one at <time" in page.text


def test_a_dead_destination_is_named_with_its_cause_and_button(db, browser, lead):
    beat(db)
    figures(db)
    note(db, state(HOST))
    page = browser.get("/console")
    assert titles(page) == [f"{HOST} does not answer"]
    assert "Nothing answered at its address. See whether the receiver runs and its" in page.text
    assert 'data-url="/destinations/probe"' in page.text
    assert f'data-body=\'{{"channel": "webhook", "destination": "{HOST}"}}\'' in page.text
    where = "/console/destinations?channel=webhook&amp;name=https%3A%2F%2Fhooks.dead.example"
    assert page.text.count(f'href="{where}"') == 2


def test_busy_dead_destinations_hide_none_that_took_nothing(db, browser, lead):
    beat(db)
    figures(db)
    names = [f"https://{n}.dead.example" for n in range(4)]
    note(db, *map(state, names))
    few = counts(HOST, 1, failures=1, last_code="500", failed_s=now_s(db))
    busy = [
        counts(name, 1, 1, failures=2, last_code="connect_failed", failed_s=now_s(db))
        for name in names
    ]
    add_minutes(db, few, *busy)
    page = browser.get("/console")
    assert titles(page)[-1] == f"{HOST} took nothing of what was sent to it"
    assert re.search(r"failed: 1, counted up to <time [^>]*>[^<]*:00 UTC</time>", page.text)
    assert "says that it failed (500). The fault is its own: ask who runs it." in page.text


def test_the_buttons_send_what_the_api_takes(dsn, db):
    beat(db)
    note(db, state(HOST))
    with serving(dsn) as api:
        browser = Browser(api)
        asked = dict(verbs(browser.get("/console")))
        paused = browser.verb("/pauses", json.dumps(asked["/pauses"]).encode())
        assert paused.status == 201
    with serving(dsn) as api:  # which has read nothing yet
        browser = Browser(api)
        page = browser.get("/console")
        assert re.search(r'badge warn">paused</span> by anybody; 0 wait', page.text)
        resume = f"/pauses/{paused.json['id']}/resume"
        assert verbs(page).count((resume, {})) == 1
        assert browser.verb(resume, b"").status == 200


def test_a_forgotten_pause_has_its_button_above(db, browser, lead):
    beat(db)
    figures(db)
    id = ledger.pause(db, "channel", "log", actor="<b>ops")
    ledger.claim(db, ledger.enqueue(db, 3))
    db.execute("update notify.pauses set paused_at = paused_at - interval '3 days'")
    page = browser.get("/console")
    assert titles(page) == ["Channel log has been paused for more than a day"]
    assert "3 wait for it" in page.text
    assert verbs(page).count((f"/pauses/{id}/resume", {})) == 2
    assert "<b>ops" not in page.text


def test_a_row_that_a_trigger_refuses_is_named_with_its_words(db, browser, lead):
    beat(db)
    figures(db)
    [id] = ledger.enqueue(db)
    ledger.change(
        db, id, last_error_code="refused", last_error="no more <i>acme</i>",
        due_at=ledger.ago(db, "-40 s"),
    )  # fmt: skip
    page = browser.get("/console")
    assert titles(page) == ["PostgreSQL refuses to move a notification"]
    assert "no more &lt;i&gt;acme&lt;/i&gt;:" in page.text
    assert f'href="/console/notifications/{id}"' in page.text


def test_a_row_that_cannot_be_settled_is_named_and_nobody_is_called_dead(db, browser, lead):
    beat(db)
    figures(db)
    [id] = ledger.enqueue(db)
    [claimed] = ledger.claim(db, [id])
    ledger.note_refused(db, claimed)
    page = browser.get("/console")
    assert titles(page) == ["PostgreSQL refuses to write down what became of a notification"]
    assert f'href="/console/notifications/{id}"' in page.text
    told = browser.get(f"/console/notifications/{id}").text
    assert "PostgreSQL refuses to write down" in told
    assert "died" not in told


def test_what_is_due_and_waits_is_explained(db, browser, lead):
    beat(db, channels=["webhook"])
    figures(db, oldest_due_s=125)
    first, _ = ledger.enqueue(db, 2)
    ledger.change(db, first, due_at=ledger.ago(db, "125 s"))
    page = browser.get("/console")
    assert titles(page) == ["What is due waits"]
    assert "can send on channel log" in page.text
    assert "It is due since <time datetime=" in page.text
    assert f'href="/console/notifications/{first}"' in page.text
    assert re.search(r'<dd class="bad">2 min 5 s', page.text)


def test_what_the_doctor_sees_is_there(db, browser, lead):
    beat(db)
    figures(db)
    ledger.put(db, "sending", lease_until=ledger.ago(db, "5 minutes"))
    page = browser.get("/console")
    assert "Leases: 1 passed over a minute ago" in titles(page)
    assert "The reaper does not run: look at the dispatcher&#39;s log." in page.text


def test_a_fault_of_the_schema_that_stops_nothing_is_there_with_its_cure(db, browser, lead):
    beat(db)
    figures(db)
    db.execute("alter table notify.notifications disable trigger wake")
    page = browser.get("/console")
    assert titles(page) == ["Schema: trigger wake of notify.notifications is disabled"]
    assert "<p>Run notify migrate.</p>" in page.text


def test_one_look_of_the_doctor_is_written_so(db, browser, lead):
    beat(db)
    figures(db)
    db.execute("drop table _yoyo_migration")
    page = browser.get("/console")
    assert len(titles(page)) == 1
    assert "1 look of <code>notify doctor</code> is repeated here each 20 s." in page.text


def test_all_faults_that_stop_the_road_are_there(db, browser, lead):
    beat(db)
    figures(db)
    db.execute("drop trigger accept on notify.notifications")
    page = browser.get("/console")
    [title] = titles(page)
    assert title.startswith("Database: trigger accept of notify.notifications")
    assert "Run notify migrate. That helps here as well: trigger accept of" in page.text


def test_what_failed_last_is_linked_with_its_meaning(db, browser, lead):
    beat(db)
    figures(db)
    ids = [ledger.put(db, "failed", last_error_code="404") for _ in range(6)]
    page = browser.get("/console")
    assert page.text.count("the receiver knows no such path (404)") == 5
    assert page.text.count("See whether the URL is right.") == 5
    assert f'href="/console/notifications/{ids[-1]}"' in page.text


def test_the_chart_is_drawn_and_has_its_numbers_as_a_table(db, browser, lead):
    db.execute(
        "insert into notify.minutes (minute, sent, in_time, failed, expired)"
        " select date_trunc('minute', clock_timestamp()) - n * interval '1 minute', 40, 40, 2, 0"
        " from generate_series(1, 3) n"
    )
    page = browser.get("/console")
    assert page.text.count('<rect class="out"') == page.text.count('<rect class="failed"') == 3
    assert page.text.count('<td class="n">42</td><td class="n">2</td>') == 3
    assert "126 went out, 6 of them failed" in page.text
    assert "style=" not in page.text


def test_a_key_of_one_producer_sees_numbers_and_no_names(api, db, browser, lead):
    beat(db, "worker-of-ours:1")
    figures(db, age="4 min")
    note(db, state(HOST), worker="worker-of-ours:1")
    failed = ledger.put(db, "failed", last_error_code="404")
    key = make(db, "read", producer="shop")
    api.read_keys()
    browser.log_in(key)
    page = browser.get("/console")
    assert page.status == 200
    assert "1,321" in page.text
    assert "These figures are old" in page.text
    secrets = "worker-of-ours", "hooks.dead", str(failed), "data-url", "does not answer"
    for secret in secrets:
        assert secret not in page.text, secret
    assert "scope <code>operate</code>" in page.text


def test_a_key_that_operates_sees_all_and_has_the_buttons(api, db, browser, lead):
    beat(db, "worker-of-ours:1")
    note(db, state(HOST), worker="worker-of-ours:1")
    key = make(db, "operate", producer="ops")
    api.read_keys()
    browser.log_in(key)
    page = browser.get("/console")
    for words in ("worker-of-ours:1", HOST, 'data-url="/destinations/probe"', 'data-url="/pauses"'):
        assert words in page.text, words


def test_names_of_others_are_text(db, browser, lead):
    hostile = "</td><script>alert(1)</script>\u202e"
    beat(db, hostile, version=hostile)
    note(db, state(hostile, code=hostile), worker=hostile)
    page = browser.get("/console")
    assert "<script>alert" not in page.text
    assert "\u202e" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text


def test_fifty_viewers_cost_what_one_does(dsn, db):
    db.execute(
        SQL("alter database {} set track_functions = 'all'").format(Identifier(db.info.dbname))
    )
    calls = "select funcname, calls from pg_stat_user_functions where schemaname = 'notify'"
    with serving(dsn) as api, ThreadPoolExecutor(VIEWERS) as viewers:
        began = time.monotonic()
        pages = list(viewers.map(lambda _: Browser(api).get("/console"), range(VIEWERS)))
        turns = 1 + (time.monotonic() - began) // KEEP_S
        assert {page.status for page in pages} == {200}
        db.execute("select pg_stat_force_next_flush()")
        api.run(flushed(api))
        seen = dict(db.execute(calls).fetchall())
    for name in ("now", "flow", "living_workers", "stuck", "page"):
        assert 1 <= seen[name] <= turns, name


@pytest.mark.slow  # seconds pass
def test_while_the_database_is_away_the_page_says_so_and_goes_on_asking(dsn):
    with linked(dsn) as (api, link):
        browser = Browser(api)
        assert browser.get("/console").status == 200
        link.cut()
        wait_for(lambda: browser.get("/console").status == 503)
        page = browser.get("/console")
        assert "The database is away" in page.text
        assert '<meta http-equiv="refresh" content="2">' in page.text
        link.restore()
        wait_for(lambda: browser.get("/console").status == 200)


@contextmanager
def linked(dsn):
    """Serve on a database that can be cut off."""
    url = urlsplit(dsn)
    with Link(dsn) as link:
        who = url.netloc.rpartition("@")[0]
        through = url._replace(netloc=f"{who}@127.0.0.1:{link.port}", query="").geturl()
        with serving(through) as api:
            yield api, link


async def flushed(api):
    """Let each connection of the edge's reads tell what it has counted."""
    for _ in range(api.reads.pool.stats().idle):
        async with api.reads.pool.connection() as conn:
            await conn.execute("select pg_stat_force_next_flush()")
