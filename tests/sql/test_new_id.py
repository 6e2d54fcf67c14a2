"""Ids: version 7, sorting by time, on every server."""

import time

import pytest


@pytest.fixture
def db(shared_db):
    return shared_db


def test_it_is_a_version_7_uuid_of_the_rfc_variant(db):
    ids = [r.id for r in db.execute("select notify.new_id() as id from generate_series(1, 1000)")]
    assert {(id.version, id.variant) for id in ids} == {(7, "specified in RFC 4122")}
    assert len(set(ids)) == 1000


def test_it_tells_its_time_to_the_millisecond(db):
    before_ms = time.time() * 1000
    id = db.execute("select notify.new_id() as id").fetchone().id
    assert abs((id.int >> 80) - before_ms) < 10_000


def test_later_ids_sort_after_earlier_ones(db):
    times = []
    while len(set(times)) < 10:
        id = db.execute("select notify.new_id() as id").fetchone().id
        times.append(id.int >> 80)
    assert times == sorted(times)
