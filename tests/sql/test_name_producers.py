"""producer_of() says what producer_roles has, whatever the names are."""

import threading

import psycopg

from service.ledger.migrate import migrate

NAMES = {"till": "shop", "o'hara": 'the "bank"', "back\\slash": "$$", "%I": "%L", "ünï": "end"}


def producers(db):
    return dict(
        db.execute(
            "select r, notify.producer_of(r) from unnest(%s::text[]) as r", [[*NAMES, "nobody"]]
        ).fetchall()
    )


def test_each_role_of_the_table_has_its_producer_and_any_other_its_own_name(db):
    for role, producer in NAMES.items():
        db.execute("insert into notify.producer_roles values (%s, %s)", [role, producer])
    db.execute("select notify.name_producers()")
    assert producers(db) == NAMES | {"nobody": "nobody"}
    db.execute("delete from notify.producer_roles")
    db.execute("select notify.name_producers()")
    assert producers(db) == {role: role for role in [*NAMES, "nobody"]}


def test_a_row_of_a_session_that_has_inserted_before_follows(db):
    insert = (
        "insert into notify.notifications (channel, recipient, payload) values ('log', 'r', '1')"
        " returning producer"
    )
    [[before]] = db.execute(insert).fetchall()
    db.execute("insert into notify.producer_roles values (%s, 'shop')", [before])
    db.execute("select notify.name_producers()")
    assert [r.producer for r in db.execute(insert)] == ["shop"]


def test_a_deploy_keeps_the_names(db, dsn):
    db.execute("insert into notify.producer_roles values ('till', 'shop')")
    db.execute("create or replace function notify.producer_of(p_role text) returns text"
               " language sql immutable return p_role")  # fmt: skip
    db.execute("delete from public._yoyo_migration where migration_id like '9999-%'")
    migrate(dsn)
    assert producers(db)["till"] == "shop"


def test_a_watch_moves_with_its_maker_unless_that_is_missing_or_it_is_locked(db, other_db):
    db.execute("insert into notify.producer_roles values ('till', 'shop'), ('web', 'shop')")
    made = db.execute(
        "insert into notify.kept_watches (producer, made_by, relation, events, channel, recipient)"
        " select 'before', role, 'pg_class', '{insert}', 'log', 'r'"
        " from unnest(array['till', 'gone', 'web']) role returning id"
    )
    known, missing, locked = [id for (id,) in made]
    with other_db.transaction():
        other_db.execute("select from notify.kept_watches where id = %s for update", [locked])
        db.execute("set lock_timeout = '1s'")
        db.execute("select notify.name_producers()")
    kept = dict(db.execute("select id, producer from notify.kept_watches").fetchall())
    assert kept == {known: "shop", missing: "before", locked: "before"}


def test_many_at_once_all_succeed(db, dsn):
    faults = []

    def name(number):
        try:
            with psycopg.connect(dsn) as other:
                other.execute(
                    "insert into notify.producer_roles values (%s, 'shop')", [f"r{number}"]
                )
                other.execute("select notify.name_producers()")
        except psycopg.Error as error:
            faults.append(error)

    threads = [threading.Thread(target=name, args=[n]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    named = db.execute("select count(*) from generate_series(0, 7) n"
                       " where notify.producer_of('r' || n) = 'shop'").fetchone()  # fmt: skip
    assert named == (8,)
