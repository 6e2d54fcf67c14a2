"""Each right that is too much or too little is named, with what mends it."""

import pytest

from service.ledger.migrate import migrate
from tests.producers import role

# By what somebody did: what is said of it. `migrate` mends those that no statement stands behind.
TOO_MUCH = {
    "grant select on notify.notifications to public": "public may select notify.notifications",
    "grant insert on notify.notifications to notify_producer":
        "notify_producer may insert notify.notifications",
    "grant insert (status) on notify.notifications to notify_producer":
        "notify_producer may insert status of notify.notifications",
    "grant select (id) on notify.notifications to notify_producer":
        "notify_producer may select id of notify.notifications",
    "grant select on notify.api_keys to notify_producer":
        "notify_producer may select notify.api_keys",
    "grant usage on sequence notify.audit_id_seq to notify_producer":
        "notify_producer may usage notify.audit_id_seq",
    "grant create on schema notify to public": "public may create notify",
    "grant execute on function notify.cancel to notify_producer":
        "notify_producer may execute notify.cancel(uuid[])",
    "grant pg_read_all_data to notify_producer": "notify_producer is a member of pg_read_all_data",
}  # fmt: skip
BY_MIGRATE = {
    "grant execute on function notify.cancel to public": "public may execute notify.cancel(uuid[])",
    "create function notify.theirs() returns int language sql return 1":
        "public may execute notify.theirs()",
    "revoke execute on function notify.new_id from public":
        "public may not execute notify.new_id()",
    "revoke usage on schema notify from notify_producer": "notify_producer may not usage notify",
    "revoke insert (reference) on notify.notifications from notify_producer":
        "notify_producer may not insert reference of notify.notifications",
    "revoke execute on function notify.outcomes from notify_producer":
        "notify_producer may not execute notify.outcomes("
        "uuid,text,text,timestamp with time zone)",
}  # fmt: skip


@pytest.fixture
def group(db):
    """The group notify_producer, as ops/postgres/roles.sql makes it."""
    db.execute("create role notify_producer; select notify.keep_rights()")
    yield
    db.execute("drop owned by notify_producer; drop role notify_producer")


def amiss(db):
    return db.execute("select fault, remedy from notify.rights_amiss()").fetchall()


def test_a_fresh_ledger_has_nothing_amiss(db, group):
    assert amiss(db) == []


@pytest.mark.parametrize("act", TOO_MUCH)
def test_what_is_too_much_is_named_with_the_statement_that_takes_it(db, group, act):
    db.execute(act)
    [found] = amiss(db)
    assert found.fault == TOO_MUCH[act]
    db.execute(found.remedy)
    db.execute("select notify.keep_rights()")  # REVOKE INSERT ON a table takes the columns', too
    assert amiss(db) == []


@pytest.mark.parametrize("act", BY_MIGRATE)
def test_what_a_deploy_would_have_kept_is_mended_by_migrate(db, dsn, group, act):
    db.execute(act)
    [found] = amiss(db)
    assert (found.fault, found.remedy) == (BY_MIGRATE[act], None)
    said = []
    migrate(dsn, say=said.append)
    assert said == [f"mended: {found.fault}"]
    assert amiss(db) == []


def test_a_function_of_somebody_else_is_theirs_to_revoke(db):
    with role(db) as user:
        db.execute("create function notify.theirs() returns int language sql return 1")
        db.execute(f"alter function notify.theirs() owner to {user}")
        [found] = amiss(db)
        assert found.remedy == "revoke execute on function notify.theirs() from public"
        db.execute(found.remedy)
        assert amiss(db) == []


def test_without_the_group_only_public_is_looked_at(db):
    assert amiss(db) == []


def test_each_function_that_runs_with_its_owners_rights_is_mended_by_migrate(db, dsn):
    query = (
        "select 'notify.' || oid::regprocedure from pg_proc"
        " where pronamespace = 'notify'::regnamespace and prosecdef"
    )
    names = [name for (name,) in db.execute(query)]
    for name in names:
        db.execute(f"alter routine {name} security invoker")
    said = sorted(f"{name} runs with the rights of its caller" for name in names)
    assert sorted(f.fault for f in amiss(db) if f.remedy is None and "caller" in f.fault) == said
    migrate(dsn)
    assert amiss(db) == []


@pytest.mark.parametrize("view", ["outcomes", "watches"])
@pytest.mark.parametrize(
    ("act", "fault"),
    [
        ("set (security_invoker = on)", "reads with the rights of its caller"),
        ("reset (security_barrier)", "has no security_barrier"),
    ],
)
def test_a_view_that_hides_too_much_or_too_little_is_named(db, view, act, fault):
    db.execute(f"alter view notify.{view} {act}")
    [found] = amiss(db)
    assert found.fault == f"view notify.{view} {fault}"
    db.execute(found.remedy)
    assert amiss(db) == []


@pytest.mark.parametrize("what", ["routine notify.accept", "view notify.outcomes"])
def test_what_would_run_with_somebody_elses_rights_is_named(db, what):
    with role(db) as user:
        db.execute(f"alter {what} owner to {user}")
        [found] = [found for found in amiss(db) if "belongs to" in found.fault]
        db.execute(found.remedy)
        assert amiss(db) == []


def test_an_overload_of_somebodys_is_theirs(db):
    db.execute("create function notify.send(p_to text) returns int language sql return 1")
    db.execute("revoke execute on function notify.send(text) from public")
    assert amiss(db) == []


def test_what_a_member_of_the_owner_has_migrated_is_its_own(db):
    with role(db) as owner, role(db) as member:
        db.execute(f"grant {owner} to {member}")
        db.execute(f"alter table notify.notifications owner to {owner}")
        db.execute(
            f"do $$ declare f regprocedure; begin for f in select oid from pg_proc"
            f" where pronamespace = 'notify'::regnamespace and prosecdef"
            f" loop execute format('alter routine %s owner to {member}', f); end loop; end $$"
        )
        db.execute(f"alter view notify.outcomes owner to {member}")
        db.execute(f"alter view notify.watches owner to {owner}")
        assert not [found for found in amiss(db) if "belongs to" in found.fault]
        db.execute("alter table notify.notifications owner to current_user")
        db.execute(f"reassign owned by {owner}, {member} to current_user")


@pytest.mark.parametrize(
    "name",
    ["pg_try_advisory_xact_lock_shared(integer, integer)", "pg_notification_queue_usage()"],
)
def test_what_the_triggers_of_a_producer_call_is_named_where_it_was_revoked(db, shop, name):
    db.execute(f"revoke execute on function {name} from public")
    [found] = amiss(db)
    assert found.fault == f"{shop.info.user} may not execute {name}"
    db.execute(found.remedy)
    assert amiss(db) == []
    shop.execute("select notify.send('log', 'r', '{}')")
