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
        "select attribute from notify.producer_rights() where kind = 'table'"
    ).fetchall()
    assert {column for (column,) in columns} == {"id", *NewNotification.__struct_fields__}


def test_a_producer_may_call_four_functions_and_read_no_table(shared_db):
    rights = shared_db.execute(
        "select kind, name, privilege from notify.producer_rights()"
    ).fetchall()
    assert {privilege for kind, _, privilege in rights if kind == "table"} == {"insert"}
    called = {name.split("(")[0] for kind, name, _ in rights if kind == "function"}
    assert called == {"notify.new_id", "notify.send", "notify.send_many", "notify.outcomes"}
