"""The judge itself: what it calls lost, and which duplicates it admits."""

from typing import Any

import pytest

from load.chaos.judge import Verdict, duplicates, is_lost
from load.chaos.report import Report, recovery_from
from load.chaos.stand import LEASE_S, Played

HURT = 77  # the process id of a worker that was killed
AT = 1000.0


def attempt(outcome: str, worker: str = "host:1", started: float = AT) -> dict[str, Any]:
    return {"attempt": 1, "outcome": outcome, "code": None, "worker": worker, "started": started}


def fault(name: str, began: float, ended: float) -> Played:
    return Played(name=name, began=began, ended=ended, waiting_cpu=None)


def unexplained(count: int, *attempts: dict[str, Any], played: tuple[Played, ...] = ()) -> int:
    found = duplicates({"a": count}, {"a": list(attempts)}, played, {HURT})
    return sum(one.extra - one.admitted for one in found)


def verdict(**columns: Any) -> Verdict:
    empty: dict[str, Any] = {
        "offered": {},
        "in_ledger": {},
        "statuses": {},
        "lost": [],
        "never_arrived": [],
        "invariants": {},
        "duplicates": [],
        "slowest_api_s": 0.0,
    }
    return Verdict(**(empty | columns))


@pytest.mark.parametrize("status", ["queued", "sending"])
def test_what_is_accepted_but_neither_settled_nor_arrived_is_lost(status: str) -> None:
    row = {"id": "a", "status": status}

    assert is_lost(row, {"a": 0})
    assert not is_lost(row, {"a": 1})
    assert not is_lost(row | {"status": "failed"}, {"a": 0})
    assert is_lost(None, {})


def test_second_arrival_needs_an_attempt_of_unknown_outcome() -> None:
    assert unexplained(2, attempt("sent")) == 1
    assert unexplained(2, attempt("temporary"), attempt("sent")) == 1
    assert unexplained(2, attempt("unknown"), attempt("sent")) == 0
    assert unexplained(3, attempt("unknown"), attempt("sent")) == 1


def test_passed_lease_explains_an_arrival_only_of_a_hurt_worker_or_in_an_outage() -> None:
    outage = fault("kill_postgres", AT - LEASE_S - 1, AT - LEASE_S + 1)
    earlier = fault("kill_postgres", AT - LEASE_S - 2, AT - LEASE_S - 1)
    other = fault("kill_redis", AT - 1, AT)
    killed = attempt("lease_expired", worker=f"host:{HURT}")

    assert unexplained(2, attempt("lease_expired"), attempt("sent")) == 1
    assert unexplained(2, killed, attempt("sent")) == 0
    assert unexplained(2, attempt("lease_expired"), attempt("sent"), played=(outage,)) == 0
    assert unexplained(2, attempt("lease_expired"), attempt("sent"), played=(earlier, other)) == 1


def test_recovery_is_measured_from_the_end_of_the_fault() -> None:
    sent = [(AT, AT + 5), (AT, AT + 12), (AT + 10.5, AT + 13), (AT + 11, AT + 20)]
    found = recovery_from(fault("kill_worker", AT, AT + 10), verdict(sent=sent))

    assert (found.first_s, found.all_s) == (3.0, 2.0)


def test_recovery_amid_the_next_fault_is_not_held_against_the_last_one() -> None:
    slow = verdict(sent=[(AT + 6, AT + 21), (AT + 20.5, AT + 21)])
    first, second = fault("kill_redis", AT, AT + 5), fault("kill_worker", AT + 9, AT + 20)

    assert Report(seed=1, verdict=slow, played=[first], stops=[]).broken
    assert not Report(seed=1, verdict=slow, played=[first, second], stops=[]).broken


def test_every_broken_promise_is_named() -> None:
    bad = verdict(lost=["r"], never_arrived=["a", "b"], invariants={"stuck": 3}, slowest_api_s=5.1)
    played = [Played(name="freeze_postgres", began=AT, ended=AT + 5, waiting_cpu=0.2)]

    assert Report(seed=1, verdict=bad, played=played, stops=[]).broken == [
        "1 accepted and lost",
        "2 sent that never arrived",
        "3 rows stuck",
        "the API took 5.1 s to answer",
        "nothing was delivered within 10 s after freeze_postgres",
        "a role used 20% of a core during freeze_postgres",
    ]
