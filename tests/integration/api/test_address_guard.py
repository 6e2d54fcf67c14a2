"""POST /notify refuses what a webhook may not reach, by any spelling, and stores nothing."""

from typing import Any

import pytest

from service.channels.webhook import ADVICE
from service.names.guard import Places, places
from tests.integration.api.serving import HOOK, serving
from tests.spellings import FORBIDDEN, NAMES, NO_NAMES, NO_URLS


@pytest.fixture
def guarded(dsn):
    with serving(dsn, webhook_allow=Places()) as api:
        yield api


def refusal(api, url):
    answer = api.post(HOOK | {"recipient": url.format(port=80)})
    assert answer.status == 422, url
    [error] = answer.json["errors"]
    return error["code"], error["pointer"], error["detail"]


def test_each_spelling_of_a_forbidden_address_is_refused(db, guarded):
    for url in FORBIDDEN:
        assert refusal(guarded, url) == ("address_not_allowed", "/recipient", ADVICE), url
    assert db.execute("select count(*) as n from notify.notifications").fetchone().n == 0


def test_what_some_parser_would_read_as_an_address_is_no_url(guarded):
    for url in NO_URLS + NO_NAMES:
        assert refusal(guarded, url)[:2] == ("invalid_recipient", "/recipient"), url


def test_names_are_taken_and_judged_when_they_are_connected(guarded):
    for url in NAMES:
        assert guarded.post(HOOK | {"recipient": url.format(port=80)}).status == 202, url


def test_what_is_named_is_taken_and_what_is_denied_is_not(dsn):
    settings: dict[str, Any] = {
        "webhook_allow": places("10.1.0.0/16 localhost"),
        "webhook_deny": places("10.1.1.0/24 .bad.example"),
        "webhook_ports": (80, 443),
    }
    with serving(dsn, **settings) as api:
        for url in ("http://10.1.0.1/", "http://localhost/", "https://a.example/"):
            assert api.post(HOOK | {"recipient": url}).status == 202
        for url in ("http://10.1.1.1/", "http://127.0.0.1/", "https://a.bad.example/",
                    "http://a.example:8080/"):  # fmt: skip
            assert refusal(api, url)[0] == "address_not_allowed"
