"""Unmet mail rule: the examples of tests/corpus.py; and what an INSERT cannot show."""

import json

import pytest

from tests.corpus import OK, REFUSED


@pytest.mark.parametrize("example", [e for e in OK if e.channel == "email"], ids=str)
def test_a_mail_that_meets_all_breaks_none(shared_db, example):
    assert unmet(shared_db, example) is None


@pytest.mark.parametrize(
    "example", [e for e in REFUSED if (e.rule or "").startswith("email_")], ids=str
)
def test_the_first_broken_rule_comes_with_column_and_hint(shared_db, example):
    rule, column, hint = unmet(shared_db, example)
    assert rule == example.rule
    assert column in ("recipient", "payload")
    assert hint.endswith(".")


def unmet(db, example):
    query = "select notify.unmet_mail_rule(%s, %s) as unmet"
    return db.execute(query, [example.recipient, json.dumps(example.payload)]).fetchone().unmet
