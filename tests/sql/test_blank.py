"""Taking out a payload, or all that says who it was; one odd row keeps none of the others."""

import pytest

from tests.ledger import change, put, row
from tests.sql.faults import ODD

NOTHING = "no status"  # of FAULTS: they strike whatever the row's status is


@pytest.fixture
def sent(faulty_db):
    """Nine that were sent, the odd one in the middle."""
    ids = sorted(put(faulty_db, "sent", payload='{"n": 1}', last_error="x") for _ in range(9))
    change(faulty_db, ids[4], reference=ODD)
    return ids


def blank(db, ids, *, is_person=False, ends="1 second"):
    query = "select * from notify.blank(%s, %s, clock_timestamp() + %s::interval)"
    return tuple(db.execute(query, [ids, is_person, ends]).fetchone())


def test_only_the_payload_goes(faulty_db, sent):
    before = [row(faulty_db, id) for id in sent]
    assert blank(faulty_db, sent) == (9, 0, 0)
    for was, now in zip(before, (row(faulty_db, id) for id in sent), strict=True):
        assert (now.payload, now.emptied_at is None) == (None, False)
        assert now._replace(payload=was.payload, emptied_at=None) == was


def test_of_a_person_all_goes_that_says_who(faulty_db, sent):
    before = row(faulty_db, sent[4])
    assert blank(faulty_db, sent, is_person=True) == (9, 0, 0)
    now = row(faulty_db, sent[4])
    gone = {"recipient": "erased", "payload": None, "reference": None, "last_error": None}
    assert now == before._replace(emptied_at=now.emptied_at, **gone)


def test_the_moment_is_that_of_the_first_time(faulty_db, sent):
    blank(faulty_db, sent)
    first = row(faulty_db, sent[0]).emptied_at
    blank(faulty_db, sent, is_person=True)
    assert row(faulty_db, sent[0]).emptied_at == first


def test_nothing_is_nothing(faulty_db):
    assert blank(faulty_db, []) == (0, 0, 0)


def test_the_others_are_emptied_and_the_odd_one_is_named(faulty_db, fault, sent):
    fault(NOTHING)
    told = []
    faulty_db.add_notice_handler(lambda diag: told.append(diag.message_primary))
    assert blank(faulty_db, sent) == (8, 0, 0)
    assert [row(faulty_db, id).emptied_at is None for id in sent] == [id == sent[4] for id in sent]
    assert [str(sent[4]) in text for text in told] == [True]


def test_without_time_no_batch_is_taken_apart(faulty_db, fault, sent):
    fault(NOTHING)
    assert blank(faulty_db, sent, ends="-1 second") == (0, 0, 0)


KEPT = {
    "what it says": "new.payload := old.payload;",
    "whom it was for": "new.recipient := old.recipient;",
    "its reference": "new.reference := old.reference;",
    "all but what it says": "old.payload := new.payload; new := old;",
}


@pytest.mark.parametrize("kept", KEPT)
def test_what_a_trigger_keeps_is_not_gone(faulty_db, sent, kept):
    """A neighbour protects columns that never change: nobody may say that they are gone."""
    strikes = f"if old.reference = '{ODD}' then {KEPT[kept]} end if;"
    faulty_db.execute(
        "create function public.fault() returns trigger language plpgsql as"
        f" $$ begin {strikes} return new; end $$;"
        "create trigger aa_fault before update on notify.notifications"
        " for each row execute function public.fault()"
    )
    before = row(faulty_db, sent[4])
    assert blank(faulty_db, sent, is_person=True) == (8, 0, 0)
    assert row(faulty_db, sent[4]) == before


@pytest.mark.parametrize("act", ["return null;", "new.excerpt := old.excerpt; return new;"])
def test_an_answer_that_a_trigger_keeps_is_not_gone(faulty_db, sent, act):
    faulty_db.execute(
        "insert into notify.attempts"
        " (notification_id, attempt, started_at, outcome, excerpt, worker)"
        " select id, 1, now(), 'sent', 'for Ada', 'w:1' from unnest(%s) as id",
        [sent],
    )
    faulty_db.execute(
        f"create function public.fault() returns trigger language plpgsql as $$ begin {act} end $$;"
        "create trigger aa_fault before update on notify.attempts"
        f" for each row when (old.notification_id = '{sent[4]}') execute function public.fault()"
    )
    assert blank(faulty_db, sent, is_person=True) == (8, 8, 0)
    assert row(faulty_db, sent[4]).recipient != "erased"
