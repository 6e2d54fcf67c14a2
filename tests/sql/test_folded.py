"""folded(): mailboxes are compared in any case and form, in whichever locale the database has."""

import re
from pathlib import Path
from unicodedata import normalize

import pytest

from service.text.addresses import address

SQL = Path(__file__).resolve().parents[2] / "sql"
CASES = r"\b(?:lower|upper|initcap)\((?![^()]*collate \"C\")[^()]+\)"
ENDS = r"\b(?:min|max)\([^()]*::text\)"
# Latin, Greek and Cyrillic letters, alone and with marks.
LETTERS = [chr(c) for r in ((0xC0, 0x250), (0x370, 0x530), (0x1E00, 0x2000)) for c in range(*r)]
# Marks, fillers and selectors of variants; dots; signs like letters; other widths.
OTHERS = [
    chr(c)
    for r in ((0x300, 0x370), (0x115F, 0x1161), (0x17B4, 0x17B6), (0x180B, 0x1810),
              (0x2010, 0x2028), (0x2100, 0x2190), (0x3001, 0x3003), (0xFE00, 0xFE10),
              (0xFF01, 0xFFF0), (0xE0100, 0xE01F0))
    for c in range(*r)
]  # fmt: skip


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
    ("\ufb01@x", "fi@x"), ("a\u3002b@x", "a.b@x"), ("ü@a@x", "ü@b@x"), ("ü@x", "ü"),
])  # fmt: skip
def test_other_letters_stay_others(db, one, other):
    assert folded(db, one) != folded(db, other)


def all_folded(db, texts):
    query = "select array(select notify.folded(t) from unnest(%s::text[]) as t) as texts"
    return db.execute(query, [texts]).fetchone().texts


def test_every_letter_that_has_a_small_one_becomes_it(db):
    small = [normalize("NFC", f"{letter.lower()}@x") for letter in LETTERS]
    assert all_folded(db, [f"{letter}@x" for letter in LETTERS]) == small


def taken(texts):
    """Give those that are addresses for workers, each beside what they make of it."""
    for text in texts:
        try:
            yield text, address(text).shown
        except ValueError:
            continue


def test_a_domain_in_any_form_is_the_one_that_workers_send_to(db):
    pairs = dict(taken(f"p@x{letter}y.example" for letter in LETTERS + OTHERS))
    assert len(pairs) > 1500
    forms = zip(pairs, all_folded(db, [*pairs]), all_folded(db, [*pairs.values()]), strict=True)
    others = {text[3] for text, one, other in forms if one != other}
    assert others == set("\u2132\u2183")  # two letters of Claudius


def test_a_name_in_any_form_is_the_one_that_workers_send_to(db):
    pairs = dict(taken(f"x{letter}y@b.example" for letter in LETTERS + OTHERS))
    assert len(pairs) > 1500
    assert all_folded(db, [*pairs]) == all_folded(db, [*pairs.values()])
    apart = [normalize("NFD", text) for text in pairs]
    assert all_folded(db, apart) == all_folded(db, [*pairs])


@pytest.mark.parametrize("domain", [
    "bu\u0308cher.example", "BU\u0308CHER.Example", "\uff42ücher.example", "bücher\u3002example",
    "bücher\uff0eexample", "bücher\uff61example", "bü\u034fcher.example",
])  # fmt: skip
def test_a_domain_has_one_form(db, domain):
    assert folded(db, f"Ada@{domain}") == "ada@bücher.example"


@pytest.mark.parametrize("path", sorted(SQL.glob("*.sql")), ids=lambda path: path.stem)
def test_no_function_leaves_case_or_order_to_the_databases_locale(path):
    """Turkish has a small I without a dot, and natural order puts 9 before 10."""
    code = re.sub(r"--.*", "", path.read_text(encoding="utf-8"))
    found = [m[0] for m in re.finditer(f"{CASES}|{ENDS}", code)]
    assert found == []
