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


# A client of the API sends its traceparent as a header, and waits by GET.
BY_SQL_ALONE = {"id", "traceparent", "notify_on_end"}


def test_a_producer_sets_what_a_client_sets_and_what_is_said_by_sql_alone(shared_db):
    columns = shared_db.execute(
        "select attribute from notify.producer_rights() where privilege = 'insert'"
    ).fetchall()
    names = [column for (column,) in columns]
    assert sorted(names) == sorted({*BY_SQL_ALONE, *NewNotification.__struct_fields__})


CALLED = {
    "new_id", "id_floor", "send", "send_many", "outcomes", "outcome_of", "validate", "explain",
    "wait", "unended", "producer_of", "speaking_role",
}  # fmt: skip


def test_a_producer_may_call_these_functions_and_read_one_view_and_no_table(shared_db):
    rights = shared_db.execute(
        "select kind, name, privilege from notify.producer_rights()"
    ).fetchall()
    tables = {(name, privilege) for kind, name, privilege in rights if kind == "table"}
    assert tables == {("notify.notifications", "insert"), ("notify.outcomes", "select")}
    query = "select relkind from pg_class where oid = 'notify.outcomes'::regclass"
    assert shared_db.execute(query).fetchone().relkind == "v"
    called = {name.split("(")[0] for kind, name, _ in rights if kind in ("function", "procedure")}
    assert called == {f"notify.{name}" for name in CALLED}
