"""notify.failure_means(): each code that workers write has its sentence."""

import re
from pathlib import Path

import pytest

from workers.channels import email, webhook

WORKERS = Path(__file__).resolve().parents[2] / "workers"
WRITTEN = re.compile(r'code="(\w+)"')
CODES = sorted(
    {code for path in WORKERS.rglob("*.py") for code in WRITTEN.findall(path.read_text())}
    | {code for _, code in webhook.ERRORS.values()}
    | set(email.ERRORS.values())
)  # fmt: skip


def means(db, code):
    return db.execute("select * from notify.failure_means(%s)", [code]).fetchone()


@pytest.mark.parametrize("code", [c for c in CODES if c not in ("expired",)])
def test_each_word_of_the_workers_has_a_meaning(shared_db, code):
    assert "the code is" not in means(shared_db, code).meaning


@pytest.mark.parametrize(
    ("code", "meaning", "advice"),
    [
        *((str(n), "which is not followed", "new URL") for n in (301, 302, 303, 307, 308)),
        *((str(n), "the receiver says that", "ask who runs it") for n in (500, 502, 503, 504)),
        *((str(n), "the mail server says: not now", "wrote") for n in (421, 450, 451, 452, 454)),
        *((str(n), "refuses", "wrote") for n in (550, 551, 553, 554)),
        *((str(n), "refuses our login", "SMTP_URL") for n in (534, 535, 538)),
        ("552", "no room", "how large"),
    ],
)  # fmt: skip
def test_a_common_status_or_reply_is_explained_with_its_number(shared_db, code, meaning, advice):
    got = means(shared_db, code)
    assert meaning in got.meaning
    assert got.meaning.endswith(f"({code})")
    assert advice in got.advice


@pytest.mark.parametrize("code", [*CODES, "301", "404", "429", "503", "550", "556"])
def test_a_meaning_goes_on_in_a_sentence_and_advice_is_one(shared_db, code):
    got = means(shared_db, code)
    assert not got.meaning.endswith(".")
    assert got.advice is None or re.fullmatch(r"[A-Z].*\.", got.advice)


def test_another_code_is_shown_as_it_is_and_cut(shared_db):
    assert means(shared_db, "418").meaning == "the code is 418"
    assert means(shared_db, "\u202e" + "x" * 200).meaning == "the code is ?" + "x" * 99
    assert means(shared_db, None).meaning == "nobody wrote down why"
