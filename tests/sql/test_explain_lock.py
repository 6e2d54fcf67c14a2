"""explain_lock(): somebody's open transaction holds the row."""

from tests.explaining import explain
from tests.ledger import enqueue


def test_one_whose_row_somebody_has_locked(road, other_db):
    [id] = enqueue(road)
    with other_db.transaction():
        other_db.execute("select from notify.notifications where id = %s for update", [id])
        got = explain(road, id)["locked"]
        assert f"process {other_db.info.backend_pid} of" in got.sentence
    assert "locked" not in explain(road, id)
