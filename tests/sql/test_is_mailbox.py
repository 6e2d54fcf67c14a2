"""Is mailbox: the examples of tests/corpus.py, asked of the function alone."""

import pytest

from tests.corpus import OK, REFUSED


@pytest.mark.parametrize("example", [e for e in OK if e.channel == "email"], ids=str)
def test_an_address_is_one(shared_db, example):
    assert asked(shared_db, example.recipient)


@pytest.mark.parametrize(
    "example", [e for e in REFUSED if e.rule == "email_recipient_is_one_mailbox"], ids=str
)
def test_what_is_none_is_none(shared_db, example):
    assert not asked(shared_db, example.recipient)


def test_the_length_counts_bytes_and_comes_first(shared_db):
    assert asked(shared_db, "x" * 244 + "@b.example")
    assert not asked(shared_db, "x" * 245 + "@b.example")
    assert not asked(shared_db, "a" + "\u0301\u0316" * 1_000_000 + "@x.example")


def asked(db, address):
    return db.execute("select notify.is_mailbox(%s) as found", [address]).fetchone().found
