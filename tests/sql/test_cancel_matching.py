"""Cancelling by a filter: what is queued and meant is called off, and nothing else."""

import pytest

from tests.ledger import (
    ago,
    attempts_of,
    cancel_in_pieces,
    cancel_matching,
    change,
    claim,
    enqueue,
    put,
    row,
    settle,
    status,
)
from tests.sql.long import old_id

HOOK = "https://hooks.example/orders/1"


@pytest.fixture
def db(shared_db):
    return shared_db


def queued(db, n=1, **columns):
    """Place queued notifications, the oldest first."""
    return sorted(put(db, "queued", **columns) for _ in range(n))


def statuses(db, ids):
    return [status(db, id) for id in ids]


def test_what_matches_is_called_off_with_its_history(db):
    [id] = enqueue(db)
    settle(db, claim(db, [id]), "temporary", code="503", excerpt="busy")
    assert cancel_matching(db, channel="log") == (1, 1, False)
    kept = row(db, id)
    assert (kept.status, kept.attempt, kept.last_error_code) == ("cancelled", 1, "503")
    assert ago(db, "10 seconds") < kept.settled_at <= ago(db, "0")
    assert claim(db) == []
    assert [a.outcome for a in attempts_of(db, id)] == ["temporary"]


@pytest.mark.parametrize("state", ["sending", "sent", "failed", "cancelled", "expired"])
def test_only_what_is_queued_is_called_off(db, state):
    id = put(db, state, reference="r")
    before = row(db, id)
    assert cancel_matching(db) == cancel_matching(db, reference="r") == (0, 0, False)
    assert row(db, id) == before


FILTERS = {
    "channel": {"channel": "webhook"},
    "producer": {"producer": "shop"},
    "reference": {"reference": "order-1"},
    "recipient": {"recipient": "ada"},
}


def narrowed(columns):
    """Name what a filter of these columns takes."""
    spellings = {"recipients": [columns["recipient"]]} if "recipient" in columns else {}
    return {name: value for name, value in columns.items() if name != "recipient"} | spellings


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_leaves_the_others_alone(db, name):
    [meant] = queued(db, **FILTERS[name])
    [other] = queued(db)
    assert cancel_matching(db, **narrowed(FILTERS[name])) == (1, 1, False)
    assert statuses(db, [meant, other]) == ["cancelled", "queued"]


def test_a_mail_is_meant_in_any_case_and_any_spelling(db):
    spellings = ["ada@xn--fa-hia.example", "Ada@XN--FA-hia.example", "ada@faß.example"]
    meant = [queued(db, channel="email", recipient=to)[0] for to in spellings]
    [other] = queued(db, recipient="ADA@faß.example")
    which = {"recipients": ["ada@faß.example", "ada@xn--fa-hia.example"]}
    assert cancel_matching(db, dry_run=True, **which).matched == 3
    assert cancel_matching(db, **which) == (3, 3, False)
    assert statuses(db, [*meant, other]) == ["cancelled"] * 3 + ["queued"]


def test_a_destination_is_meant_however_its_urls_are_spelled(db):
    spellings = [HOOK, "HTTPS://Hooks.Example:443/x", "https://u@hooks.example?q"]
    meant = [queued(db, channel="webhook", recipient=url)[0] for url in spellings]
    others = [
        *queued(db, channel="webhook", recipient="https://hooks.example.org/"),
        *queued(db, channel="webhook", recipient="https://hooks.example:8443/"),
        *queued(db, recipient=HOOK),
    ]
    assert cancel_matching(db, destination="https://hooks.example") == (3, 3, False)
    assert statuses(db, meant + others) == ["cancelled"] * 3 + ["queued"] * 3


def test_filters_narrow_together(db):
    [both] = queued(db, channel="webhook", producer="shop")
    queued(db, channel="webhook", producer="desk")
    queued(db, producer="shop")
    assert cancel_matching(db, channel="webhook", producer="shop") == (1, 1, False)
    assert status(db, both) == "cancelled"


def test_times_are_those_of_creation_and_the_end_is_left_out(db):
    ids = sorted(queued(db, 3), key=lambda id: row(db, id).created_at)
    times = [row(db, id).created_at for id in ids]
    assert cancel_matching(db, **{"from": times[1], "until": times[2]}) == (1, 1, False)
    assert statuses(db, ids) == ["queued", "cancelled", "queued"]
    assert cancel_matching(db, dry_run=True, until=times[1]).matched == 1
    assert cancel_matching(db, dry_run=True, **{"from": times[1]}).matched == 1


@pytest.mark.parametrize(
    "end", ["-infinity", "infinity", "0001-01-01 BC", "1969-12-31", "294276-01-01"]
)
@pytest.mark.parametrize("reference", [None, "r"])
def test_times_of_any_age_are_understood(db, end, reference):
    queued(db, 2, reference="r")
    in_past = not end.startswith(("inf", "29"))
    which = {"dry_run": True, "reference": reference}
    assert cancel_matching(db, **which, **{"from": end}).matched == (2 if in_past else 0)
    assert cancel_matching(db, **which, until=end).matched == (0 if in_past else 2)


def test_the_oldest_come_first_though_the_youngest_is_due_first(db):
    ids = queued(db, 5)
    for place, id in enumerate(ids):
        change(db, id, due_at=ago(db, f"{place} minutes"), priority=3 - place // 2)
    assert cancel_matching(db, limit=3) == (3, 3, True)
    assert statuses(db, ids) == ["cancelled"] * 3 + ["queued"] * 2
    assert cancel_matching(db, limit=2) == (2, 2, False)
    assert cancel_matching(db, limit=2) == (0, 0, False)


def test_a_dry_run_counts_and_changes_nothing(db):
    ids = queued(db, 3)
    before = [row(db, id) for id in ids]
    assert cancel_matching(db, dry_run=True) == (3, 0, False)
    assert cancel_matching(db, dry_run=True, limit=2) == (2, 0, True)
    assert [row(db, id) for id in ids] == before


@pytest.mark.parametrize("reference", [None, "r"])
def test_pieces_that_end_at_the_limit_go_on_after_it(db, reference):
    ids = queued(db, 7, reference="r")
    pieces = cancel_in_pieces(db, limit=3, dry_run=True, reference=reference)
    assert [(p.matched, p.more) for p in pieces] == [(3, True), (3, True), (1, False)]
    assert [p.following for p in pieces] == [ids[2], ids[5], None]


def test_what_is_too_much_for_one_look_is_called_off_in_pieces(db):
    others = queued(db, 30)
    meant = queued(db, 5, channel="webhook")
    pieces = cancel_in_pieces(db, look_max=512, channel="webhook")
    assert len(pieces) >= 3
    assert [p.more for p in pieces] == [True] * (len(pieces) - 1) + [False]
    assert sum(p.cancelled for p in pieces) == sum(p.matched for p in pieces) == 5
    assert statuses(db, meant) == ["cancelled"] * 5
    assert statuses(db, others) == ["queued"] * 30


def test_the_cursor_leads_on_when_its_row_and_all_before_it_have_left_the_queue(db):
    ids = queued(db, 8)
    first = cancel_in_pieces(db, limit=3, dry_run=True)[0]
    assert first.following == ids[2]
    settle(db, claim(db, ids[:5]))
    change(db, ids[6], due_at=ago(db, "-1 day"))
    rest = cancel_in_pieces(db, after=first.following)
    assert [(p.matched, p.cancelled, p.more) for p in rest] == [(3, 3, False)]
    assert statuses(db, ids) == ["sent"] * 5 + ["cancelled"] * 3


def test_rows_of_many_days_of_a_long_ledger_are_called_off_in_pieces(long_db):
    ids = sorted(put(long_db, "queued", id=old_id(long_db, days)) for days in (2, 30, 50, 70))
    pieces = cancel_in_pieces(long_db)
    assert sum(p.cancelled for p in pieces) == 4
    assert len(pieces) > 1, "two ranges at a time"
    assert statuses(long_db, ids) == ["cancelled"] * 4
