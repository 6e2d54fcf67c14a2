"""The list of a producer's rights names what there is, and what the README's table offers."""

from service.api.body import NewNotification


def test_each_right_is_one_that_a_role_can_be_granted(shared_db):
    for kind, name, privilege, attribute in shared_db.execute(
        "select * from notify.producer_rights()"
    ):
        columns = f" ({attribute})" if attribute else ""
        with shared_db.transaction(force_rollback=True):
            shared_db.execute("create role somebody")
            shared_db.execute(f"grant {privilege}{columns} on {kind} {name} to somebody")


def test_a_producer_sets_what_a_client_sets_and_its_own_id(shared_db):
    columns = shared_db.execute(
        "select attribute from notify.producer_rights() where name = 'notify.notifications'"
    ).fetchall()
    assert {column for (column,) in columns} == {"id", *NewNotification.__struct_fields__}


CALLED = {
    "new_id", "id_floor", "send", "outcomes", "outcome_of", "validate", "wait",
    "unended", "producer_of", "speaking_role",
    "on_change", "off_change", "check_watch", "keep_watch", "drop_watch", "open_watch", "watched",
    "watch_query", "watch_triggers",
}  # fmt: skip


def test_a_producer_may_call_these_functions_and_read_two_views_and_no_table(shared_db):
    rights = shared_db.execute(
        "select kind, name, privilege from notify.producer_rights()"
    ).fetchall()
    tables = {(name, privilege) for kind, name, privilege in rights if kind == "table"}
    views = {"notify.outcomes", "notify.watches"}
    assert tables == {("notify.notifications", "insert"), *((view, "select") for view in views)}
    query = "select relkind from pg_class where oid = any (%s::text[]::regclass[])"
    assert [row.relkind for row in shared_db.execute(query, [list(views)])] == ["v", "v"]
    called = {name.split("(")[0] for kind, name, _ in rights if kind in ("function", "procedure")}
    assert called == {f"notify.{name}" for name in CALLED}
