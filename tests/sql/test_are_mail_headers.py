"""Are mail headers: the examples of tests/corpus.py, asked of the function alone."""

import json

import pytest

from tests.corpus import OK, REFUSED


def has_headers(example):
    return isinstance(example.payload, dict) and isinstance(example.payload.get("headers"), dict)


@pytest.mark.parametrize("example", [e for e in OK if has_headers(e)], ids=str)
def test_headers_that_a_mail_may_have(shared_db, example):
    assert asked(shared_db, example.payload["headers"])


@pytest.mark.parametrize("example", [e for e in REFUSED if has_headers(e)], ids=str)
def test_headers_that_a_mail_may_not_have(shared_db, example):
    assert not asked(shared_db, example.payload["headers"])


def asked(db, headers):
    query = "select notify.are_mail_headers(%s) as found"
    return db.execute(query, [json.dumps(headers)]).fetchone().found
