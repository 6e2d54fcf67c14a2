"""A claim cannot get around the fuse: in a copy it gives out nothing, and moves nothing."""

import pytest

from tests.copies import (
    adopt,
    claim_each_of_before,
    claim_each_without_priority,
    claim_each_without_trace,
    claim_of_before,
    claim_without_priority,
    claim_without_trace,
    declare,
    move_database,
    move_server,
    restart,
)
from tests.ledger import ago, change, claim, claim_each, enqueue, put, row, status

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NEW = {"claim": claim, "claim_each": claim_each}
OLD = {"claim of before": claim_of_before, "claim_each of before": claim_each_of_before}
FORMER = {"claim": claim_without_trace, "claim_each": claim_each_without_trace}
TRACED = {
    "claim without priority": claim_without_priority,
    "claim_each without priority": claim_each_without_priority,
}
CLAIMS = NEW | OLD | TRACED | {f"{name} without trace": verb for name, verb in FORMER.items()}


@pytest.fixture(params=[True, False], ids=["by id", "of any"])
def asked(request):
    """Return the ids to ask for: those given, or any."""
    return lambda ids: ids if request.param else None


@pytest.mark.parametrize("verb", CLAIMS.values(), ids=CLAIMS)
@pytest.mark.parametrize("move", [move_database, move_server])
def test_in_a_copy_nothing_is_claimed_by_any_signature(db, verb, move, asked):
    due = enqueue(db, 3)
    expired = put(db, "queued", expires_at=ago(db, "1 second"))
    move(db)
    before = [row(db, id) for id in (*due, expired)]
    assert verb(db, asked([*due, expired])) == []
    assert [row(db, id) for id in (*due, expired)] == before


@pytest.mark.parametrize("verb", CLAIMS.values(), ids=CLAIMS)
def test_at_home_each_signature_claims(db, verb, asked):
    ids = enqueue(db, 3)
    restart(db)
    assert {c.id for c in verb(db, asked(ids))} == set(ids)


def test_a_caller_of_another_environment_is_refused_alone(db, asked):
    first, second = enqueue(db, 2)
    declare(db, "production")
    for wrong in ("staging", None):
        assert claim(db, asked([first]), environment=wrong) == []
    assert len(claim(db, asked([first]), environment="production", limit=1)) == 1
    assert len(claim_of_before(db, [second])) == 1


@pytest.mark.parametrize("verb", OLD.values(), ids=OLD)
@pytest.mark.parametrize("move", [move_database, move_server])
def test_workers_of_before_are_judged_by_the_place_alone(db, verb, move, asked):
    ids = enqueue(db)
    declare(db, "production")
    move(db)
    assert verb(db, asked(ids)) == []
    assert len(claim(db, asked(ids), environment="production")) == 1


@pytest.mark.parametrize("verb", OLD.values(), ids=OLD)
def test_workers_of_before_never_get_a_test_row_and_those_behind_it_move(db, verb, asked):
    tests = enqueue(db, 150)
    for id in tests:
        change(db, id, is_test=True)
    [live] = enqueue(db)
    assert [c.id for c in verb(db, asked([*tests, live]))] == [live]
    assert {status(db, id) for id in tests} == {"queued"}


@pytest.mark.parametrize("verb", NEW.values(), ids=NEW)
def test_workers_of_now_learn_which_row_is_a_test(db, verb, asked):
    test, live = enqueue(db, 2)
    change(db, test, is_test=True)
    assert {c.id: c.is_test for c in verb(db, asked([test, live]))} == {test: True, live: False}


@pytest.mark.parametrize("verb", FORMER.values(), ids=FORMER)
def test_workers_that_know_no_trace_get_what_they_got(db, verb, asked):
    test, live = enqueue(db, 2, traceparent=TRACE)
    change(db, test, is_test=True)
    claimed = verb(db, asked([test, live]))
    assert {c.id: c.is_test for c in claimed} == {test: True, live: False}
    assert {"traceparent"}.isdisjoint(claimed[0]._fields)


@pytest.mark.parametrize("verb", TRACED.values(), ids=TRACED)
def test_workers_that_know_no_priority_get_what_they_got(db, verb, asked):
    [id] = enqueue(db, traceparent=TRACE)
    [claimed] = verb(db, asked([id]))
    assert claimed.traceparent == TRACE
    assert {"priority"}.isdisjoint(claimed._fields)


@pytest.mark.parametrize("verb", NEW.values(), ids=NEW)
def test_workers_of_now_learn_the_trace(db, verb, asked):
    [traced] = enqueue(db, traceparent=TRACE)
    [plain] = enqueue(db)
    claimed = verb(db, asked([traced, plain]))
    assert {c.id: c.traceparent for c in claimed} == {traced: TRACE, plain: None}


@pytest.mark.parametrize("takes", ["{}", "{tests,what-comes-later}"])
def test_what_a_worker_takes_is_said_by_name(db, takes):
    test, live = enqueue(db, 2)
    change(db, test, is_test=True)
    query = "select id from notify.claim(null, 9, 'w:1', '30 s', 4, '1 hour', null, %s::text[])"
    claimed = {c.id for c in db.execute(query, [takes])}
    assert claimed == ({live} if takes == "{}" else {test, live})


@pytest.mark.parametrize(
    ("function", "skip"), [("claim", ""), ("claim_each", ", '{}'")], ids=["claim", "claim_each"]
)
def test_a_worker_may_begin_at_the_bulk_lane(db, function, skip):
    """Where nobody offers ids, what is urgent would keep the others waiting."""
    urgent, [bulk] = enqueue(db, 3, priority=0), enqueue(db, 1, priority=3)
    args = f"null, 1, 'w:1', '30 s', 4, '1 hour', null, '{{tests}}'::text[], true{skip}"
    query = f"select id, priority from notify.{function}({args})"
    claimed = [tuple(db.execute(query).fetchone()) for _ in range(2)]
    assert claimed == [(bulk, 3), (urgent[0], 0)]


def test_in_a_copy_everything_is_accepted_as_before(db):
    declare(db, "production")
    move_server(db)
    [id] = enqueue(db, channel="webhook", recipient="https://example.org/")
    assert status(db, id) == "queued"
    adopt(db, "staging")
    assert [c.id for c in claim(db, environment="staging")] == [id]
