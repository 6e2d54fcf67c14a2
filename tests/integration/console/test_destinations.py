"""Destinations: what each took in the last hour, what is kept back or paused, and the verbs."""

import json
import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.explaining import beat, note, silence, state
from tests.integration.console.browsing import Browser
from tests.integration.console.counted import took
from tests.keys import make

A, B = "https://a.example.org", "https://b.example.org"
XSS = "https://x.example/<script>alert(1)</script>\"'\u202e"


@pytest.fixture
def browser(api):
    browser = Browser(api)
    browser.get("/console/destinations")
    return browser


def keep_back(db, destination=A, kind="breaker", code="503"):
    """Let a living worker keep back what is for a destination."""
    beat(db)
    note(db, state(destination, kind, code=code, in_s=30))


def page(browser, path=""):
    answer = browser.get(f"/console/destinations{path}")
    assert answer.status == 200
    return answer.text


def one(destination, channel="webhook"):
    return f"?channel={channel}&name={destination}"


def test_nothing_sent_says_what_would_be_here(browser):
    text = page(browser)
    assert "Nothing was sent in the last hour" in text
    assert "Nothing is paused" in text
    assert "No worker is alive" in text
    assert "None has ever been heard of" in text
    assert "<code>notify worker</code>" in text
    assert "none is kept back" in page(browser, "?kept=1")


def test_the_busiest_comes_first_with_its_figures(browser, db):
    beat(db)
    took(db, B, sends=5)
    took(db, A, sends=60, failures=6, code="503")
    took(db, A, ago=30, sends=60)
    text = page(browser)
    assert 0 < text.index(f">{A}</a>") < text.index(f">{B}</a>")
    assert '<td class="n">120</td>' in text
    assert "5.0 %" in text
    assert "<code>503</code>" in text
    [to] = re.findall(r'<a class="bad" href="([^"]+)"', text)
    assert parse_qs(urlsplit(unescape(to)).query) == {"channel": ["webhook"], "name": [A]}
    links = re.findall(r'<a href="(/console/search[?][^"]+)"', page(browser, one(A)))
    for status, path in zip(("failed", "queued"), map(unescape, links), strict=True):
        found = parse_qs(urlsplit(path).query)
        assert found == {"status": [status], "channel": ["webhook"], "destination": [A]}
    assert "No worker is alive" not in text
    assert '<span class="good">open</span>' in text


def test_what_is_found_contains_what_was_asked(browser, db):
    took(db, A)
    took(db, B)
    took(db, "", channel="email")
    assert f">{B}</a>" not in page(browser, "?find=A.EXAMPLE")
    assert f">{A}</a>" in page(browser, "?find=A.EXAMPLE")
    assert f">{A}</a>" not in page(browser, "?find=mail%20server")
    assert "none has “&lt;script&gt;” in its name" in page(browser, "?find=%3Cscript%3E")
    assert "<script>" not in page(browser, "?find=%3Cscript%3E").replace("<script src", "")
    assert len(page(browser, "?find=" + "x" * 2000)) < 20_000


def test_what_is_kept_back_is_found_however_little_it_gets(browser, db):
    for number in range(250):
        took(db, f"https://h{number:03}.example", sends=1000 - number)
    took(db, B, failures=3)
    keep_back(db, B)
    assert f">{B}</a>" not in page(browser)
    for text in (page(browser, "?kept=1"), page(browser, "?find=b.example.org")):
        assert text.count('<th scope="row"') == 1
        assert f">{B}</a>" in text
    assert "does not answer" in page(browser, one(B))
    assert "30.0 %" in page(browser, one(B))


def test_what_is_paused_is_not_probed(browser, db):
    took(db, A)
    keep_back(db)
    pause = json.dumps({"kind": "channel", "name": "webhook"}).encode()
    assert browser.verb("/pauses", pause).status == 201
    for path in ("", one(A)):
        assert 'data-url="/destinations/probe"' not in page(browser, path)


def test_a_name_beyond_ascii_says_what_a_pause_misses(browser):
    assert "beyond ASCII" in page(browser, one("xn--bcher-kva.example", "email"))
    assert "beyond ASCII" not in page(browser, one("example.org", "email"))


def test_the_list_is_bounded_and_says_so(browser, db):
    for number in range(130):
        took(db, f"https://h{number:03}.example", sends=1000 - number)
    text = page(browser)
    assert text.count('<th scope="row"') == 100
    assert "These are the busiest 100. Find others" in text
    assert page(browser, "?find=h129").count('<th scope="row"') == 1


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (
            "breaker",
            ("does not answer", "It, or one of its URLs, has failed again and again.", True),
        ),
        ("pace", ("slowed down", "It takes less than it is offered", True)),
        ("name", ("slow name", "The look-up of its name takes long", False)),
        ("share", ("at its share", "It is slow or has not answered lately", False)),
        ("url", ("one URL waits", "For one of its URLs it has asked for a pause", True)),
    ],
)
def test_a_state_is_said_in_words_with_its_button(browser, db, kind, said):
    badge, why, is_probed = said
    keep_back(db, kind=kind)
    text = page(browser)
    assert f'<span class="badge bad">{badge}</span>' in text
    assert ('data-url="/destinations/probe"' in text) == is_probed
    text = page(browser, one(A))
    assert why in text
    assert "<code>503</code>" in text
    assert ('data-url="/destinations/probe"' in text) == is_probed


def test_what_a_code_means_stands_beside_it(browser, db):
    keep_back(db, code="connect_failed")
    text = page(browser, one(A))
    assert "nothing answered at its address" in text
    assert "See whether the receiver runs and its port is open." in text


def test_a_number_has_its_meaning_and_its_advice_beside_it_in_any_state(browser, db):
    took(db, A, failures=1, code="410")
    text = page(browser, one(A))
    assert "<code>410</code>, the receiver says that it is gone for good (410), at" in text
    assert text.count("Do not send to it any more.") == 1
    keep_back(db, code="404")
    text = page(browser, one(A))
    assert "<code>404</code>, the receiver knows no such path (404)." in text
    assert "See whether the URL is right." in text
    assert "Do not send to it any more." not in text
    took(db, B, failures=1, code="503")
    assert "the code is" not in page(browser, one(B))


def test_one_destination_has_its_hour_as_a_drawing_and_as_a_table(browser, db):
    beat(db)
    took(db, A, ago=1, sends=10, failures=4, code="500")
    took(db, A, ago=58, sends=7)
    took(db, B, ago=2, sends=99)
    text = page(browser, one(A))
    assert text.count('<rect class="out"') == 2
    assert text.count('<rect class="failed"') == 1
    assert "17 sends, 4 of them failed" in text
    assert '<td class="n">10</td><td class="n">4</td>' in text
    assert "<code>500</code></td></tr>" in text
    assert ">99<" not in text.partition("The last hour, by the minute")[2]
    assert " style=" not in text


def test_one_that_nothing_was_sent_to_can_be_paused_in_advance(browser):
    text = page(browser, one("https://new.example"))
    assert "Nothing was sent there in the last hour" in text
    assert 'data-url="/pauses"' in text


@pytest.mark.parametrize(
    "query", ["?channel=fax&name=x", "?name=x", "?channel=webhook&name=" + "x" * 3000]
)
def test_what_is_no_destination_is_not_found(browser, query):
    assert browser.get(f"/console/destinations{query}").status == 404


def test_old_figures_say_so(browser, db):
    took(db, A, ago=10)
    text = page(browser)
    assert "Nothing was counted since" in text
    assert "no later minute is counted yet" in text  # something may be sent just now
    assert "nothing was sent since" not in text
    took(db, A, ago=1)
    assert "Nothing was counted since" not in page(browser)


@pytest.mark.slow  # a statement may take 3.5 s
def test_a_page_that_takes_too_long_says_so_and_is_asked_for_again(browser, db):
    with db.transaction():
        db.execute("lock table notify.destination_minutes in access exclusive mode")
        answer = browser.get("/console/destinations")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert "The database is away" not in answer.text
    assert 'data-again-s="10"' in answer.text


def test_a_worker_that_died_is_missed(browser, db):
    keep_back(db)
    silence(db, "1 minute")
    text = page(browser)
    assert "No worker is alive" in text
    assert "The last one was heard of at" in text


def test_it_is_paused_and_resumed_from_here(browser, db):
    took(db, A)
    body = button(page(browser), "Pause")
    assert body == {"kind": "destination", "channel": "webhook", "name": A}
    made = browser.verb("/pauses", json.dumps(body | {"reason": "<b>they asked</b>"}).encode())
    assert made.status == 201
    text = page(browser)
    assert '<span class="badge warn">paused</span>' in text
    assert "&lt;b&gt;they asked&lt;/b&gt;" in text
    url = f"/pauses/{made.json['id']}/resume"
    assert text.count(f'data-url="{url}"') == 2  # beside the destination, and in the list
    assert "they asked" in page(browser, one(A))
    assert browser.verb(url).status == 200
    assert '<span class="badge warn">paused</span>' not in page(browser)


@pytest.mark.parametrize(("kind", "name"), [("channel", "webhook"), ("producer", "shop")])
def test_a_channel_and_a_producer_are_paused_from_here(browser, db, kind, name):
    took(db, A)
    assert f'<option value="{kind}">' in page(browser)
    body = json.dumps({"kind": kind, "name": name, "reason": "why not"}).encode()
    made = browser.verb("/pauses", body)
    assert made.status == 201
    text = page(browser)
    assert f"{kind} {name}" in text
    assert "why not" in text
    assert ('<span class="badge warn">paused</span>' in text) == (kind == "channel")
    assert ("Its channel, webhook, is" in page(browser, one(A))) == (kind == "channel")
    assert browser.verb(f"/pauses/{made.json['id']}/resume").status == 200


def test_the_verbs_take_the_token(browser, db):
    keep_back(db)
    body = json.dumps({"channel": "webhook", "destination": A}).encode()
    assert browser.verb("/destinations/probe", body, has_token=False).status == 403
    assert browser.verb("/destinations/probe", body).status == 202
    pause = json.dumps({"kind": "channel", "name": "log"}).encode()
    assert browser.verb("/pauses", pause, has_token=False).status == 403


def test_it_takes_a_key_that_may_operate(api, db):
    for scopes, status in ((("read", "send"), 403), (("operate",), 200)):
        key = make(db, *scopes, producer=scopes[0])
        api.read_keys()
        browser = Browser(api)
        browser.log_in(key)
        assert browser.get("/console/destinations").status == status


def test_hostile_names_and_codes_are_text(browser, db):
    keep_back(db, destination=XSS, code="<b>")
    took(db, XSS, sends=3, failures=1, code="<i>")
    for path in (
        "",
        "?find=%3Cscript",
        one("https://x.example/%3Cscript%3Ealert(1)%3C/script%3E%22'%E2%80%AE"),
    ):
        text = page(browser, path)
        assert "<script>alert" not in text
        assert "<b>" not in text
        assert "<i>" not in text
        assert "\u202e" not in text
        assert "alert(1)" in text


def button(text, name):
    """Give the body that the first button of a name sends."""
    before = text.partition(f'<button class="quiet">{name}</button>')[0]
    return json.loads(before.rpartition("data-body='")[2].partition("'")[0])
