"""Ids: version 7, sorting by time, on every server."""

from itertools import pairwise

import pytest


@pytest.fixture
def db(shared_db):
    return shared_db


def test_it_is_a_version_7_uuid_of_the_rfc_variant(db):
    ids = [r.id for r in db.execute("select notify.new_id() as id from generate_series(1, 1000)")]
    assert {(id.version, id.variant) for id in ids} == {(7, "specified in RFC 4122")}
    assert len(set(ids)) == 1000


def test_it_tells_its_time_to_the_millisecond(db):
    now_ms = "floor(extract(epoch from clock_timestamp()) * 1000)"
    row = db.execute(
        f"select {now_ms} as before, notify.new_id() as id, {now_ms} as after"
    ).fetchone()
    assert row.before <= row.id.int >> 80 <= row.after


def test_later_ids_sort_after_earlier_ones(db):
    times = []
    while len(set(times)) < 10:
        id = db.execute("select notify.new_id() as id").fetchone().id
        times.append(id.int >> 80)
    assert times == sorted(times)


def test_ids_of_one_statement_sort_as_they_were_made(db):
    ids = [r.id for r in db.execute("select notify.new_id() as id from generate_series(1, 100000)")]
    steps = list(pairwise(ids))
    assert all(earlier.int >> 64 <= later.int >> 64 for earlier, later in steps)


def test_within_a_millisecond_it_tells_the_microseconds(db):
    row = db.execute(
        "select c.at as before, notify.new_id() as id, clock_timestamp() as after"
        " from (select clock_timestamp() as at offset 0) c"
    ).fetchone()
    us = (row.id.int >> 80) * 1000 + ((row.id.int >> 64) & 0xFFF) * 1000 // 4096
    before, after = (int(at.timestamp() * 1_000_000) for at in (row.before, row.after))
    assert before - 1 <= us <= after
