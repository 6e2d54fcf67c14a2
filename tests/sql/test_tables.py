"""Our tables: each has a key, or a publication of all tables would end what deletes from it."""

from tests.ledger import claim, enqueue, keep_partitions, reap, settle

KEYLESS = """
select c.oid::regclass::text as name from pg_class c
where c.relkind in ('r', 'p')
  and (c.relnamespace = 'notify'::regnamespace or c.relname ~ '^_?yoyo')
  and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)
"""


def test_every_table_of_ours_has_a_primary_key(db):
    keep_partitions(db, 9)
    assert [r.name for r in db.execute(KEYLESS)] == []


def test_under_a_publication_of_all_tables_everything_goes_on(db):
    db.execute("create publication everything for all tables")
    first, second = enqueue(db, 2)
    assert len(settle(db, claim(db, [first]))) == 1
    claim(db, [second], lease="-1 second")
    assert len(reap(db)) == 1
    assert db.execute("select * from notify.fold_slo(100)").fetchall()
    assert {action for action, _ in keep_partitions(db, 9)} == {"made"}
    db.execute("delete from notify.notifications")
    db.execute("delete from notify.attempts")
