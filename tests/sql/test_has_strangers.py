"""Who else has a say in an INSERT: anybody's trigger or rule where the rows of today go."""

import pytest

FUNCTION = """
create function public.theirs() returns trigger language plpgsql as $$ begin return new; end $$;
"""
TRIGGER = (
    FUNCTION
    + """
create trigger theirs after insert on notify.{} for each row execute function public.theirs()
"""
)
RULE = "create rule theirs as on insert to notify.notifications do also notify nobody"


def has_strangers(db):
    return db.execute("select notify.has_strangers() as found").fetchone().found


def test_our_own_triggers_are_no_strangers(db):
    assert not has_strangers(db)


@pytest.mark.parametrize("table", ["notifications", "notifications_default", "today"])
def test_a_trigger_is_found_wherever_a_row_of_today_may_go(db, table):
    if table == "today":
        table = db.execute(
            "select to_char(clock_timestamp() at time zone 'utc',"
            " '\"notifications\"_YYYYMMDD') as name"
        ).fetchone().name  # fmt: skip
    db.execute(TRIGGER.format(table))
    assert has_strangers(db)


def test_a_trigger_with_our_name_is_a_stranger_all_the_same(db):
    db.execute(TRIGGER.format("notifications_default").replace("trigger theirs", "trigger accept_"))
    assert has_strangers(db)


def test_a_rule_is_found(db):
    db.execute(RULE)
    assert has_strangers(db)


def test_what_is_hung_on_another_table_is_none_of_its_business(db):
    db.execute(TRIGGER.format("attempts"))
    assert not has_strangers(db)
