"""folded(): mailboxes are compared in any case, in whichever locale the database was made."""

import re
from pathlib import Path

import pytest

SQL = Path(__file__).resolve().parents[2] / "sql"
CASES = r"\b(?:lower|upper|initcap)\((?![^()]*collate \"C\")[^()]+\)"
ENDS = r"\b(?:min|max)\([^()]*::text\)"


@pytest.fixture
def db(shared_db):
    return shared_db


def folded(db, text):
    return db.execute("select notify.folded(%s) as text", [text]).fetchone().text


@pytest.mark.parametrize("text", [
    "Ada@Example.org", "INFO@EXAMPLE.ORG", "JÜRGEN@Bücher.example", "ÅSE@ØRE.no", "ŁÓDŹ@x.pl",
    "ПОЧТА@ПРИМЕР.РФ", "ΑΘΗΝΑ@x.gr", "NGUYỄN@x.vn", "ŸÇ@x.fr", "", "メール@例え.jp", "straße@x.de",
])  # fmt: skip
def test_it_is_what_lower_case_is(db, text):
    assert folded(db, text) == folded(db, text.lower()) == text.lower()


@pytest.mark.parametrize(("one", "other"), [
    ("\u0131@x.tr", "I@x.tr"), ("straße@x.de", "STRASSE@x.de"), ("é@x", "e@x"), ("ö@x", "oe@x"),
])  # fmt: skip
def test_other_letters_stay_others(db, one, other):
    assert folded(db, one) != folded(db, other)


def test_it_keeps_the_length(db):
    for code in range(1, 0x3000):
        letter = chr(code)
        assert len(folded(db, letter)) == 1


@pytest.mark.parametrize("path", sorted(SQL.glob("*.sql")), ids=lambda path: path.stem)
def test_no_function_leaves_case_or_order_to_the_databases_locale(path):
    """Turkish has a small I without a dot, and natural order puts 9 before 10."""
    code = re.sub(r"--.*", "", path.read_text(encoding="utf-8"))
    found = [m[0] for m in re.finditer(f"{CASES}|{ENDS}", code)]
    assert found == []
