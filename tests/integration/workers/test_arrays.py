"""What a worker hands to PostgreSQL as an array of texts is what PostgreSQL reads."""

import pytest

from workers.arrays import text_array

PLAIN = [
    [],
    [None, None],
    ["200"],
    ["200", None, "curl_97", "_x"],
    ["NULLS", "not_null", None],
    ["007"],
]
ODD = [
    ["null"],
    ["200", "Null", None],
    ["a,b"],
    [""],
    ["", None],
    ["a b", " a", "a "],
    ['"', "'", "\\", "\\n", "\n"],
    ["{}", "{", "}"],
    ["5.1.1", "-1", "+1"],
    ["naïve", "\u0663", "\u2003"],
    ["200", 'said: {a,"b",NULL}'],
]


@pytest.mark.parametrize("texts", PLAIN + ODD, ids=repr)
def test_texts_arrive_as_they_are(db, texts):
    [(read,)] = db.execute("select %s::pg_catalog.text[]", [text_array(texts)]).fetchall()
    assert read == texts


@pytest.mark.parametrize("texts", PLAIN, ids=repr)
def test_texts_without_quotes_are_spelled_here(texts):
    assert isinstance(text_array(texts), str)


@pytest.mark.parametrize("texts", ODD, ids=repr)
def test_texts_that_may_need_quotes_are_left_to_psycopg(texts):
    assert text_array(texts) is texts
