"""Faults that somebody else may add to the database, and batches in which one row is odd.

The `*_all` do what the workers' Store does: the batch; if it fails, claim_each() and its like.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import psycopg

from tests import ledger
from workers.store import blames_row

ODD = "odd"  # the reference of the odd row: the one that a fault refuses


def trigger(
    act: str, *, time: str = "before", kind: str = "", deferred: str = "", when: str = ""
) -> str:
    """Write a trigger that does `act` when the odd row is updated."""
    return f"""
    create function public.fault() returns trigger language plpgsql as $$
    begin if new.reference = '{ODD}' {when} then {act} end if; return new; end $$;
    create {kind} trigger aa_fault {time} update on notify.notifications {deferred}
    for each row execute function public.fault();
    """


def constraint(rule: str, table: str = "notifications") -> str:
    """Write a constraint that rows which exist already need not keep."""
    return f"alter table notify.{table} add constraint odd check ({rule}) not valid"


FAULTS = {
    "a trigger raises": trigger("raise exception 'no';"),
    "a trigger raises 42501": trigger("raise exception 'no' using errcode = '42501';"),
    "a trigger raises a code of its own": trigger("raise exception 'no' using errcode = 'ZZ123';"),
    "a trigger loses a deadlock": trigger("raise deadlock_detected;"),
    "a trigger finds another server away": trigger("raise exception 'no' using errcode = '08001';"),
    "a trigger says that the disk is full": trigger("raise disk_full;"),
    "a trigger says that all is read-only": trigger("raise read_only_sql_transaction;"),
    "a trigger raises an internal error": trigger("raise exception 'no' using errcode = 'XX000';"),
    "an assertion fails": trigger("assert false, 'no';"),
    "a trigger finds no data": trigger("raise no_data_found;"),
    "a trigger divides by zero": trigger("perform 1 / 0;"),
    "a trigger calls what is not there": trigger("perform nothing_of_that_name();"),
    "a trigger writes to what is not there": trigger("insert into public.missing values (1);"),
    "a trigger uses an array badly": trigger("new.recipient := (array['a'])['x'::int];"),
    "a trigger after the change raises": trigger("raise exception 'no';", time="after"),
    "a deferred trigger raises": trigger(
        "raise exception 'no';", time="after", kind="constraint",
        deferred="deferrable initially deferred",
    ),
    "a trigger skips the row": trigger("return null;"),
    "a trigger puts the old row back": trigger("return old;"),
    "a constraint that came later": constraint(
        f"reference is distinct from '{ODD}' or status = 'STAYS'"
    ),
}  # fmt: skip


def heal(db: psycopg.Connection[Any]) -> None:
    """Take every fault away, beside a worker that may lock the days in another order."""
    for last in (*[False] * 9, True):
        try:
            db.execute("drop function if exists public.fault cascade")
            break
        except psycopg.errors.DeadlockDetected:
            if last:
                raise
    for table in ("notifications", "attempts"):
        db.execute(f"alter table notify.{table} drop constraint if exists odd")
    db.execute("reset client_encoding")


def one_odd_among(db: psycopg.Connection[Any], n: int = 9) -> tuple[list[UUID], UUID]:
    """Insert rows of which the middle one is odd; return all ids, and that row's."""
    ids = ledger.enqueue(db, n)
    ledger.change(db, ids[n // 2], reference=ODD)
    return ids, ids[n // 2]


def claim_all(
    db: psycopg.Connection[Any],
    ids: Sequence[UUID] | None = None,
    *,
    limit: int = 100,
    skip: Iterable[UUID] = (),
) -> list[Any]:
    """Claim; rows that could not be claimed are 'refused'."""
    if not skip:
        try:
            return ledger.claim(db, ids, limit=limit)
        except psycopg.Error as error:
            assert_of_a_row(error)
    return ledger.claim_each(db, ids, limit=limit, skip=skip)


def settle_all(
    db: psycopg.Connection[Any], pairs: Iterable[Any], outcome: str = "sent"
) -> list[Any]:
    """Settle; rows that could not be settled are 'refused'."""
    try:
        return ledger.settle(db, pairs, outcome)
    except psycopg.Error as error:
        assert_of_a_row(error)
    return ledger.settle_each(db, pairs, outcome)


def release_all(db: psycopg.Connection[Any], pairs: Iterable[Any]) -> set[UUID]:
    """Release; return the ids that were given back."""
    try:
        return {r.id for r in ledger.release(db, pairs)}
    except psycopg.Error as error:
        assert_of_a_row(error)
    return {r.id for r in ledger.release_each(db, pairs) if r.error is None}


def assert_of_a_row(error: psycopg.Error) -> None:
    """Check that the error may be one row's fault, so that the workers look for that row."""
    assert blames_row(error)
