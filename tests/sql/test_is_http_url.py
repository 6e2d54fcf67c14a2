"""Is http url: the examples of tests/corpus.py, asked of the function alone."""

import pytest

from tests.corpus import OK, REFUSED


@pytest.mark.parametrize("example", [e for e in OK if e.channel == "webhook"], ids=str)
def test_a_url_is_one(shared_db, example):
    assert asked(shared_db, example.recipient)


@pytest.mark.parametrize(
    "example", [e for e in REFUSED if e.rule == "webhook_recipient_is_a_url"], ids=str
)
def test_what_is_none_is_none(shared_db, example):
    assert not asked(shared_db, example.recipient)


@pytest.mark.parametrize("text", ["http://" + "a:" * 1020, "http://[" + ":" * 2040, "/" * 2048])
def test_the_longest_that_is_looked_at_is_answered(shared_db, text):
    assert not asked(shared_db, text)


def asked(db, url):
    return db.execute("select notify.is_http_url(%s) as found", [url]).fetchone().found
