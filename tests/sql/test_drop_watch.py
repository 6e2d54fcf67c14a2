"""notify.drop_watch(): the row of a watch, and its faults; test_off_change.py has who may."""

from tests.sql.watching import ORDERS, watch

ROWS = """
select (select count(*) from notify.kept_watches) as watches,
  (select count(*) from notify.watch_faults) as faults
"""


def test_it_takes_the_watch_with_its_faults_and_no_others(db):
    db.execute(ORDERS)
    first, second = watch(db), watch(db)
    db.execute(
        "insert into notify.watch_faults (watch_id, error) select i, 'x' from unnest(%s) i",
        [[first, second]],
    )
    drop = "select notify.drop_watch(%s) as was_there"
    assert db.execute(drop, [first]).fetchone().was_there is True
    assert tuple(db.execute(ROWS).fetchone()) == (1, 1)
    assert db.execute(drop, [first]).fetchone().was_there is False
