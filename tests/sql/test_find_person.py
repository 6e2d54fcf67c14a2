"""Finding a person: by each spelling of a recipient or by a reference, piece by piece."""

import pytest

from tests.ledger import change, enqueue, put
from tests.sql.long import old_id

MAIL = {"channel": "email", "payload": '{"subject": "s", "text": "t"}'}
HOSTILE = [
    "%", "_", "%@example.org", "a'; drop table notify.audit; --", 'a"b', "a\\b", "$$", "ärger☃",
    "*", ".*", "erased", " ", "x" * 2048,
]  # fmt: skip


@pytest.fixture
def db(shared_db):
    return shared_db


def find_once(db, recipients=None, reference=None, *, after=None, limit=1000, look_max=20_000):
    query = "select * from notify.find_person(%s::text[], %s, %s::uuid, %s, %s)"
    return db.execute(query, [recipients, reference, after, limit, look_max]).fetchone()


def find(db, *args, **options):
    """Give all ids, piece by piece."""
    pieces = [find_once(db, *args, **options)]
    while (after := pieces[-1].following) is not None:
        pieces.append(find_once(db, *args, after=after, **options))
    return [id for piece in pieces for id in piece.ids]


def test_a_recipient_is_found_on_every_channel_and_nobody_else(db):
    enqueue(db, 2, recipient="b@example.org")
    mail = enqueue(db, 1, recipient="a@example.org", **MAIL)
    log = enqueue(db, 1, recipient="a@example.org")
    assert find(db, ["a@example.org"]) == sorted(mail + log)


def test_a_mailbox_is_found_in_any_case_and_whatever_else_is_not(db):
    mail = enqueue(db, 1, recipient="Ada@Example.org", **MAIL)
    log = enqueue(db, 1, recipient="Ada@Example.org")
    assert find(db, ["ada@example.ORG"]) == mail
    assert find(db, ["Ada@Example.org"]) == sorted(mail + log)


def test_a_mailbox_beyond_ascii_is_found_in_any_case(db):
    mail = enqueue(db, 1, recipient="JÜRGEN@BÜCHER.example", **MAIL)
    assert find(db, ["jürgen@bücher.example"]) == find(db, ["JüRGEN@Bücher.example"]) == mail


def test_any_of_several_spellings_will_do(db):
    ids = enqueue(db, 1, recipient="a") + enqueue(db, 1, recipient="b")
    assert find(db, ["a", "b", "c"]) == sorted(ids)


@pytest.mark.parametrize("recipient", HOSTILE)
def test_a_recipient_is_no_pattern_and_no_sql(db, recipient):
    enqueue(db, 3, recipient="a@example.org")
    [id] = enqueue(db, 1, recipient=recipient)
    assert find(db, [recipient]) == [id]


@pytest.mark.parametrize("reference", [each for each in HOSTILE if len(each) < 256])
def test_a_reference_is_no_pattern_and_no_sql(db, reference):
    enqueue(db, 3, reference="order-1")
    [id] = enqueue(db, 1, reference=reference)
    assert find(db, None, reference) == [id]


@pytest.mark.parametrize("who", [(None, None), ([], None), ([None], None)])
def test_nobody_is_nobody(db, who):
    enqueue(db, 3)
    assert find(db, *who) == []


def test_both_narrow(db):
    enqueue(db, 1, recipient="a", reference="y")
    enqueue(db, 1, recipient="b", reference="x")
    [id] = enqueue(db, 1, recipient="a", reference="x")
    assert find(db, ["a"], "x") == [id]


def test_what_is_erased_is_not_found_again(db):
    [theirs, ours] = enqueue(db, 2, recipient="erased")
    change(db, ours, emptied_at="2026-01-01Z")
    assert find(db, ["erased"]) == [theirs]


@pytest.mark.parametrize("limits", [{"limit": 1}, {"look_max": 1}, {"look_max": 3}, {"limit": 2}])
@pytest.mark.parametrize("who", [(["a"], None), (None, "x")])
def test_pieces_of_any_size_find_all(db, limits, who):
    wanted = []
    for _ in range(4):
        enqueue(db, 3, recipient="b")
        wanted += enqueue(db, 1, recipient="a", reference="x")
    assert find(db, *who, **limits) == sorted(wanted)


def test_days_and_rows_without_a_day_are_all_read(db):
    wanted = [put(db, "sent", id=old_id(db, days), recipient="a") for days in (20, 3, 1)]
    wanted += enqueue(db, 1, recipient="a")
    assert find(db, ["a"]) == wanted


def test_a_long_ledger_is_read_to_its_end(long_db):
    wanted = [put(long_db, "sent", id=old_id(long_db, days), recipient="a") for days in (70, 40, 2)]
    first = find_once(long_db, ["a"])
    assert (first.ids, first.following is None) == (wanted[:1], False)
    assert find(long_db, ["a"]) == wanted
